// Named settings: one name for each, in --set, config.toml, presets and traces.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drydock::algorithms {

// Layer sizes by network: {"q1": [23, 256, 256, 1], ...}.
using LayerSizes = std::map<std::string, std::vector<std::int64_t>>;

// Insertions, deletions and changes of a letter that turn one name into another: for "did you
// mean".
std::size_t edit_distance(const std::string& a, const std::string& b);

// The numbers of "3600,1800", which are finite in fp32; nothing for a text of another form, an
// empty one included.
std::optional<std::vector<double>> parse_numbers(const std::string& text);

// The settings of an algorithm by name. It points at the fields of a settings struct, which must
// outlive it and not move.
class Settings {
  public:
    using Field = std::variant<double*, std::int64_t*, bool*, std::string*, LayerSizes*,
                               std::optional<double>*>;
    // What a field may hold: a closed or open range for numbers, a list for texts.
    struct Limits {
        double low = 0, high = 0;            // numbers; NaN passes neither
        bool open = false;                   // exclude low and high themselves
        std::vector<std::string> choices{};  // texts; empty accepts all
        // What "null", none, means for a number; NaN: it is refused.
        double none = std::numeric_limits<double>::quiet_NaN();
    };

    void add(const std::string& name, Field field, const std::string& help, Limits limits);

    // Sets a field from text: a number, true or false, a word, or JSON for layer_sizes; "inf" is a
    // number, and "null" means none where the field knows what that is; an optional number is then
    // empty. Throws Error (usage) for an
    // unknown name (and names the nearest), a text of the wrong form, or a value out of range.
    void set(const std::string& name, const std::string& text);
    // The value as text that set() takes back to the same bits.
    std::string get(const std::string& name) const;
    // Back to the value that the field had when it was added.
    void reset(const std::string& name) { set(name, entry(name).initial); }
    // Whether the field has that value.
    bool is_initial(const std::string& name) const { return get(name) == entry(name).initial; }
    bool contains(const std::string& name) const;
    const std::string& help(const std::string& name) const;
    // The type, for writers: "number", "integer", "boolean", "text" or "layers". A number may also
    // be "null".
    const char* type(const std::string& name) const;
    // In the order they were added.
    const std::vector<std::string>& names() const { return names_; }

  private:
    struct Entry {
        Field field;
        std::string help;
        Limits limits;
        std::string initial;
    };
    const Entry& entry(const std::string& name) const;

    std::vector<std::string> names_;
    std::map<std::string, Entry> entries_;
};

}  // namespace drydock::algorithms

// Lines of NAME=TEXT, a few of them, through Settings::set of every algorithm. A value that is
// taken is printed as text that sets the same value, and a refused one changes nothing.
#include "algorithms/settings.h"

#include "algorithms/algorithm.h"
#include "base/error.h"
#include "tests/fuzz/fuzz.h"

namespace drydock::fuzz {
namespace {

constexpr int kMostLines = 16;

void set(algorithms::Settings& settings, const std::string& name, const std::string& text) {
    const std::string before = settings.contains(name) ? settings.get(name) : "";
    try {
        settings.set(name, text);
    } catch (const Error&) {
        expect(!settings.contains(name) || settings.get(name) == before,
               "a refused value changes nothing");
        return;
    }
    const std::string value = settings.get(name);
    settings.set(name, value);
    expect(settings.get(name) == value, "a value's text sets the same value");
}

}  // namespace

void run(Bytes input) {
    for (const std::string& algorithm : algorithms::list_algorithms()) {
        const auto recipe = algorithms::make_recipe(algorithm);
        std::string_view text = text_of(input);
        for (int lines = 0; lines < kMostLines && !text.empty(); ++lines) {
            const std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            const std::size_t cut = line.find('=');
            if (cut == std::string_view::npos) continue;
            set(recipe->settings(), std::string(line.substr(0, cut)),
                std::string(line.substr(cut + 1)));
        }
    }
}

}  // namespace drydock::fuzz

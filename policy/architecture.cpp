#include "policy/architecture.h"

#include "base/json.h"

namespace drydock::policy {
namespace {

struct NamedActivation {
    std::string_view name;
    Activation activation;
};
constexpr NamedActivation kHidden[] = {{"relu", Activation::relu}, {"tanh", Activation::tanh}};
// Both tanh heads act alike; the name tells how the policy was trained.
constexpr NamedActivation kHeads[] = {{"tanh_mean", Activation::tanh},
                                      {"deterministic_tanh", Activation::tanh},
                                      {"identity", Activation::identity}};

bool parse_name(JsonScanner& json, std::span<const NamedActivation> known, Activation& out,
                Message& problem) {
    std::string_view name;
    if (!json.string(name)) {
        problem << "expected a string at byte " << std::uint64_t{json.position()};
        return false;
    }
    for (const NamedActivation& candidate : known) {
        if (name == candidate.name) {
            out = candidate.activation;
            return true;
        }
    }
    problem << "this version does not know \"" << name << "\"; it knows";
    for (const NamedActivation& candidate : known) {
        problem << " " << candidate.name;
    }
    return false;
}

bool parse_sizes(JsonScanner& json, Architecture& a, Message& problem) {
    std::uint32_t count = 0;
    bool good = json.take('[');
    do {
        std::uint64_t size = 0;
        good = good && json.natural(size);
        if (good && (count > kMaxLayers || size == 0 || size > kMaxWidth)) {
            problem << "layer_sizes must be 2 to " << std::uint64_t{kMaxLayers + 1}
                    << " numbers from 1 to " << std::uint64_t{kMaxWidth};
            return false;
        }
        if (good) {
            a.sizes[count++] = static_cast<std::uint32_t>(size);
        }
    } while (good && json.take(','));
    if (!good || !json.take(']') || count < 2) {
        problem << "layer_sizes must be a list of at least 2 whole numbers";
        return false;
    }
    a.layers = count - 1;
    return true;
}

}  // namespace

bool parse_architecture(std::string_view text, Architecture& architecture, Message& problem) {
    JsonScanner json(text);
    architecture = {};
    unsigned seen = 0;
    if (!json.take('{')) {
        problem << "expected a JSON object";
        return false;
    }
    do {
        std::string_view key;
        if (!json.string(key) || !json.take(':')) {
            problem << "malformed JSON at byte " << std::uint64_t{json.position()};
            return false;
        }
        const unsigned bit = key == "hidden_activation" ? 1
                             : key == "head"            ? 2
                             : key == "layer_sizes"     ? 4
                                                        : 0;
        if (bit == 0 || (seen & bit) != 0) {
            problem << (bit == 0 ? "unknown member \"" : "repeated member \"") << key << "\"";
            return false;
        }
        seen |= bit;
        const bool good = bit == 1   ? parse_name(json, kHidden, architecture.hidden, problem)
                          : bit == 2 ? parse_name(json, kHeads, architecture.head, problem)
                                     : parse_sizes(json, architecture, problem);
        if (!good) {
            return false;
        }
    } while (json.take(','));
    if (!json.take('}') || !json.at_end()) {
        problem << "malformed JSON at byte " << std::uint64_t{json.position()};
        return false;
    }
    if (seen != 7) {
        problem << "expected hidden_activation, head and layer_sizes";
        return false;
    }
    return true;
}

}  // namespace drydock::policy

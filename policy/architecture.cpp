#include "policy/architecture.h"

#include "base/json.h"

namespace drydock::policy {
namespace {

struct NamedActivation {
    std::string_view name;
    Activation activation;
};
constexpr NamedActivation kHidden[] = {{"relu", Activation::relu}, {"tanh", Activation::tanh}};
constexpr NamedActivation kTransformerHidden[] = {{"relu", Activation::relu},
                                                  {"gelu", Activation::gelu}};
// Both tanh heads act alike; the name tells how the policy was trained.
constexpr NamedActivation kTransformerHeads[] = {{"tanh_mean", Activation::tanh},
                                                 {"deterministic_tanh", Activation::tanh},
                                                 {"identity", Activation::identity}};
constexpr std::string_view kArgmax = "argmax";
constexpr NamedActivation kHeads[] = {{"tanh_mean", Activation::tanh},
                                      {"deterministic_tanh", Activation::tanh},
                                      {"identity", Activation::identity},
                                      {kArgmax, Activation::identity}};

// One member of the text: a choice of names, a whole number, the seed or layer_sizes.
struct Member {
    std::string_view name;
    std::span<const NamedActivation> choices = {};
    Activation Architecture::*activation = nullptr;
    std::uint32_t Architecture::*number = nullptr;
    std::uint64_t limit = 0;  // numbers are from 1 to this
    std::uint64_t Architecture::*seed = nullptr;
};

constexpr Member kMlp[] = {{"hidden_activation", kHidden, &Architecture::hidden},
                           {"head", kHeads, &Architecture::head},
                           {"layer_sizes"}};
constexpr Member kBestOfN[] = {{"hidden_activation", kHidden, &Architecture::hidden},
                               {"layer_sizes"},
                               {"action_size", {}, nullptr, &Architecture::action_size, kMaxWidth},
                               {"samples", {}, nullptr, &Architecture::samples, kMaxSamples},
                               {"seed", {}, nullptr, nullptr, 0, &Architecture::seed}};
constexpr Member kTransformer[] = {
    {"activation", kTransformerHidden, &Architecture::hidden},
    {"head", kTransformerHeads, &Architecture::head},
    {"observation_size", {}, nullptr, &Architecture::observation_size, kMaxWidth},
    {"action_size", {}, nullptr, &Architecture::action_size, kMaxWidth},
    {"layers", {}, nullptr, &Architecture::blocks, kMaxBlocks},
    {"heads", {}, nullptr, &Architecture::heads, kMaxWidth},
    {"embedding_dim", {}, nullptr, &Architecture::embedding_dim, kMaxWidth / 4},
    {"mlp_dim", {}, nullptr, &Architecture::mlp_dim, kMaxWidth},
    {"context_length", {}, nullptr, &Architecture::context_length, kMaxSteps},
    {"episode_len", {}, nullptr, &Architecture::episode_len, kMaxSteps}};

std::span<const Member> members_of(Kind kind) {
    switch (kind) {
        case Kind::mlp:
            return kMlp;
        case Kind::best_of_n:
            return kBestOfN;
        case Kind::decision_transformer:
            return kTransformer;
    }
    return {};
}

bool parse_name(JsonScanner& json, const Member& member, Architecture& a, Message& problem) {
    std::string_view name;
    if (!json.string(name)) {
        problem << "expected a string at byte " << std::uint64_t{json.position()};
        return false;
    }
    for (const NamedActivation& candidate : member.choices) {
        if (name == candidate.name) {
            a.*member.activation = candidate.activation;
            a.argmax |= name == kArgmax;
            return true;
        }
    }
    problem << "this version does not know \"" << name << "\"; it knows";
    for (const NamedActivation& candidate : member.choices) {
        problem << " " << candidate.name;
    }
    return false;
}

bool parse_number(JsonScanner& json, const Member& member, Architecture& a, Message& problem) {
    std::uint64_t value = 0;
    const bool natural = json.natural(value);
    if (member.seed != nullptr) {
        a.*member.seed = value;
        problem << (natural ? "" : "seed must be a whole number below 2^64");
        return natural;
    }
    if (!natural || value == 0 || value > member.limit) {
        problem << member.name << " must be a whole number from 1 to " << member.limit;
        return false;
    }
    a.*member.number = static_cast<std::uint32_t>(value);
    return true;
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

bool parse_member(JsonScanner& json, const Member& member, Architecture& a, Message& problem) {
    if (member.activation != nullptr) {
        return parse_name(json, member, a, problem);
    }
    if (member.number != nullptr || member.seed != nullptr) {
        return parse_number(json, member, a, problem);
    }
    return parse_sizes(json, a, problem);
}

// What the members mean together.
bool check_mlp(Architecture& a, Message&) {
    a.observation_size = a.sizes[0];
    a.action_size = a.argmax ? 1 : a.sizes[a.layers];
    return true;
}

bool check_best_of_n(Architecture& a, Message& problem) {
    if (a.layers < 2 || a.sizes[a.layers] != 1 || a.sizes[0] <= a.action_size) {
        problem << "layer_sizes must be a hidden layer or more between observation + action and 1, "
                   "the observation having "
                << std::uint64_t{a.sizes[0]} << " - action_size, at least 1, numbers";
        return false;
    }
    a.observation_size = a.sizes[0] - a.action_size;
    return true;
}

bool check_transformer(Architecture& a, Message& problem) {
    if (a.embedding_dim % a.heads != 0) {
        problem << "embedding_dim must be a multiple of heads, got "
                << std::uint64_t{a.embedding_dim} << " and " << std::uint64_t{a.heads};
        return false;
    }
    if (a.context_length > a.episode_len) {
        problem << "context_length must be at most episode_len, got "
                << std::uint64_t{a.context_length} << " and " << std::uint64_t{a.episode_len};
        return false;
    }
    return true;
}

}  // namespace

bool parse_kind(std::string_view name, Kind& kind) {
    for (const Kind known : {Kind::mlp, Kind::best_of_n, Kind::decision_transformer}) {
        if (name == name_of(known)) {
            kind = known;
            return true;
        }
    }
    return false;
}

const char* name_of(Kind kind) {
    return kind == Kind::mlp         ? "mlp"
           : kind == Kind::best_of_n ? "best_of_n"
                                     : "decision_transformer";
}

bool parse_architecture(std::string_view text, Kind kind, Architecture& architecture,
                        Message& problem) {
    const std::span<const Member> members = members_of(kind);
    JsonScanner json(text);
    architecture = {};
    architecture.kind = kind;
    std::uint32_t seen = 0;
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
        std::size_t at = 0;
        while (at < members.size() && key != members[at].name) {
            ++at;
        }
        const std::uint32_t bit = 1u << at;
        if (at == members.size() || (seen & bit) != 0) {
            problem << (at == members.size() ? "unknown member \"" : "repeated member \"") << key
                    << "\"";
            return false;
        }
        seen |= bit;
        if (!parse_member(json, members[at], architecture, problem)) {
            return false;
        }
    } while (json.take(','));
    if (!json.take('}') || !json.at_end()) {
        problem << "malformed JSON at byte " << std::uint64_t{json.position()};
        return false;
    }
    if (seen != (1u << members.size()) - 1) {
        problem << "expected";
        for (const Member& member : members) {
            problem << " " << member.name;
        }
        return false;
    }
    return kind == Kind::mlp         ? check_mlp(architecture, problem)
           : kind == Kind::best_of_n ? check_best_of_n(architecture, problem)
                                     : check_transformer(architecture, problem);
}

}  // namespace drydock::policy

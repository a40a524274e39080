// drydock policy: what a policy file holds, and whether it acts here as it did where it was made.
#include <drydock/policy.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/command.h"
#include "apps/format.h"
#include "base/error.h"
#include "core/safetensors.h"
#include "training/loaded_policy.h"

namespace drydock::apps {
namespace {

using Bytes = std::vector<std::byte>;

std::string range_text(const TensorFile& file, const std::string& name) {
    const std::vector<double> values = file.tensor(name).to_f64();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    if (low == values.end()) return "none";
    return *low == *high ? fmt::format("{} everywhere", number(*low))
                         : fmt::format("{} to {}", number(*low), number(*high));
}

using Architecture = nlohmann::json;

std::string text_of(const Architecture& a, const char* member) {
    return a.at(member).get<std::string>();
}
std::int64_t size_of(const Architecture& a, const char* member) {
    return a.at(member).get<std::int64_t>();
}

std::string layers_text(const Architecture& a) {
    return fmt::format("{}",
                       fmt::join(a.at("layer_sizes").get<std::vector<std::int64_t>>(), " > "));
}

Facts mlp_facts(const Architecture& a) {
    return {{"layers", layers_text(a)},
            {"activation",
             fmt::format("{}, head {}", text_of(a, "hidden_activation"), text_of(a, "head"))}};
}

Facts best_of_n_facts(const Architecture& a) {
    return {{"layers", layers_text(a)},
            {"activation", text_of(a, "hidden_activation")},
            {"acts by",
             fmt::format("the best of {} uniform actions, seed {}", grouped(size_of(a, "samples")),
                         a.at("seed").get<std::uint64_t>())}};
}

Facts transformer_facts(const TensorFile& file, const Architecture& a) {
    return {
        {"blocks",
         fmt::format("{} of width {}, {} heads, hidden {}", size_of(a, "layers"),
                     size_of(a, "embedding_dim"), size_of(a, "heads"), size_of(a, "mlp_dim"))},
        {"activation", fmt::format("{}, head {}", text_of(a, "activation"), text_of(a, "head"))},
        {"looks back", fmt::format("{} steps", grouped(size_of(a, "context_length")))},
        {"episodes", fmt::format("up to {} steps", grouped(size_of(a, "episode_len")))},
        {"asks for", fmt::format("a return of {}, scaled by {}",
                                 number(file.tensor("return.target").to_f64().at(0)),
                                 number(file.tensor("return.scale").to_f64().at(0)))}};
}

Facts network_facts(const TensorFile& file, const drydock_policy_info& info) {
    // The runtime has accepted the text: its members are there.
    const auto a = Architecture::parse(file.text("architecture"));
    const std::string kind = info.kind;
    Facts facts = {
        {"kind", fmt::format("{}, schema {}.{}", kind, info.schema_major, info.schema_minor)}};
    const Facts more = kind == "mlp"         ? mlp_facts(a)
                       : kind == "best_of_n" ? best_of_n_facts(a)
                                             : transformer_facts(file, a);
    facts.insert(facts.end(), more.begin(), more.end());
    facts.emplace_back("parameters", grouped(static_cast<std::int64_t>(info.parameters)));
    facts.emplace_back("golden rows", info.golden_rows == 0
                                          ? "none: 'drydock policy selftest' has nothing to compare"
                                          : grouped(static_cast<std::int64_t>(info.golden_rows)));
    return facts;
}

Facts memory_facts(const Bytes& bytes, const training::LoadedPolicy& policy) {
    std::size_t policy_size = 0, context_size = 0, alignment = 0;
    drydock_policy_size(bytes.data(), bytes.size(), &policy_size, &alignment);
    drydock_context_size(policy.get(), &context_size, &alignment);
    return {{"file", byte_size(bytes.size())},
            {"policy block", fmt::format("{}, shared by all threads", byte_size(policy_size))},
            {"context block", fmt::format("{} for each thread", byte_size(context_size))},
            {"kernel here", policy.info().kernel}};
}

void print_interface(const TensorFile& file, const drydock_policy_info& info) {
    print_heading("Observations and actions");
    Facts facts = {{"observations", grouped(static_cast<std::int64_t>(info.observation_size))},
                   {"  mean", range_text(file, "observation.mean")},
                   {"  deviation", range_text(file, "observation.std")},
                   {"  clip", range_text(file, "observation.clip")}};
    if (info.action_count > 0) {
        facts.emplace_back(
            "actions", fmt::format("a choice among {}, by its number from 0", info.action_count));
        return print_facts(facts);
    }
    const Facts actions = {{"actions", grouped(static_cast<std::int64_t>(info.action_size))},
                           {"  low", range_text(file, "action.low")},
                           {"  high", range_text(file, "action.high")},
                           {"  scale", range_text(file, "action.scale")},
                           {"  bias", range_text(file, "action.bias")}};
    facts.insert(facts.end(), actions.begin(), actions.end());
    print_facts(facts);
}

void print_provenance(const TensorFile& file) {
    Facts facts;
    for (const auto& [key, value] : file.metadata) {
        if (key == "format" || key == "schema" || key == "kind" || key == "architecture") continue;
        if (!value.empty()) facts.emplace_back(key, value);
    }
    if (facts.empty()) return;
    print_heading("Where it comes from");
    print_facts(facts);
}

int inspect(const std::string& path) {
    const Bytes bytes = read_bytes(path);
    const training::LoadedPolicy policy(bytes, path);
    const TensorFile file = parse_tensor_file(bytes, path);
    const drydock_policy_info info = policy.info();
    print_heading(path);
    print_facts(network_facts(file, info));
    print_interface(file, info);
    print_heading("Memory");
    print_facts(memory_facts(bytes, policy));
    print_provenance(file);
    return 0;
}

int self_test(const std::string& path) {
    const training::LoadedPolicy policy = training::LoadedPolicy::from_file(path);
    training::PolicyContext context(policy);
    const float largest = context.self_test();
    fmt::print("{}: {}, {} golden observations, largest difference {:.1e} ({}, {} kernel)\n", path,
               paint("ok", Tone::good),
               grouped(static_cast<std::int64_t>(policy.info().golden_rows)), largest,
               policy.info().kind, policy.info().kernel);
    return 0;
}

CLI::App* add_one(CLI::App& parent, const std::string& name, const std::string& description,
                  std::string& path, const std::string& example) {
    CLI::App* app = parent.add_subcommand(name, description);
    add_value(*app, "FILE", path, "", "policy file, or the run folder that has one")
        ->required()
        ->group("Arguments");
    app->footer("Example\n  " + example);
    return app;
}

}  // namespace

void add_policy_inspect(CLI::App& parent, Commands& commands) {
    auto path = std::make_shared<std::string>();
    CLI::App* app = add_one(parent, "inspect", "show what a policy file holds and needs", *path,
                            "drydock policy inspect runs/p/policy.safetensors");
    commands.push_back({app, [path] { return inspect(training::policy_file(*path)); }});
}

void add_policy_selftest(CLI::App& parent, Commands& commands) {
    auto path = std::make_shared<std::string>();
    CLI::App* app =
        add_one(parent, "selftest", "check that the policy acts here as it did where it was made",
                *path, "drydock policy selftest runs/p/policy.safetensors");
    commands.push_back({app, [path] { return self_test(training::policy_file(*path)); }});
}

}  // namespace drydock::apps

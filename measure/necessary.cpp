#include "measure/necessary.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"

namespace drydock::measure {
namespace {

// Multiply-adds per row of a multi-layer perceptron.
struct Network {
    std::vector<std::int64_t> sizes;  // input, hidden..., output

    // Of one pass through all layers.
    double all() const {
        double macs = 0;
        for (std::size_t i = 1; i < sizes.size(); ++i) {
            macs += static_cast<double>(sizes[i - 1] * sizes[i]);
        }
        return macs;
    }
    double first() const { return static_cast<double>(sizes[0] * sizes[1]); }
    // Forward, gradient of the weights, gradient of all inputs but the network's own.
    double trained() const { return 3 * all() - first(); }
    // Of the first layer, what `inputs` of its inputs take part in.
    double part(std::int64_t inputs) const { return static_cast<double>(inputs * sizes[1]); }
};

// A recipe's settings, and the sizes of its data.
class Sizes {
  public:
    Sizes(algorithms::Recipe& recipe, std::int64_t observation_size, std::int64_t action_size)
        : S(observation_size),
          A(action_size),
          B(static_cast<double>(recipe.common().batch_size)),
          settings_(recipe.settings()) {}

    Network network(const std::string& name) const {
        return {nlohmann::json::parse(text("layer_sizes")).at(name)};
    }
    std::string text(const char* name) const { return settings_.get(name); }
    double number(const char* name) const { return std::stod(text(name)); }
    bool flag(const char* name) const { return text(name) == "true"; }

    const std::int64_t S, A;
    const double B;

  private:
    const algorithms::Settings& settings_;
};

// `macs` multiply-adds for each of `rows` rows.
Term term(std::string what, double rows, double macs) { return {std::move(what), 2 * rows * macs}; }

Work iql(const Sizes& s) {
    const Network q1 = s.network("q1"), q2 = s.network("q2"), v = s.network("v"),
                  actor = s.network("actor");
    const double twin = q1.all() + q2.all();
    Work work = {term("V(s'), forward", s.B, v.all()), term("V(s), trained", s.B, v.trained()),
                 term("Q(s, a), trained", s.B, q1.trained() + q2.trained()),
                 term("policy(s), trained", s.B, actor.trained())};
    // Without targets the critics' own forward pass judges.
    if (s.flag("target_critics")) work.push_back(term("target Q(s, a), forward", s.B, twin));
    const std::string advantage = s.text("advantage_from");
    if (advantage != "before_steps") {
        work.push_back(term("V(s) after its step, forward", s.B, v.all()));
    }
    if (advantage == "after_all_steps") {
        work.push_back(term("Q(s, a) after all steps, forward", s.B, twin));
    }
    return work;
}

Work td3bc(const Sizes& s) {
    const Network q1 = s.network("q1"), q2 = s.network("q2"), actor = s.network("actor");
    const double share = 1 / s.number("policy_period");
    return {term("target policy(s'), forward", s.B, actor.all()),
            term("target Q(s', a'), forward", s.B, q1.all() + q2.all()),
            term("Q(s, a), trained", s.B, q1.trained() + q2.trained()),
            term("policy(s), trained, where it steps", s.B * share, actor.trained()),
            term("Q(s, policy(s)), forward and inputs' gradient, where it steps", s.B * share,
                 2 * q1.all())};
}

// A critic whose first layer takes the state once, however many actions follow.
struct StateAction {
    Network q;
    double state, rest;  // multiply-adds per state, per action
    StateAction(Network network, std::int64_t S)
        : q(std::move(network)), state(q.part(S)), rest(q.all() - state) {}

    // Forward and weights' gradient of both parts, inputs' gradient above the first layer.
    double trained(double actions) const {
        return 2 * (state + actions * rest) + actions * (q.all() - q.first());
    }
    double forward(double actions) const { return state + actions * rest; }
};

Work cql(const Sizes& s) {
    const double n = s.number("n_actions");
    const bool acts = s.text("policy") == "actor";
    std::vector<StateAction> critics = {{s.network("q1"), s.S}};
    if (s.number("critics") > 1) critics.emplace_back(s.network("q2"), s.S);
    const bool soft = s.text("conservative_term") == "logsumexp";
    const double candidates = 1 + (soft ? 3 * n : n);
    const double targets =
        s.text("target_actions") == "uniform" || s.flag("max_target_backup") ? n : 1;
    Work work;
    for (std::size_t i = 0; i < critics.size(); ++i) {
        const StateAction& q = critics[i];
        work.push_back(
            term(fmt::format("Q{}(s, data and {:.0f} others), trained", i + 1, candidates - 1), s.B,
                 q.trained(candidates)));
        work.push_back(
            term(fmt::format("target Q{}(s', a'), forward", i + 1), s.B, q.forward(targets)));
        if (!acts) continue;
        work.push_back(term(fmt::format("Q{}(s, policy(s)), forward and actions' gradient", i + 1),
                            s.B, q.forward(1) + q.rest));
    }
    if (acts) {
        const Network actor = s.network("actor");
        work.push_back(term("policy(s), trained", s.B, actor.trained()));
        work.push_back(term("policy(s'), forward", s.B, actor.all()));
    }
    return work;
}

Work discrete_cql(const Sizes& s) {
    const Network q = s.network("q");
    Work work = {term("Q(s, .), trained", s.B, q.trained()),
                 term("target Q(s', .), forward", s.B, q.all())};
    if (s.flag("double_dqn")) work.push_back(term("Q(s', .), forward", s.B, q.all()));
    return work;
}

Work bc(const Sizes& s) { return {term("policy(s), trained", s.B, s.network("actor").trained())}; }

// Every block's keys and values for all tokens; its queries, projection and feed-forward part for
// all tokens too, but in the last block for the observations' alone, which are all that is read.
Work dt(const Sizes& s) {
    const double K = s.number("context_length"), D = s.number("embedding_dim");
    const double hidden = s.number("mlp_dim") > 0 ? s.number("mlp_dim") : 4 * D;
    const double tokens = 3 * K, above = s.number("layers") - 1;
    const double keys = 2 * D * D, rest = 2 * D * D + 2 * D * hidden;
    // A token sees itself and those before it: of all tokens (3 K + 1) / 2 on average, of the
    // middle one of each step just as many. Two products of width D with each.
    const double seen = 2 * D * (tokens + 1) / 2;
    const double queries = tokens * above + K;
    const auto embeddings = static_cast<double>(1 + s.S + s.A);
    return {term("embeddings, forward and weights' gradient", s.B * K, 2 * embeddings * D),
            term("keys and values, trained", s.B * tokens * (above + 1), 3 * keys),
            term("queries, projection and feed-forward part, trained", s.B * queries, 3 * rest),
            // Backward four products, and the weights formed again: two and a half times forward.
            term("attention, forward and gradient", s.B * queries, 3.5 * seen),
            term("head, trained", s.B * K, 3 * D * static_cast<double>(s.A))};
}

}  // namespace

double total_flop(const Work& work) {
    double flop = 0;
    for (const Term& t : work) flop += t.flop;
    return flop;
}

Work necessary_work(algorithms::Recipe& recipe, std::int64_t observation_size,
                    std::int64_t action_size) {
    static const std::map<std::string_view, Work (*)(const Sizes&)> kCounts = {
        {"bc", bc}, {"cql", cql}, {"discrete-cql", discrete_cql},
        {"dt", dt}, {"iql", iql}, {"td3bc", td3bc}};
    const auto found = kCounts.find(recipe.name());
    if (found == kCounts.end()) {
        throw Error(
            fmt::format("[measure] the necessary work of {} is not counted; add it to "
                        "measure/necessary.cpp",
                        recipe.name()));
    }
    return found->second(Sizes(recipe, observation_size, action_size));
}

}  // namespace drydock::measure

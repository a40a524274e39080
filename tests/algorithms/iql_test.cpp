// IQL on a problem whose answer is known.
#include "algorithms/iql.h"

#include <doctest/doctest.h>

#include "core/executable.h"
#include "tests/core/harness.h"

namespace drydock::test {
namespace {

using algorithms::Algorithm;
using algorithms::Batch;
using algorithms::IqlSettings;

constexpr std::int64_t kRows = 2000;

// One-step episodes: reward 1 - |a - target(s)|, actions uniform. The best action is target(s).
double target(double s) { return s > 0 ? 0.6 : -0.6; }

struct Bandit {
    explicit Bandit(const IqlSettings& settings, int threads = 1)
        : device(Device::cpu(threads)), state(device), iql(algorithms::make_iql(state, settings)) {
        iql->initialize(1);
        Values s = draw({kRows}, -1, 1, 1), a = draw({kRows}, -1, 1, 2), r, one(kRows, 1.0);
        for (std::size_t i = 0; i < kRows; ++i) r.push_back(1 - std::fabs(a[i] - target(s[i])));
        const auto column = [&](const char* name, const Shape& shape, const Values& v) {
            return state.add_column(name, shape, std::span<const double>(v));
        };
        const BufferId o = column("o", {kRows, 1}, s), actions = column("a", {kRows, 1}, a);
        const BufferId rewards = column("r", {kRows}, r), terminals = column("t", {kRows}, one);
        state.counters().dataset_size = kRows;
        state.counters().seed = 5;
        exe = std::make_unique<Executable>(state);
        for (std::size_t variant = 0; variant < iql->variants(); ++variant) {
            exe->add(record(state, [&](Graph& g) {
                const Tensor rows = g.random_rows("batch", 128);
                const auto of = [&](BufferId id) { return gather_rows(g.buffer(id), rows); };
                iql->record(g, {of(o), of(actions), of(rewards), of(o), of(terminals)}, variant);
            }));
        }
        exe->set_schedule([this](std::int64_t k) { return iql->variant_at(k); });
    }

    double act(double s) {
        const std::string name = "probe" + std::to_string(state.buffer_count());
        const BufferId id = state.add_column(name, {1, 1}, std::span<const double>(&s, 1));
        Graph g(state, {.eager = true});
        return g.read(iql->act(g, g.buffer(id)))[0];
    }

    ParameterGroup& group(const char* name) {
        for (ParameterGroup& g : state.groups()) {
            if (g.name() == name) return g;
        }
        throw std::runtime_error(name);
    }

    Device device;
    State state;
    std::unique_ptr<Algorithm> iql;
    std::unique_ptr<Executable> exe;
};

IqlSettings small() {
    IqlSettings s;
    s.networks.layer_sizes = {
        {"q1", {2, 32, 32, 1}}, {"q2", {2, 32, 32, 1}}, {"v", {1, 32, 1}}, {"actor", {1, 32, 1}}};
    s.v_learning_rate = s.q_learning_rate = s.actor_learning_rate = 3e-3;
    s.temperature = 10;
    s.common.max_steps = 1500;
    return s;
}

TEST_CASE("IQL finds the best action of every state, by likelihood and by squared error") {
    for (const bool deterministic : {false, true}) {
        IqlSettings s = small();
        s.deterministic_policy = deterministic;
        Bandit bandit(s);
        bandit.exe->run(1500);
        for (double x : {-0.8, -0.4, 0.4, 0.8}) {
            CAPTURE(x);
            CHECK(bandit.act(x) == doctest::Approx(target(x)).epsilon(0.25));
        }
        CHECK(bandit.state.metric_names() ==
              std::vector<std::string>{"v_loss", "q_loss", "actor_loss"});
        CHECK(std::isfinite(bandit.state.metric(2, 1499)));
    }
}

TEST_CASE("targets are averaged every target_update_period updates and not between") {
    IqlSettings s = small();
    s.target_update_period = 3;
    Bandit bandit(s);
    ParameterGroup& targets = bandit.group("critic_targets");
    const Values first = targets.read(0);
    bandit.exe->run(2);
    CHECK(targets.read(0) == first);
    bandit.exe->run(1);
    const Values third = targets.read(0);
    CHECK(third != first);
    bandit.exe->run(2);
    CHECK(targets.read(0) == third);
}

TEST_CASE("the first targets are the critics") {
    Bandit bandit(small());
    CHECK(bandit.group("critic_targets").read(2) == bandit.group("critics").read(2));
}

}  // namespace
}  // namespace drydock::test

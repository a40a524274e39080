// An algorithm in fp64 on small random data with known batches, for comparison with the oracle.
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "algorithms/algorithm.h"
#include "core/executable.h"
#include "tests/algorithms/oracle.h"
#include "tests/core/harness.h"

namespace drydock::test {

constexpr std::int64_t kTransitions = 20, kBatch = 6, kObservations = 3, kActions = 2;
constexpr std::int64_t kUpdates = 3;
constexpr const char* kLayers =
    R"({"q1": [5, 6, 4, 1], "q2": [5, 4, 5, 1], "v": [3, 5, 1], "actor": [3, 5, 4, 2]})";

// The same data for every run. Some rows are terminal; rewards make some weights meet the cap.
struct SmallData {
    Values observations = draw({kTransitions, kObservations}, -1.5, 1.5, 1);
    Values actions = draw({kTransitions, kActions}, -0.95, 0.95, 2);
    Values rewards = draw({kTransitions}, -1, 1, 3);
    Values next_observations = draw({kTransitions, kObservations}, -1.5, 1.5, 4);
    Values terminals = draw({kTransitions}, 0, 1, 5);
    std::vector<std::int64_t> rows;  // (kUpdates, kBatch)

    SmallData() {
        for (double& t : terminals) t = t < 0.2 ? 1.0 : 0.0;
        for (const double u : draw({kUpdates, kBatch}, 0, kTransitions, 6)) {
            rows.push_back(static_cast<std::int64_t>(u));
        }
    }
};

// Dropout's draws of the hidden layers of the actor: (kUpdates, kBatch, units).
inline Values dropout_draws(std::int64_t layer, std::int64_t units) {
    return draw({kUpdates, kBatch, units}, 0, 1, 70 + static_cast<std::uint64_t>(layer));
}

// TD3+BC's draws of the target policy's noise: (kUpdates, kBatch, kActions). Some meet the clip.
inline Values target_policy_draws() { return draw({kUpdates, kBatch, kActions}, -3, 3, 80); }

class SmallRun {
  public:
    // Takes a recipe whose settings are chosen. All parameters, targets included, get values of
    // their own: nothing is equal by initialisation.
    explicit SmallRun(algorithms::Recipe& recipe, DType real = DType::f64)
        : device_(Device::cpu(1, "portable")), state_(device_, real) {
        recipe.fit(kObservations, kActions);
        algorithm_ = recipe.make(state_);
        algorithm_->initialize(1);
        std::uint64_t seed = 100;
        for (ParameterGroup& g : state_.groups()) {
            for (int i = 0; i < g.count(); ++i)
                g.write(i, draw(g.spec(i).shape, -1.2, 1.2, ++seed));
        }
        // Advantages on both sides of zero.
        for (const char* q : {"q1", "q2", "q1_target", "q2_target"}) {
            const std::string bias = std::string(q) + ".layers.2.bias";
            if (has(bias)) set_parameter(bias, {1.5});
        }
        inject();
        record();
    }

    void run(std::int64_t updates) { executable_->run(updates); }

    Values parameter(const std::string& name) { return group_of(name).read(index_of(name)); }
    void set_parameter(const std::string& name, const Values& values) {
        group_of(name).write(index_of(name), values);
    }
    bool has(const std::string& name) { return find(name).first != nullptr; }
    double metric(const std::string& name, std::int64_t k) {
        return state_.metric(state_.metric_column(name), k);
    }
    State& state() { return state_; }

    // A network as the oracle takes it.
    Net network(const std::string& name, bool tanh_output = false) {
        Net net;
        net.tanh_output = tanh_output;
        for (int k = 0; has(name + ".layers." + std::to_string(k) + ".bias"); ++k) {
            const std::string layer = name + ".layers." + std::to_string(k);
            const Values weight = parameter(layer + ".weight"), bias = parameter(layer + ".bias");
            Layer l{Rows(bias.size()), bias};
            const std::size_t in = weight.size() / bias.size();
            for (std::size_t i = 0; i < weight.size(); ++i) l.weight[i / in].push_back(weight[i]);
            net.layers.push_back(l);
        }
        return net;
    }

  private:
    std::pair<ParameterGroup*, int> find(const std::string& name) {
        for (ParameterGroup& g : state_.groups()) {
            for (int i = 0; i < g.count(); ++i) {
                if (g.spec(i).name == name) return {&g, i};
            }
        }
        return {nullptr, 0};
    }
    ParameterGroup& group_of(const std::string& name) {
        if (!has(name)) throw std::runtime_error("no parameter " + name);
        return *find(name).first;
    }
    int index_of(const std::string& name) { return find(name).second; }

    void inject() {
        const BufferId rows = state_.add_buffer("rows", DType::i64, {kUpdates, kBatch});
        std::memcpy(state_.buffer(rows).data, data_.rows.data(), data_.rows.size() * 8);
        state_.inject_stream("batch", rows);
        for (std::int64_t layer = 0; layer < 2; ++layer) {
            const std::int64_t units = layer == 0 ? 5 : 4;
            const std::string name = "actor.layers." + std::to_string(layer) + ".dropout";
            const Values draws = dropout_draws(layer, units);
            state_.inject_stream(name, state_.add_column("draws." + name, {kUpdates, kBatch, units},
                                                         std::span<const double>(draws)));
        }
        const Values noise = target_policy_draws();
        state_.inject_stream("target_policy",
                             state_.add_column("draws.target_policy", {kUpdates, kBatch, kActions},
                                               std::span<const double>(noise)));
    }

    void record() {
        const auto column = [&](const char* name, const Shape& shape, const Values& v) {
            return state_.add_column(name, shape, std::span<const double>(v));
        };
        const BufferId o = column("o", {kTransitions, kObservations}, data_.observations);
        const BufferId a = column("a", {kTransitions, kActions}, data_.actions);
        const BufferId r = column("r", {kTransitions}, data_.rewards);
        const BufferId n = column("n", {kTransitions, kObservations}, data_.next_observations);
        const BufferId t = column("t", {kTransitions}, data_.terminals);
        state_.counters().dataset_size = kTransitions;
        executable_ = std::make_unique<Executable>(state_);
        for (std::size_t variant = 0; variant < algorithm_->variants(); ++variant) {
            executable_->add(drydock::record(state_, [&](Graph& g) {
                const Tensor rows = g.random_rows("batch", kBatch);
                const auto of = [&](BufferId id) { return gather_rows(g.buffer(id), rows); };
                algorithm_->record(g, {of(o), of(a), of(r), of(n), of(t)}, variant);
            }));
        }
        executable_->set_schedule([this](std::int64_t k) { return algorithm_->variant_at(k); });
    }

    SmallData data_;
    Device device_;
    State state_;
    std::unique_ptr<algorithms::Algorithm> algorithm_;
    std::unique_ptr<Executable> executable_;
};

}  // namespace drydock::test

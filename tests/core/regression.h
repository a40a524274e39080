// A small regression problem with everything an update has: random batches, two layers, Adam, a
// Polyak target, a metric.
#pragma once

#include <string>

#include "tests/core/harness.h"

namespace drydock::test {

class Regression {
  public:
    explicit Regression(DType real, int threads = 1, const std::string& isa = "")
        : Regression(real, Device::cpu(threads, isa)) {}
    Regression(DType real, const Device& shared, std::uint64_t seed = 3)
        : device(shared),
          state(device, real),
          group(state.add_group("net")),
          target_group(state.add_group("target", false)) {
        for (ParameterGroup* g : {&group, &target_group}) {
            const std::string prefix = g == &group ? "" : "target.";
            g->add({prefix + "0.weight", {40, 6}, Initializer::pytorch_default});
            g->add({prefix + "0.bias", {40}, Initializer::pytorch_default, 1.0, 6});
            g->add({prefix + "1.weight", {3, 40}, Initializer::pytorch_default});
            g->add({prefix + "1.bias", {3}, Initializer::zeros});
        }
        OptimizerSettings o;
        o.learning_rate = 1e-2;
        o.weight_decay = 1e-3;
        group.set_optimizer(o);
        group.initialize(seed);
        target_group.copy_from(group);
        x_ = state.add_column("x", {200, 6}, std::span<const double>(draw({200, 6}, -1, 1, 1)));
        y_ = state.add_column("y", {200, 3}, std::span<const double>(draw({200, 3}, -1, 1, 2)));
        state.counters().seed = 11;
        state.counters().dataset_size = 200;
    }

    void set_schedule(kernels::Schedule schedule, double horizon) {
        OptimizerSettings o = group.optimizer();
        o.schedule = schedule;
        o.horizon = horizon;
        group.set_optimizer(o);
    }

    Tensor loss(Graph& g) {
        const Tensor rows = g.random_rows("batch", 130);
        const Tensor h = linear(gather_rows(g.buffer(x_), rows), g.parameter(group, 0),
                                g.parameter(group, 1), Activation::relu);
        const Tensor out = linear(h, g.parameter(group, 2), g.parameter(group, 3));
        return mse(out, gather_rows(g.buffer(y_), rows));
    }

    void update(Graph& g) {
        const Tensor l = loss(g);
        sum(exp(l));  // leads nowhere: for remove_dead
        g.minimize(l, group);
        g.polyak(group, target_group, 0.01);
        g.metric("loss", l);
    }

    void replay(std::int64_t n, ExecutableOptions options = {}) {
        if (!exe_) {
            exe_ = std::make_unique<Executable>(state, options);
            exe_->add(record(state, [&](Graph& g) { update(g); }));
        }
        exe_->run(n);
    }

    void eager_update() {
        record(state, [&](Graph& g) { update(g); }, {.eager = true});
    }

    Values parameters() { return all(group); }
    Values targets() { return all(target_group); }
    kernels::OptimizerHyper& hyper() {
        return *static_cast<kernels::OptimizerHyper*>(state.buffer(group.hyper()).data);
    }

    Device device;
    State state;
    ParameterGroup& group;
    ParameterGroup& target_group;

  private:
    static Values all(ParameterGroup& g) {
        Values v;
        for (int i = 0; i < g.count(); ++i) {
            const Values p = g.read(i);
            v.insert(v.end(), p.begin(), p.end());
        }
        return v;
    }

    BufferId x_, y_;
    std::unique_ptr<Executable> exe_;
};

}  // namespace drydock::test

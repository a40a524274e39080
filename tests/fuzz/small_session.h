// The smallest IQL run that has everything a checkpoint and a trace hold.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "training/session.h"

namespace drydock::fuzz {

struct SmallSession {
    std::unique_ptr<algorithms::Recipe> recipe;
    std::unique_ptr<training::Session> session;

    SmallSession() : recipe(algorithms::make_recipe("iql")) {
        recipe->settings().set("batch_size", "2");
        recipe->settings().set(
            "layer_sizes",
            R"({"q1": [3, 2, 1], "q2": [3, 2, 1], "v": [2, 2, 1], "actor": [2, 2, 1]})");
        training::SessionOptions options;
        options.threads = 1;
        options.isa = "portable";
        options.metric_rows = 4;
        session = std::make_unique<training::Session>(*recipe, 2, 1, options);
        session->add_data(data());
        session->record_update();
    }

    State& state() const { return session->state(); }

    static data::Transitions data() {
        data::Transitions t;
        t.count = 3;
        t.observation_size = 2;
        t.action_size = 1;
        t.observations = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f, 0.6f};
        t.next_observations = {0.3f, 0.4f, -0.5f, 0.6f, 0.1f, 0.7f};
        t.actions = {0.5f, -0.5f, 0.25f};
        t.rewards = {1.0f, 0.0f, -1.0f};
        t.terminals = {0.0f, 0.0f, 1.0f};
        return t;
    }
};

// The bytes of everything persistent, buffer by buffer.
inline std::vector<std::vector<std::byte>> contents_of(const State& state) {
    std::vector<std::vector<std::byte>> all;
    for (BufferId id = 0; id < state.buffer_count(); ++id) {
        const Buffer& b = state.buffer(id);
        const auto* first = static_cast<const std::byte*>(b.data);
        all.emplace_back(first, first + b.shape.size() * static_cast<long>(size_of(b.dtype)));
    }
    return all;
}

}  // namespace drydock::fuzz

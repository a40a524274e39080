// What the tests of training/ share: folders that vanish, and small data, networks and runs.
#pragma once

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "training/collect.h"
#include "training/data_set.h"
#include "training/session.h"
#include "training/trainer.h"

namespace drydock::testing {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "drydock-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

inline const char* kSmallLayers =
    R"({"q1": [4, 16, 16, 1], "q2": [4, 16, 16, 1], "v": [3, 16, 16, 1], "actor": [3, 16, 16, 1]})";

// Five episodes of the pendulum.
inline const data::Dataset& pendulum_data() {
    static const data::Dataset dataset = [] {
        training::CollectOptions options;
        options.environment = "pendulum";
        options.behaviour = "random";
        options.episodes = 5;
        options.threads = 1;
        return training::collect(options);
    }();
    return dataset;
}

inline std::unique_ptr<algorithms::Recipe> small_recipe() {
    auto recipe = algorithms::make_recipe("iql");
    recipe->settings().set("batch_size", "16");
    recipe->settings().set("layer_sizes", kSmallLayers);
    return recipe;
}

// IQL with small networks on the pendulum's data, ready to run.
struct SmallRun {
    std::unique_ptr<algorithms::Recipe> recipe;
    training::TrainingData data;
    std::unique_ptr<training::Session> session;

    explicit SmallRun(int threads = 1, std::uint64_t seed = 7) : recipe(small_recipe()) {
        const auto environment = envs::make_environment("pendulum");
        data = training::prepare_training_data(pendulum_data(), *recipe, &environment->info());
        training::SessionOptions options;
        options.threads = threads;
        options.seed = seed;
        session = std::make_unique<training::Session>(*recipe, 3, 1, options);
        session->add_data(data.transitions);
        session->record_update();
    }
};

// The bytes of all parameters and moments.
inline std::vector<std::byte> state_bytes(State& state) {
    std::vector<std::byte> all;
    const auto append = [&](BufferId id) {
        const Buffer& b = state.buffer(id);
        const auto* first = static_cast<const std::byte*>(b.data);
        all.insert(all.end(), first, first + b.shape.size() * static_cast<long>(size_of(b.dtype)));
    };
    for (ParameterGroup& group : state.groups()) {
        append(group.parameters());
        if (!group.trainable()) continue;
        append(group.first_moments());
        append(group.second_moments());
        append(group.hyper());
    }
    return all;
}

// A short run of `drydock train`; `dataset` is a file.
inline training::TrainOptions small_options(const std::string& dataset, const std::string& out) {
    training::TrainOptions options;
    options.dataset = dataset;
    options.environment = "pendulum";
    options.out = out;
    options.steps = 60;
    options.evaluate_every = 30;
    options.checkpoint_every = 20;
    options.log_every = 20;
    options.episodes = 2;
    options.threads = 1;
    options.settings = {{"batch_size", "16"}, {"layer_sizes", kSmallLayers}};
    return options;
}

// The text of the Error that `work` throws, or "" when it throws none.
template <class Work>
std::string error_of(Work work) {
    try {
        work();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace drydock::testing

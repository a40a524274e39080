#include "training/trace_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace drydock::training::trace {

void refuse(const std::string& text) { throw Error("[verify] " + text); }

std::string show(const Dims& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

Dims dims(const Shape& shape) {
    Dims out;
    for (int i = 0; i < shape.rank(); ++i) out.push_back(shape[i]);
    return out;
}

Shape to_shape(const std::string& name, const Dims& shape) {
    if (shape.size() > kMaxRank) {
        refuse(fmt::format("expected '{}' of at most {} dimensions, got {}", name, kMaxRank,
                           show(shape)));
    }
    Shape out;
    for (const std::int64_t dim : shape) out.push_back(dim);
    return out;
}

const TensorData& demand(const TensorFile& trace, const std::string& name, const Dims& shape,
                         DType dtype) {
    const auto found = trace.tensors.find(name);
    if (found == trace.tensors.end()) {
        refuse(fmt::format("expected a tensor '{}' {}, there is none; record the trace again", name,
                           show(shape)));
    }
    const TensorData& t = found->second;
    bool same = t.dtype == dtype && t.shape.size() == shape.size();
    for (std::size_t i = 0; same && i < shape.size(); ++i) {
        same = shape[i] < 0 || shape[i] == t.shape[i];
    }
    if (!same) {
        refuse(fmt::format("expected '{}' as {} {}, got {} {}", name, name_of(dtype), show(shape),
                           name_of(t.dtype), show(t.shape)));
    }
    return t;
}

std::vector<std::string> names_under(const TensorFile& trace, const std::string& prefix) {
    std::vector<std::string> names;
    for (auto it = trace.tensors.lower_bound(prefix);
         it != trace.tensors.end() && it->first.rfind(prefix, 0) == 0; ++it) {
        names.push_back(it->first.substr(prefix.size()));
    }
    return names;
}

namespace {

void check_prefixes(const TensorFile& trace) {
    static const std::set<std::string> kPrefixes = {"data",  "batch",  "noise",    "init",
                                                    "final", "expect", "expect64", "final64"};
    for (const auto& [name, tensor] : trace.tensors) {
        if (!kPrefixes.contains(name.substr(0, name.find('/')))) {
            refuse(fmt::format("'{}' is not a tensor of a trace; expected names under {}", name,
                               fmt::join(kPrefixes, "/, ")));
        }
    }
}

std::int64_t parse_steps(const TensorFile& trace) {
    const std::string text = trace.text("steps");
    char* end = nullptr;
    const std::int64_t steps = std::strtoll(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0' || steps < 1) {
        refuse(fmt::format("expected the metadata entry steps to be a number above 0, got '{}'",
                           text));
    }
    return steps;
}

// {"q1": [14, 256, 256, 1], ...} from the shapes of init/q1.layers.K.weight.
nlohmann::json layer_sizes(const TensorFile& trace) {
    nlohmann::json sizes = nlohmann::json::object();
    for (const std::string& name : names_under(trace, "init/")) {
        const std::size_t end = name.find(".layers.0.weight");
        if (end == std::string::npos) continue;
        const std::string network = name.substr(0, end);
        if (network.ends_with("_target")) continue;  // shaped as what it is a copy of
        Dims list;
        for (int k = 0;; ++k) {
            const auto found =
                trace.tensors.find(fmt::format("init/{}.layers.{}.weight", network, k));
            if (found == trace.tensors.end()) break;
            const Dims& shape = found->second.shape;
            if (shape.size() != 2)
                refuse(fmt::format("expected '{}' (out, in), got {}", found->first, show(shape)));
            if (k == 0) list.push_back(shape[1]);
            list.push_back(shape[0]);
        }
        sizes[network] = list;
    }
    return sizes;
}

// The sizes that Decision Transformer takes from the shapes of init/, so that nothing is larger
// than the file. Called after the hyperparameters were set.
void apply_shapes(const TensorFile& trace, algorithms::Recipe& recipe) {
    const auto take = [&](const char* setting, const char* tensor, const Dims& shape) {
        const TensorData& t = demand(trace, tensor, shape, DType::f32);
        recipe.settings().set(setting, fmt::format("{}", t.shape[0]));
    };
    take("timestep_rows", "init/embed_timestep.weight", {-1, -1});
    take("embedding_dim", "init/embed_norm.weight", {-1});
    take("mlp_dim", "init/blocks.0.mlp.0.weight", {-1, -1});
    const std::int64_t layers = std::strtoll(recipe.settings().get("layers").c_str(), nullptr, 10);
    demand(trace, fmt::format("init/blocks.{}.norm1.weight", layers - 1), {-1}, DType::f32);
}

// Sets what the hyperparameters say; returns the keys that are not settings of the algorithm.
std::vector<std::string> apply_hyperparameters(const TensorFile& trace,
                                               algorithms::Recipe& recipe) {
    const auto json = nlohmann::json::parse(trace.text("hyperparameters"), nullptr, false);
    if (!json.is_object()) {
        refuse("expected the metadata entry hyperparameters to be a JSON object, got '" +
               trace.text("hyperparameters") + "'");
    }
    std::vector<std::string> ignored;
    for (const auto& [key, value] : json.items()) {
        if (key == "layer_sizes") continue;
        if (!recipe.settings().contains(key)) {
            ignored.push_back(key);
            continue;
        }
        recipe.settings().set(key, value.is_string() ? value.get<std::string>() : value.dump());
    }
    if (recipe.windows()) {
        apply_shapes(trace, recipe);
    } else {
        recipe.settings().set("layer_sizes", layer_sizes(trace).dump());
    }
    return ignored;
}

const std::set<std::string> kColumns{"observations", "actions"};
const std::set<std::string> kOutcomes{"rewards", "next_observations", "terminals"};

// Choices: data/actions int64 (N). Among how many the hyperparameters say as action_count, else the
// largest does.
void read_choices(const TensorFile& trace, data::Transitions& t) {
    const TensorData& actions = demand(trace, "data/actions", {t.count}, DType::i64);
    std::int64_t count = 2;
    for (const std::int64_t a : actions.i64("data/actions")) {
        if (a < 0 || a >= std::int64_t{1} << 16) {
            refuse(fmt::format("expected data/actions in [0, 65536), got {}", a));
        }
        t.actions.push_back(static_cast<float>(a));
        count = std::max(count, a + 1);
    }
    const auto json = nlohmann::json::parse(trace.text("hyperparameters"), nullptr, false);
    const auto said = json.find("action_count");
    if (said != json.end() && said->is_number_integer()) {
        if (said->get<std::int64_t>() < count) {
            refuse(fmt::format("expected data/actions below action_count {}, got {}",
                               said->get<std::int64_t>(), count - 1));
        }
        count = said->get<std::int64_t>();
    }
    t.action_size = 1;
    t.action_count = count;
}

const std::set<std::string> kSequences{"returns_to_go", "episode_offsets", "pad_observation",
                                       "pad_action"};

// Returns-to-go, where episodes begin, and what padding shows.
void read_sequences(const TensorFile& trace, data::Transitions& t) {
    t.returns_to_go =
        demand(trace, "data/returns_to_go", {t.count}, DType::f32).f32("data/returns_to_go");
    t.episode_offsets =
        demand(trace, "data/episode_offsets", {-1}, DType::i64).i64("data/episode_offsets");
    const std::vector<std::int64_t>& o = t.episode_offsets;
    if (o.size() < 2 || o.front() != 0 || o.back() != t.count ||
        std::adjacent_find(o.begin(), o.end(), std::greater_equal<>()) != o.end()) {
        refuse(fmt::format("expected data/episode_offsets to ascend from 0 to the {} rows, got {}",
                           t.count, fmt::join(o, ", ")));
    }
    const auto pad = [&](const char* name, std::int64_t size) -> std::vector<float> {
        if (!trace.tensors.contains(name)) return {};
        return demand(trace, name, {size}, DType::f32).f32(name);
    };
    t.pad_observation = pad("data/pad_observation", t.observation_size);
    t.pad_action = pad("data/pad_action", t.action_size);
}

// Rewards, next observations and terminals may be absent where the algorithm does not read them.
data::Transitions read_data(const TensorFile& trace, algorithms::Recipe& recipe) {
    const auto f32 = [&](const char* name, const Dims& shape) -> std::vector<float> {
        return demand(trace, name, shape, DType::f32).f32(name);
    };
    data::Transitions t;
    t.observations = f32("data/observations", {-1, -1});
    t.count = trace.tensor("data/observations").shape[0];
    t.observation_size = trace.tensor("data/observations").shape[1];
    const auto actions = trace.tensors.find("data/actions");
    const bool integers = actions != trace.tensors.end() && actions->second.dtype == DType::i64;
    if (!recipe.takes_real_actions() || (recipe.takes_choices() && integers)) {
        read_choices(trace, t);
    } else {
        t.actions = f32("data/actions", {t.count, -1});
        t.action_size = trace.tensor("data/actions").shape[1];
    }
    if (recipe.windows()) read_sequences(trace, t);
    if (!recipe.reads_outcomes()) return t;
    t.rewards = f32("data/rewards", {t.count});
    t.next_observations = f32("data/next_observations", {t.count, t.observation_size});
    t.terminals = f32("data/terminals", {t.count});
    return t;
}

// The rows of every update's batch, checked; only the tensors `names` are under batch/.
void check_batch_names(const TensorFile& trace, const std::vector<std::string>& names) {
    const std::vector<std::string> got = names_under(trace, "batch/");
    if (got == names) return;
    refuse(fmt::format("expected only batch/{} under batch/, got {}",
                       fmt::join(names, " and batch/"), fmt::join(got, ", ")));
}

const TensorData& demand_batch(const TensorFile& trace, const std::string& name, std::int64_t steps,
                               std::int64_t rows) {
    const TensorData& t = demand(trace, name, {steps, rows}, DType::i64);
    if (t.shape[1] < 1) {
        refuse(fmt::format("expected at least one row in every batch of {}, got {}", name,
                           show(t.shape)));
    }
    return t;
}

std::vector<std::int64_t> read_rows(const TensorFile& trace, std::int64_t steps,
                                    const data::Transitions& data) {
    std::vector<std::int64_t> rows =
        demand_batch(trace, "batch/indices", steps, -1).i64("batch/indices");
    check_batch_names(trace, {"indices"});
    for (const std::int64_t row : rows) {
        if (row >= 0 && row < data.count) continue;
        refuse(fmt::format("expected batch/indices in [0, {}), got {}", data.count, row));
    }
    return rows;
}

// The first rows of windows, from the numbers of their episodes and steps.
std::vector<std::int64_t> read_windows(const TensorFile& trace, std::int64_t steps,
                                       const data::Transitions& data) {
    const TensorData& episode = demand_batch(trace, "batch/episode", steps, -1);
    const TensorData& start = demand_batch(trace, "batch/start", steps, episode.shape[1]);
    check_batch_names(trace, {"episode", "start"});
    std::vector<std::int64_t> rows = start.i64("batch/start");
    const std::vector<std::int64_t> episodes = episode.i64("batch/episode");
    const std::vector<std::int64_t>& offsets = data.episode_offsets;
    const std::int64_t count = std::ssize(offsets) - 1;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::int64_t e = episodes[i];
        if (e < 0 || e >= count) {
            refuse(fmt::format("expected batch/episode in [0, {}), got {}", count, e));
        }
        const std::int64_t first = offsets[static_cast<std::size_t>(e)];
        const std::int64_t length = offsets[static_cast<std::size_t>(e) + 1] - first;
        if (rows[i] < 0 || rows[i] >= length) {
            refuse(fmt::format("expected batch/start in [0, {}) for episode {}, got {}", length, e,
                               rows[i]));
        }
        rows[i] += first;
    }
    return rows;
}

}  // namespace

Trace::Trace(const TensorFile& trace) : file(trace), steps(0) {
    if (trace.text("drydock.trace") != "1") {
        refuse(
            fmt::format("expected a trace (metadata entry drydock.trace = 1), got '{}'; make one "
                        "with scripts/make_trace.py",
                        trace.text("drydock.trace")));
    }
    check_prefixes(trace);
    steps = parse_steps(trace);
    recipe = algorithms::make_recipe(trace.text("algorithm"));
    recipe->apply_preset(trace.text("preset"), "");
    ignored = apply_hyperparameters(trace, *recipe);
    recipe->common().batch_action_bound = recipe->common().max_action;
    data = read_data(trace, *recipe);
    recipe->common().action_count = data.action_count;
    for (const std::string& name : names_under(trace, "data/")) {
        const bool read = kColumns.contains(name) ||
                          (recipe->reads_outcomes() && kOutcomes.contains(name)) ||
                          (recipe->windows() && kSequences.contains(name));
        if (!read) ignored.push_back("data/" + name);
    }
    batch = recipe->windows() ? read_windows(trace, steps, data) : read_rows(trace, steps, data);
    recipe->common().batch_size = static_cast<std::int64_t>(batch.size()) / steps;
    if (names_under(trace, "expect/").empty())
        refuse("expected metrics under expect/, there are none");
}

}  // namespace drydock::training::trace

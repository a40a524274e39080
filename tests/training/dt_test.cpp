// Decision Transformer on small episodes: windows, what a token may see, padding, dropout, threads.
#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/ops.h"
#include "tests/training/support.h"
#include "training/trace.h"

namespace drydock {
namespace {

using Floats = std::vector<float>;
using testing::contains;
using testing::error_of;

constexpr std::int64_t kSteps = 4;  // of a window

// Episodes of 3, 1 and 7 steps with 2 observations and 1 action; row i is told by its numbers.
data::Transitions episodes() {
    data::Transitions t;
    t.count = 11;
    t.observation_size = 2;
    t.action_size = 1;
    t.episode_offsets = {0, 3, 4, 11};
    for (int i = 0; i < 11; ++i) {
        const auto x = static_cast<float>(i);
        t.observations.insert(t.observations.end(), {0.1f * x, 1 - 0.2f * x});
        t.actions.push_back(0.08f * x - 0.4f);
        t.returns_to_go.push_back(2 - 0.1f * x);
    }
    return t;
}

using Settings = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<algorithms::Recipe> recipe_with(const Settings& settings,
                                                const std::string& preset = "corl") {
    auto recipe = algorithms::make_recipe("dt");
    recipe->apply_preset(preset, "");
    const Settings small{{"context_length", "4"}, {"layers", "2"},      {"heads", "2"},
                         {"embedding_dim", "8"},  {"episode_len", "8"}, {"batch_size", "6"},
                         {"warmup_steps", "3"},   {"dropout", "0"},     {"learning_rate", "0.01"}};
    for (const auto& [name, value] : small) recipe->settings().set(name, value);
    for (const auto& [name, value] : settings) recipe->settings().set(name, value);
    return recipe;
}

struct DtRun {
    std::unique_ptr<algorithms::Recipe> recipe;
    std::unique_ptr<training::Session> session;

    explicit DtRun(const Settings& settings, const data::Transitions& data = episodes(),
                   DType real = DType::f32, int threads = 1, std::uint64_t seed = 3)
        : recipe(recipe_with(settings)) {
        training::SessionOptions options;
        options.threads = threads;
        options.seed = seed;
        options.real = real;
        if (real == DType::f64) options.isa = "portable";
        session = std::make_unique<training::Session>(*recipe, 2, 1, options);
        session->add_data(data);
        session->record_update();
    }

    double loss(std::int64_t k) { return session->metric(0, k).value(); }
};

// The window of rows [first, first + n) of episodes().
struct Rows {
    Floats observations, actions, returns_to_go;
    std::vector<std::int64_t> timesteps;

    Rows(std::size_t first, std::size_t n) {
        const data::Transitions t = episodes();
        for (std::size_t i = first; i < first + n; ++i) {
            observations.insert(observations.end(),
                                {t.observations[2 * i], t.observations[2 * i + 1]});
            actions.push_back(t.actions[i]);
            returns_to_go.push_back(t.returns_to_go[i]);
            timesteps.push_back(static_cast<std::int64_t>(i - first));
        }
    }
    training::Window window() const { return {observations, actions, returns_to_go, timesteps}; }
};

// The batch of windows that begin at the given rows, as numbers.
struct BatchValues {
    std::vector<double> observations, actions, returns_to_go, mask;
};

BatchValues batch_at(const std::vector<std::int64_t>& starts, const Settings& settings,
                     const std::string& preset, data::Transitions data) {
    const auto recipe = recipe_with(settings, preset);
    recipe->fit(2, 1);
    const Device device = Device::cpu(1);
    State state(device);
    const training::WindowColumns columns(state, std::move(data), recipe->windows().value());
    const auto n = static_cast<std::int64_t>(starts.size());
    const BufferId rows = state.add_buffer("starts", DType::i64, {1, n});
    std::copy(starts.begin(), starts.end(), static_cast<std::int64_t*>(state.buffer(rows).data));
    state.inject_stream("batch", rows);
    Graph g(state, {.eager = true});
    const algorithms::Batch b = columns.record(g, n);
    CHECK(b.timesteps.dtype() == DType::i64);
    CHECK(b.observations.shape() == Shape{n, kSteps, 2});
    return {g.read(b.observations), g.read(b.actions), g.read(b.returns_to_go), g.read(b.mask)};
}

void check_values(const std::vector<double>& got, const std::vector<double>& want) {
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(std::fabs(got[i] - want[i]) < 1e-6);
}

TEST_CASE("windows of preset corl: padding behind, zeros, masked") {
    // Begin at step 1 of the first episode, at the one-step episode, at step 2 of the last.
    const BatchValues b = batch_at({1, 3, 6}, {}, "corl", episodes());
    check_values(b.mask, {1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1});
    check_values(b.returns_to_go, {1.9, 1.8, 0, 0, 1.7, 0, 0, 0, 1.4, 1.3, 1.2, 1.1});
    check_values(b.actions, {-0.32, -0.24, 0, 0, -0.16, 0, 0, 0, 0.08, 0.16, 0.24, 0.32});
    check_values(b.observations, {0.1, 0.8, 0.2, 0.6, 0,   0,   0,   0,    0.3, 0.4,  0,   0,
                                  0,   0,   0,   0,   0.6, -.2, 0.7, -0.4, 0.8, -0.6, 0.9, -.8});
}

TEST_CASE("windows of preset paper: padding before, as the data say it, masked") {
    data::Transitions data = episodes();
    data.pad_observation = {-7, 7};
    data.pad_action = {-10};
    const BatchValues b = batch_at({1, 3, 6}, {}, "paper", data);
    check_values(b.mask, {0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1});
    check_values(b.returns_to_go, {0, 0, 1.9, 1.8, 0, 0, 0, 1.7, 1.4, 1.3, 1.2, 1.1});
    check_values(b.actions, {-10, -10, -0.32, -0.24, -10, -10, -10, -0.16, 0.08, 0.16, 0.24, 0.32});
    check_values(b.observations, {-7, 7, -7,  7,   0.1, 0.8, 0.2, 0.6,  -7,  7,    -7,  7,
                                  -7, 7, 0.3, 0.4, 0.6, -.2, 0.7, -0.4, 0.8, -0.6, 0.9, -.8});
}

TEST_CASE("a window begins at every step with the same probability") {
    // So an episode is chosen in proportion to its length: 3, 1 and 7 of 11.
    const auto recipe = recipe_with({});
    recipe->fit(2, 1);
    const Device device = Device::cpu(1);
    State state(device);
    const training::WindowColumns columns(state, episodes(), recipe->windows().value());
    Graph g(state, {.eager = true});
    const std::int64_t n = 44000;
    const std::vector<double> returns = g.read(columns.record(g, n).returns_to_go);
    std::vector<int> count(11, 0);
    for (std::size_t i = 0; i < returns.size(); i += kSteps) {
        ++count[static_cast<std::size_t>(std::lround((2 - returns[i]) * 10))];
    }
    for (const int c : count) CHECK(std::abs(c - 4000) < 250);  // four deviations
}

TEST_CASE("nothing of the future reaches an action") {
    for (const char* heads : {"1", "2"}) {
        DtRun run(Settings{{"heads", heads}});
        run.session->run(5);  // so that no weight is as small as its first value
        const Rows rows(4, kSteps);
        const Floats before = run.session->act_window(rows.window());
        REQUIRE(before.size() == kSteps);
        for (std::size_t step = 0; step < kSteps; ++step) {
            // Everything behind this step's observation, its own action included.
            Rows other = rows;
            for (std::size_t i = step; i < kSteps; ++i) {
                other.actions[i] = -other.actions[i] + 0.3f;
                if (i == step) continue;
                other.observations[2 * i] += 3;
                other.returns_to_go[i] -= 2;
                other.timesteps[i] += 3;
            }
            const Floats after = run.session->act_window(other.window());
            for (std::size_t i = 0; i <= step; ++i) CHECK(after[i] == before[i]);
            for (std::size_t i = step + 1; i < kSteps; ++i) CHECK(after[i] != before[i]);
        }
    }
}

TEST_CASE("an action sees its step's return and observation, and earlier actions") {
    DtRun run(Settings{});
    run.session->run(5);
    const Rows rows(4, kSteps);
    const Floats before = run.session->act_window(rows.window());
    Rows other = rows;
    other.returns_to_go[3] += 1;
    CHECK(run.session->act_window(other.window())[3] != before[3]);
    other = rows;
    other.actions[2] += 0.5f;
    CHECK(run.session->act_window(other.window())[3] != before[3]);
}

TEST_CASE("a shorter window gives the actions of a longer one's beginning") {
    DtRun run(Settings{});
    run.session->run(5);
    const Floats whole = run.session->act_window(Rows(4, kSteps).window());
    for (std::size_t n = 1; n < kSteps; ++n) {
        const Floats part = run.session->act_window(Rows(4, n).window());
        REQUIRE(part.size() == n);
        for (std::size_t i = 0; i < n; ++i) CHECK(part[i] == whole[i]);
    }
    CHECK(contains(error_of([&] { run.session->act_window(Rows(4, 5).window()); }),
                   "expected a window of 1 to 4 steps"));
}

TEST_CASE("what padding shows changes no loss and no parameter") {
    for (const char* padding : {"left", "right"}) {
        for (const char* mean : {"valid", "all"}) {
            CAPTURE(padding);
            CAPTURE(mean);
            const Settings settings{{"padding", padding}, {"loss_mean", mean}};
            data::Transitions data = episodes();
            DtRun plain(settings, data, DType::f64);
            data.pad_observation = {5, -3};
            data.pad_action = {-10};
            DtRun other(settings, data, DType::f64);
            plain.session->run(8);
            other.session->run(8);
            for (std::int64_t k = 0; k < 8; ++k) CHECK(plain.loss(k) == other.loss(k));
            ParameterGroup& a = plain.session->state().groups()[0];
            ParameterGroup& b = other.session->state().groups()[0];
            for (int i = 0; i < a.count(); ++i) {
                CHECK_MESSAGE(a.read(i) == b.read(i), a.spec(i).name);
            }
        }
    }
}

TEST_CASE("the mean over all steps is that over the valid ones, scaled") {
    // With a learning rate of 0 both see the same network and the same batches.
    DtRun valid({{"loss_mean", "valid"}, {"learning_rate", "0"}}, episodes(), DType::f64);
    DtRun all({{"loss_mean", "all"}, {"learning_rate", "0"}}, episodes(), DType::f64);
    valid.session->run(20);
    all.session->run(20);
    bool padded = false;
    for (std::int64_t k = 0; k < 20; ++k) {
        const double steps = 24 * all.loss(k) / valid.loss(k);  // of 6 windows of 4
        CHECK(std::fabs(steps - std::round(steps)) < 1e-9);
        CHECK(steps <= 24 + 1e-9);
        padded = padded || steps < 23;
    }
    CHECK(padded);
}

TEST_CASE("dropout: the same masks for the same seed, others for another, none when acting") {
    const Settings settings{{"dropout", "0.3"}};
    const auto run_of = [&](std::uint64_t seed) {
        DtRun run(settings, episodes(), DType::f32, 1, seed);
        run.session->run(6);
        std::vector<double> losses;
        for (std::int64_t k = 0; k < 6; ++k) losses.push_back(run.loss(k));
        return losses;
    };
    CHECK(run_of(3) == run_of(3));
    CHECK(run_of(3) != run_of(4));
    DtRun without(Settings{}), with(settings);
    without.session->run(1);
    with.session->run(1);
    CHECK(without.loss(0) != with.loss(0));
    const Rows rows(4, kSteps);
    CHECK(with.session->act_window(rows.window()) == with.session->act_window(rows.window()));
}

TEST_CASE("each of the three rates drops something of its own") {
    const auto loss_with = [&](const Settings& settings) {
        DtRun run(settings, episodes(), DType::f64);
        run.session->run(1);
        return run.loss(0);
    };
    const double none = loss_with({});
    const double embedding = loss_with({{"embedding_dropout", "0.3"}});
    const double attention = loss_with({{"attention_dropout", "0.3"}});
    const double residual = loss_with({{"residual_dropout", "0.3"}});
    CHECK(embedding != none);
    CHECK(attention != none);
    CHECK(residual != none);
    CHECK(loss_with({{"dropout", "0.3"}, {"embedding_dropout", "0"}, {"residual_dropout", "0"}}) ==
          attention);
}

TEST_CASE("Decision Transformer on one thread and on several gives the same bits") {
    const auto after = [](int threads) {
        DtRun run(Settings{{"dropout", "0.2"}}, episodes(), DType::f32, threads);
        run.session->run(20);
        return testing::state_bytes(run.session->state());
    };
    const auto one = after(1);
    CHECK(one == after(2));
    CHECK(one == after(3));
}

TEST_CASE("sessions that share windows give the bits of sessions that do not") {
    DtRun owner(Settings{{"dropout", "0.2"}});
    DtRun alone(Settings{{"dropout", "0.2"}}, episodes(), DType::f32, 1, 5);
    training::SessionOptions options;
    options.threads = 1;
    options.seed = 5;
    training::Session shared(*owner.recipe, 2, 1, options);
    shared.share_data(*owner.session);
    shared.record_update();
    owner.session->run(4);
    shared.run(10);
    alone.session->run(10);
    CHECK(testing::state_bytes(shared.state()) == testing::state_bytes(alone.session->state()));
}

TEST_CASE("episodes shorter than the context train") {
    for (const char* preset : {"corl", "paper", "tutorial"}) {
        const auto recipe = recipe_with({{"context_length", "20"}, {"loss_mean", "valid"}}, preset);
        training::SessionOptions options;
        options.threads = 1;
        training::Session session(*recipe, 2, 1, options);
        session.add_data(episodes());
        session.record_update();
        session.run(120);
        const double first = session.metric(0, 0).value(), last = session.metric(0, 119).value();
        CHECK_MESSAGE(last < 0.5 * first, preset);
    }
}

TEST_CASE("episodes that do not cover the rows are refused") {
    data::Transitions t = episodes();
    t.episode_offsets = {0, 3, 3, 11};
    CHECK(
        contains(error_of([&] { DtRun(Settings{}, t); }), "expected episode offsets that ascend"));
}

TEST_CASE("a Decision Transformer does not act on single observations, nor others on windows") {
    DtRun run(Settings{});
    CHECK(contains(error_of([&] { run.session->act(Floats{0, 0}); }), "expected windows"));
    testing::SmallRun iql;
    CHECK(contains(error_of([&] { iql.session->act_window(Rows(4, 1).window()); }),
                   "reads no windows"));
}

TEST_CASE("the data of a Decision Transformer: complete episodes, padding and the two statistics") {
    data::Dataset d;
    d.rows = 5;
    d.observation_size = 1;
    d.action_size = 1;
    d.observations = {1, 3, 5, 7, 100};
    d.actions = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f};
    d.rewards = {1, 2, 3, 4, 5};
    d.terminals = {0, 1, 0, 0, 0};
    d.timeouts = {0, 0, 0, 1, 0};
    const auto prepared = [&](const std::string& preset) {
        const auto recipe = algorithms::make_recipe("dt");
        recipe->apply_preset(preset, "");
        return training::prepare_training_data(d, *recipe, nullptr);
    };
    const training::TrainingData corl = prepared("corl"), paper = prepared("paper");
    CHECK(corl.transitions.count == 4);
    CHECK(corl.sequences->dropped_rows == 1);
    CHECK(corl.sequences->highest_return == 7);
    CHECK(std::fabs(corl.transitions.returns_to_go[0] - 0.003f) < 1e-9f);
    CHECK(std::fabs(corl.normalizer.mean[0] - 23.2f) < 1e-4f);  // of all five rows
    CHECK(corl.transitions.pad_observation == Floats{0});
    CHECK(corl.transitions.pad_action == Floats{0});
    CHECK(std::fabs(paper.normalizer.mean[0] - 4) < 1e-6f);  // of four
    const double deviation = std::sqrt(5.0);
    CHECK(std::fabs(paper.transitions.pad_observation[0] + 4 / deviation) < 1e-5);
    CHECK(paper.transitions.pad_action == Floats{-10});
    const float want = static_cast<float>(1 + 0.99 * 2) / 1000;
    CHECK(std::fabs(prepared("tutorial").transitions.returns_to_go[0] - want) < 1e-8f);
}

TEST_CASE("target returns are numbers with commas between them") {
    for (const char* wrong : {"3600,", "a", "1,,2", "inf", ",1", "1 2"}) {
        const auto recipe = recipe_with({{"target_returns", wrong}});
        CHECK(contains(error_of([&] { recipe->fit(2, 1); }), "expected target_returns"));
    }
    const auto recipe = recipe_with({{"target_returns", "3600,-1.5"}});
    training::SessionOptions options;
    options.threads = 1;
    training::Session session(*recipe, 2, 1, options);
    CHECK(session.algorithm().policy().target_returns == std::vector<double>{3600, -1.5});
    CHECK(session.algorithm().policy().kind == "decision_transformer");
}

TEST_CASE("CORL's Decision Transformer is reproduced in fp32 and in fp64") {
    for (const char* path :
         {DRYDOCK_TRACES "/dt.safetensors", DRYDOCK_TRACES "/dt_max_action.safetensors"}) {
        for (const char* isa : {"", "portable"}) {
            training::TraceOptions options;
            options.isa = isa;
            const training::TraceReport report = training::verify_trace(std::string(path), options);
            CHECK(report.algorithm == "dt");
            CHECK(report.passed);
            CHECK(report.ignored.empty());
            REQUIRE(report.replays.size() == 2);
            const bool large = contains(path, "dt.safe");
            for (const auto& replay : report.replays) {
                CHECK(replay.metrics.size() == 1);
                CHECK(replay.parameters.size() == (large ? 37 : 25));
            }
        }
    }
}

TEST_CASE("every changed setting of a trace of Decision Transformer is caught") {
    const TensorFile trace = read_tensor_file(DRYDOCK_TRACES "/dt.safetensors");
    const std::pair<const char*, const char*> changes[] = {
        {R"("heads": 2)", R"("heads": 1)"},
        {R"("activation": "gelu")", R"("activation": "relu")"},
        {R"("layer_norm_epsilon": 1e-05)", R"("layer_norm_epsilon": 0.003)"},
        {R"("loss_mean": "all")", R"("loss_mean": "valid")"},
        {R"("weight_decay": 0.0001)", R"("weight_decay": 0.01)"},
        {R"("gradient_clip": 0.05)", R"("gradient_clip": 0.25)"},
        {R"("learning_rate": 0.001)", R"("learning_rate": 0.00101)"},
        {R"("warmup_steps": 10)", R"("warmup_steps": 11)"},
        {R"("max_action": 1.0)", R"("max_action": 1.1)"},
        {R"("dropout": 0.0)", R"("dropout": 0.1)"}};
    for (const auto& [from, to] : changes) {
        TensorFile changed = trace;
        std::string& text = changed.metadata["hyperparameters"];
        const std::size_t at = text.find(from);
        REQUIRE_MESSAGE(at != std::string::npos, from);
        text.replace(at, std::string(from).size(), to);
        CHECK_MESSAGE(!training::verify_trace(changed).passed, to);
    }
    // Steps know their time and padding is masked: where it stands changes nothing.
    TensorFile left = trace;
    std::string& text = left.metadata["hyperparameters"];
    const std::size_t at = text.find(R"("padding": "right")");
    REQUIRE(at != std::string::npos);
    text.replace(at, 18, R"("padding": "left")");
    CHECK(training::verify_trace(left).passed);
}

TEST_CASE("windows outside their episode, and other batches, are refused in a trace") {
    const TensorFile trace = read_tensor_file(DRYDOCK_TRACES "/dt.safetensors");
    const auto with = [&](const std::string& name, std::int64_t value) {
        TensorFile changed = trace;
        std::vector<std::int64_t> numbers = trace.tensor(name).i64(name);
        numbers[0] = value;
        changed.tensors[name] =
            TensorData::of(trace.tensor(name).shape, std::span<const std::int64_t>(numbers));
        return error_of([&] { training::verify_trace(changed); });
    };
    CHECK(contains(with("batch/start", 1000), "expected batch/start in [0, "));
    CHECK(contains(with("batch/episode", -1), "expected batch/episode in [0, "));
    CHECK(contains(with("data/episode_offsets", 1), "expected data/episode_offsets to ascend"));
    TensorFile changed = trace;
    changed.tensors.erase("batch/start");
    CHECK(contains(error_of([&] { training::verify_trace(changed); }), "batch/start"));
}

}  // namespace
}  // namespace drydock

// Runs that start from an offline checkpoint and collect online.
#include "training/finetune.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/same_run.h"
#include "tests/training/support.h"
#include "training/config.h"
#include "training/run_tables.h"
#include "training/seeds.h"

namespace drydock {
namespace {

namespace fs = std::filesystem;
using testing::check_same_run;
using testing::contains;
using testing::error_of;
using training::TrainCallbacks;
using training::TrainOptions;
using training::TrainResult;

constexpr const char* kCqlLayers = R"({"q1": [4, 16, 1], "q2": [4, 16, 1], "actor": [3, 16, 2]})";

// An offline run to start from.
struct Workplace {
    testing::TemporaryFolder folder;
    std::string dataset = folder.file("pendulum-random-v0.hdf5");
    std::string offline = folder.file("offline");
    TrainOptions options;

    using Settings = std::vector<std::pair<std::string, std::string>>;
    explicit Workplace(const std::string& algorithm = "iql", const Settings& settings = {}) {
        data::write_d4rl(dataset, testing::pendulum_data());
        TrainOptions first = testing::small_options(dataset, offline);
        first.algorithm = algorithm;
        if (algorithm == "cql") {
            first.settings[1].second = kCqlLayers;
            first.settings.emplace_back("n_actions", "3");
        }
        first.settings.insert(first.settings.end(), settings.begin(), settings.end());
        training::train(first);
        options = first;
        options.dataset = options.environment = "";
        options.settings.clear();
        options.finetune = offline;
        options.online_steps = 250;  // an episode of the pendulum has 200
        options.checkpoint_every = 50;
        options.evaluate_every = 125;
        options.log_every = 50;
        options.out = folder.file("online");
    }

    std::string file(const char* name) const { return options.out + "/" + name; }
    TensorFile checkpoint() const { return read_tensor_file(file("checkpoint.safetensors")); }

    void train_until(std::int64_t step) {
        std::atomic<bool> stop{false};
        TrainCallbacks callbacks;
        callbacks.stop = &stop;
        callbacks.report_seconds = 0;  // every update
        callbacks.progress = [&](const training::Progress& p) { stop = p.step >= step; };
        CHECK(training::train(options, callbacks).stopped);
    }
};

// Parts of a fine-tuning run that has not begun.
training::RunParts parts_of(const TrainOptions& options) {
    return training::begin_run(
        options, [](const std::string&) {}, nullptr);
}

TEST_CASE("fine-tuning takes over parameters, targets and moments exactly, at update 0") {
    for (const char* algorithm : {"iql", "cql"}) {
        CAPTURE(algorithm);
        Workplace w(algorithm);
        w.options.seed = 3;
        training::RunParts parts = parts_of(w.options);
        const TensorFile was = read_tensor_file(w.offline + "/checkpoint.safetensors");
        CHECK(parts.session->step() == 0);
        CHECK(parts.session->state().counters().seed == 3);
        const std::string path = w.folder.file("again");
        training::save_checkpoint(path, parts.session->state(), {});
        TensorFile now = read_tensor_file(path);
        int compared = 0;
        for (const auto& [name, tensor] : now.tensors) {
            if (name.starts_with("counters/")) continue;
            const std::string& tested = name;  // clang 14 captures no structured binding
            CHECK_MESSAGE(tensor.bytes == was.tensor(name).bytes, tested);
            ++compared;
        }
        CHECK(compared > 20);
        // What the offline run's config says holds, its schedules and warm-up excepted.
        CHECK(parts.recipe->settings().get("batch_size") == "16");
        CHECK(parts.recipe->settings().get("actor_learning_rate_schedule") == "constant");
        CHECK(parts.options.dataset == w.dataset);
        CHECK(parts.options.environment == "pendulum");
    }
}

TEST_CASE("each online step adds one row, normalised and mapped as the data are") {
    Workplace w("iql", {{"reward_transform", "minus_one"}});
    w.options.settings = {{"updates_per_online_step", "2"}};
    training::RunParts parts = parts_of(w.options);
    training::Session& session = *parts.session;
    const std::int64_t offline = session.rows();
    parts.online->run(2 * 205);
    CHECK(session.step() == 410);
    CHECK(session.rows() == offline + 205);
    CHECK(parts.online->episodes() == 1);
    const data::Transitions t = session.rows_from(offline);
    const data::Normalizer& n = parts.data.normalizer;
    bool varied = false;
    for (std::size_t i = 0; i < 205; ++i) {
        // The first two observations are a cosine and a sine.
        const auto raw = [&](std::size_t j) {
            return double{t.observations[3 * i + j]} * n.std[j] + n.mean[j];
        };
        CHECK(raw(0) * raw(0) + raw(1) * raw(1) == doctest::Approx(1).epsilon(1e-4));
        CHECK(std::abs(t.actions[i]) <= 1);
        CHECK(t.rewards[i] <= -1);   // a pendulum's are at most 0
        CHECK(t.terminals[i] == 0);  // it has a time limit alone
        varied = varied || t.actions[i] != t.actions[0];
        if (i == 199 || i == 204) continue;
        for (std::size_t j = 0; j < 3; ++j) {
            CHECK(t.next_observations[3 * i + j] == t.observations[3 * (i + 1) + j]);
        }
    }
    CHECK(varied);
    CHECK(t.next_observations[3 * 199] != t.observations[3 * 200]);  // a new episode
}

TEST_CASE("a batch has the offline share that mixing_ratio asks for, and reaches the new rows") {
    Workplace w;
    for (const auto& [asked, share] : {std::pair("0.25", 4), {"0.3", 4}, {"0", 0}, {"1", 16}}) {
        const char* ratio = asked;
        CAPTURE(ratio);
        w.options.out = w.folder.file(std::string("mix") + ratio);
        w.options.settings = {{"mixing_ratio", ratio}};
        training::RunParts parts = parts_of(w.options);
        const std::int64_t offline = parts.session->rows();
        std::vector<bool> seen(20);
        for (std::int64_t k = 1; k <= 20; ++k) {
            parts.online->run(1);
            const std::span<std::int64_t> rows = parts.session->batch_rows();
            REQUIRE(rows.size() == 16);
            std::int64_t old = 0;
            for (const std::int64_t row : rows) {
                CHECK(row >= 0);
                CHECK(row < offline + k);
                if (row < offline) ++old;
                if (row >= offline) seen[static_cast<std::size_t>(row - offline)] = true;
            }
            CHECK(old == share);
        }
        if (share < 16) CHECK(std::count(seen.begin(), seen.end(), true) > 12);
    }
}

TEST_CASE("without a mixing_ratio the rows of one buffer are drawn alike, the new ones too") {
    Workplace w;
    training::RunParts a = parts_of(w.options);
    w.options.out = w.folder.file("second");
    training::RunParts b = parts_of(w.options);
    a.online->run(100);
    b.online->run(100);
    CHECK(testing::state_bytes(a.session->state()) == testing::state_bytes(b.session->state()));
    // Spoiled new rows show in the parameters once a batch has one of them.
    const std::vector<float> wrong(3, 5.0f), action(1, 1.0f);
    for (int i = 0; i < 100; ++i) a.session->append({wrong, action, wrong, 9.0f, 1.0f});
    for (int i = 0; i < 100; ++i) b.session->append({wrong, action, wrong, -9.0f, 1.0f});
    a.session->run(5);
    b.session->run(5);
    CHECK(testing::state_bytes(a.session->state()) != testing::state_bytes(b.session->state()));
}

TEST_CASE("there is room for the planned steps and no more") {
    Workplace w;
    w.options.online_steps = 3;
    training::RunParts parts = parts_of(w.options);
    parts.online->run(3);
    CHECK(contains(error_of([&] { parts.online->run(1); }), "expected room"));
}

TEST_CASE("the run folder has the offline score first, and says where the run came from") {
    Workplace w;
    const TrainResult result = training::train(w.options);
    CHECK(result.steps == 250);
    const auto rows = training::read_rows(w.file("evaluations.csv"));
    REQUIRE(rows.size() == 6);  // two episodes after 0, 125 and 250 updates
    CHECK(rows[0].starts_with("0,0,"));
    // The policy before the first step is the offline run's.
    const auto offline = training::read_rows(w.offline + "/evaluations.csv");
    CHECK(rows[0].substr(1) == offline[2].substr(2));
    const auto json = nlohmann::json::parse(read_bytes(w.file("result.json")));
    CHECK(json["finetuned_from"] == w.offline);
    CHECK(json["online_steps"] == 250);
    CHECK(json["online_episodes"] == 1);
    // The config alone runs it again.
    TrainOptions again = training::read_config(w.file("config.toml"));
    CHECK(again.finetune == w.offline);
    CHECK(again.online_steps == 250);
    again.out = w.folder.file("again");
    training::train(again);
    check_same_run(w.options.out, again.out);
}

TEST_CASE("the same seed collects the same data on any number of threads, another does not") {
    Workplace w("cql");
    w.options.settings = {{"mixing_ratio", "0.5"}};
    training::train(w.options);
    const auto tensors = w.checkpoint().tensors;
    w.options.out = w.folder.file("threads");
    w.options.threads = 2;
    training::train(w.options);
    for (const auto& [name, tensor] : w.checkpoint().tensors) {
        const std::string& tested = name;
        CHECK_MESSAGE(tensor.bytes == tensors.at(name).bytes, tested);
    }
    w.options.out = w.folder.file("seed");
    w.options.seed = 1;
    training::train(w.options);
    CHECK(w.checkpoint().tensor("run/online/actions").bytes !=
          tensors.at("run/online/actions").bytes);
}

TEST_CASE("a fine-tuning run that is stopped goes on to the bits of one that was not") {
    // At 399 the first episode has ended, and metrics.csv has no row of it yet.
    for (const std::int64_t stop : {1, 77, 200, 201, 249, 399}) {
        CAPTURE(stop);
        Workplace w;
        w.options.settings = {{"mixing_ratio", stop == 77 ? "0.5" : "null"},
                              {"updates_per_online_step", "2"},
                              {"deterministic_policy", "false"}};
        w.options.online_steps = 215;
        TrainOptions whole = w.options;
        whole.out = w.folder.file("whole");
        training::train(whole);
        w.train_until(stop);
        fs::rename(w.offline, w.folder.file("gone"));  // which the run no longer needs
        CHECK(!training::resume({w.options.out, {}, {}, {}}).stopped);
        check_same_run(w.options.out, whole.out);
    }
}

TEST_CASE("metrics.csv and the reports have the return of the episodes that were collected") {
    Workplace w("iql", {{"reward_transform", "minus_one"}});
    std::vector<training::Progress> reports;
    TrainCallbacks callbacks;
    callbacks.report_seconds = 0;
    callbacks.progress = [&](const training::Progress& p) { reports.push_back(p); };
    training::train(w.options, callbacks);
    // Row by row of the checkpoint, in the environment's units; the first episode has 200 steps.
    double wanted = 200;
    const std::vector<double> rewards = w.checkpoint().tensor("run/online/rewards").to_f64();
    for (std::size_t i = 0; i < 200; ++i) wanted += rewards[i];
    const auto text = read_bytes(w.file("metrics.csv"));
    const std::string_view table(reinterpret_cast<const char*>(text.data()), text.size());
    CHECK(table.substr(0, table.find('\n')).ends_with(",online_return,online_score"));
    const auto rows = training::read_rows(w.file("metrics.csv"));
    REQUIRE(rows.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
        CAPTURE(rows[i]);
        CHECK(rows[i].ends_with(",,") == (i != 3));  // at 50, 100, 150, 200 and 250
    }
    const std::size_t last = rows[3].rfind(','), before = rows[3].rfind(',', last - 1);
    const double mean = std::stod(rows[3].substr(before + 1));
    CHECK(mean == doctest::Approx(wanted).epsilon(1e-5));
    const auto score = envs::normalized_score(envs::make_environment("pendulum")->info(), mean);
    CHECK(std::stod(rows[3].substr(last + 1)) == doctest::Approx(*score).epsilon(1e-6));
    for (const training::Progress& p : reports) {
        CHECK(p.online_return.has_value() == (p.step >= 200));
        if (p.online_return) CHECK(*p.online_score == doctest::Approx(*score).epsilon(1e-6));
    }
}

TEST_CASE("a fine-tuning run can be made longer, and collects further") {
    Workplace w;
    w.options.online_steps = 60;
    training::train(w.options);
    CHECK(training::resume({w.options.out, 100, {}, {}}).steps == 100);
    CHECK(w.checkpoint().tensor("run/online/rewards").shape[0] == 100);
    CHECK(training::read_config(w.file("config.toml")).online_steps == 100);
}

TEST_CASE("a damaged record of the collection is refused") {
    Workplace w;
    w.options.online_steps = 60;
    training::train(w.options);
    const TensorFile whole = w.checkpoint();
    const auto with = [&](const std::function<void(TensorFile&)>& damage) {
        TensorFile file = whole;
        damage(file);
        write_tensor_file(w.file("checkpoint.safetensors"), file);
        return error_of([&] { training::resume({w.options.out, 80, {}, {}}); });
    };
    CHECK(contains(with([](TensorFile& f) { f.tensors.erase("run/online/place"); }), "60 online"));
    CHECK(contains(with([](TensorFile& f) { f.tensors.erase("run/online/rewards"); }),
                   "'run/online/rewards'"));
    CHECK(contains(with([](TensorFile& f) {
                       f.tensors["run/online/ended"] = f.tensors["run/online/rewards"];
                   }),
                   "2 numbers in 'run/online/ended'"));
    const std::vector<std::int64_t> far{60, 0, 61};
    CHECK(contains(with([&](TensorFile& f) {
                       f.tensors["run/online/place"] =
                           TensorData::of({3}, std::span<const std::int64_t>(far));
                   }),
                   "is damaged"));
    // Another world than the one that was collected in: a new episode, and a notice.
    std::string said;
    TensorFile file = whole;
    auto& bytes = file.tensors["run/online/next_observations"].bytes;
    bytes[bytes.size() - 2] ^= std::byte{0x10};
    write_tensor_file(w.file("checkpoint.safetensors"), file);
    TrainCallbacks callbacks;
    callbacks.notice = [&](const std::string& text) { said += text + "\n"; };
    CHECK(training::resume({w.options.out, 80, {}, {}}, callbacks).steps == 80);
    CHECK(contains(said, "did not play the episode again"));
}

TEST_CASE("calls that cannot be fine-tuned say why, and leave nothing behind") {
    Workplace w;
    std::string said;
    const auto refused = [&](const std::function<void(TrainOptions&)>& change) {
        said.clear();
        TrainOptions options = w.options;
        change(options);
        TrainCallbacks callbacks;  // the command prints the run's heading with the first notice
        callbacks.notice = [&](const std::string& text) { said += text + "\n"; };
        std::string text = error_of([&] { training::train(options, callbacks); });
        CHECK_FALSE(fs::exists(w.options.out));
        return text;
    };
    for (const char* algorithm : {"bc", "dt", "td3bc", "discrete-cql"}) {
        const std::string text = fmt::format("(iql, cql), got {}, which cannot", algorithm);
        CHECK(contains(refused([&](TrainOptions& o) { o.algorithm = algorithm; }), text));
        // And not that --finetune is missing, which would be in vain.
        CHECK(contains(refused([&](TrainOptions& o) {
                           o.algorithm = algorithm;
                           o.finetune = "";
                       }),
                       text));
    }
    CHECK(contains(refused([](TrainOptions& o) { o.algorithm = "cql"; }), "got one of iql"));
    CHECK(contains(refused([](TrainOptions& o) { o.finetune = "/nowhere"; }), "no config.toml"));
    CHECK(contains(refused([](TrainOptions& o) { o.online_steps = 0; }), "--online-steps"));
    CHECK(contains(refused([](TrainOptions& o) { o.finetune = ""; }), "--finetune DIR"));
    CHECK(contains(refused([](TrainOptions& o) { o.preset = "paper"; }), "--preset"));
    CHECK(contains(refused([](TrainOptions& o) { o.environment = "cartpole"; }),
                   "the environment of the offline run, pendulum"));
    CHECK(said.empty());
    CHECK(contains(refused([](TrainOptions& o) {
                       o.settings = {{"layer_sizes",
                                      R"({"q1": [4, 8, 1], "q2": [4, 8, 1], "v": [3, 8, 1], )"
                                      R"("actor": [3, 8, 1]})"}};
                   }),
                   "[checkpoint]"));
    CHECK(contains(refused([](TrainOptions& o) {
                       o.settings = {{"mixing_ratio", "1.5"}};
                   }),
                   "mixing_ratio"));
    CHECK(contains(error_of([&] {
                       TrainOptions options = w.options;
                       options.out = w.offline;
                       options.overwrite = true;
                       training::train(options);
                   }),
                   "another folder"));
    CHECK(contains(refused([](TrainOptions& o) {
                       o.settings = {{"normalize_observations", "false"}};
                   }),
                   "normalised as in the offline run"));
    CHECK(contains(refused([](TrainOptions& o) {
                       o.settings = {{"reward_transform", "minus_one"}};
                   }),
                   "reward_transform=none as in the offline run"));
    fs::create_directories(w.folder.file("several"));
    fs::copy(w.offline, w.folder.file("several/seed-4"), fs::copy_options::recursive);
    CHECK(contains(refused([&](TrainOptions& o) { o.finetune = w.folder.file("several"); }),
                   "several/seed-4'"));
    CHECK(contains(error_of([&] { training::train_seeds(w.options, 2); }), "one seed"));
}

// The pendulum's data with one number changed.
enum class Change { reward, observation };
void write_changed(const std::string& path, Change change) {
    data::Dataset changed = testing::pendulum_data();
    (change == Change::reward ? changed.rewards : changed.observations)[0] -= 0.5f;
    data::write_d4rl(path, changed);
}

TEST_CASE("the offline run's data are found, in another place too, and missed where they are not") {
    Workplace w;
    w.options.online_steps = 5;
    const std::string moved = w.folder.file("moved.hdf5");
    fs::rename(w.dataset, moved);
    const std::string text = error_of([&] { training::train(w.options); });
    CHECK(contains(text, w.dataset));
    CHECK(contains(text, "give --dataset FILE"));
    CHECK_FALSE(fs::exists(w.options.out));
    w.options.dataset = moved;
    CHECK(training::train(w.options).steps == 5);
    // A file of that name, but not of that content.
    write_changed(w.dataset, Change::reward);
    w.options.dataset = "";
    w.options.out = w.folder.file("other");
    CHECK(contains(error_of([&] { training::train(w.options); }), "the file has changed"));
}

TEST_CASE("other data are taken where observations and rewards have the same units, else refused") {
    const auto with = [](const Workplace::Settings& settings, Change change) {
        Workplace w("iql", settings);
        w.options.online_steps = 5;
        w.options.dataset = w.folder.file("other.hdf5");
        write_changed(w.options.dataset, change);
        std::string said;
        TrainCallbacks callbacks;
        callbacks.notice = [&](const std::string& text) { said += text + "\n"; };
        std::string text = error_of([&] { training::train(w.options, callbacks); });
        CHECK(fs::exists(w.options.out) == text.empty());
        if (!text.empty()) return text;
        CHECK(training::resume({w.options.out, 7, {}, {}}).steps == 7);
        return said;
    };
    CHECK(contains(with({}, Change::observation), "normalised by that file"));
    CHECK(contains(with({{"normalize_observations", "false"}}, Change::observation),
                   "are not the offline run's"));
    CHECK(contains(with({}, Change::reward), "are not the offline run's"));
    CHECK(contains(with({{"reward_transform", "return_range"}}, Change::reward),
                   "divides by the returns"));
}

TEST_CASE("a run that was fine-tuned can be fine-tuned, and is told what stays behind") {
    Workplace w;
    w.options.online_steps = 20;
    training::train(w.options);
    w.options.finetune = w.options.out;
    w.options.out = w.folder.file("further");
    std::string said;
    TrainCallbacks callbacks;
    callbacks.notice = [&](const std::string& text) { said += text + "\n"; };
    CHECK(training::train(w.options, callbacks).steps == 20);
    CHECK(contains(said, "stays behind"));
    CHECK(w.checkpoint().tensor("run/online/rewards").shape[0] == 20);
}

TEST_CASE("an offline run without an environment needs one to collect in") {
    Workplace w;
    TrainOptions first = testing::small_options(w.dataset, w.folder.file("blind"));
    first.environment = "";
    first.settings.emplace_back("max_action", "2");
    training::train(first);
    TrainOptions wide = first;  // whose policy says 1 where the environment shall do 4
    wide.out = w.folder.file("wide");
    wide.settings.back().second = "4";
    training::train(wide);
    w.options.finetune = wide.out;
    w.options.environment = "pendulum";
    CHECK(contains(error_of([&] { training::train(w.options); }), "expected actions from [-4]"));
    w.options.environment = "";
    w.options.finetune = first.out;
    CHECK(contains(error_of([&] { training::train(w.options); }), "--environment NAME"));
    w.options.environment = "pendulum";
    w.options.online_steps = 5;
    CHECK(training::train(w.options).steps == 5);
}

}  // namespace
}  // namespace drydock

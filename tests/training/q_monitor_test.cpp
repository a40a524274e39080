#include "training/q_monitor.h"

#include <doctest/doctest.h>

#include <cmath>

#include "data/d4rl.h"
#include "tests/training/support.h"
#include "training/run_tables.h"

namespace drydock {
namespace {

using testing::contains;
using testing::kSmallLayers;
using training::Evaluation;
using training::QMonitor;
using training::RunParts;

struct Workplace {
    testing::TemporaryFolder folder;
    training::TrainOptions options =
        testing::small_options(folder.file("pendulum-random-v0.hdf5"), folder.file("run"));

    Workplace() { data::write_d4rl(options.dataset, testing::pendulum_data()); }
    RunParts parts() {
        return training::begin_run(
            options, [](const std::string&) {}, nullptr);
    }
};

// Episodes of these discounted returns.
Evaluation evaluation(const std::vector<double>& returns) {
    Evaluation e;
    for (const double r : returns) {
        training::EpisodeResult episode;
        episode.discounted_return = r;
        episode.length = 200;
        e.episodes.push_back(episode);
    }
    return e;
}

TEST_CASE("the critics' expectation is theirs at the policy's actions where episodes begin") {
    Workplace w;
    const RunParts parts = w.parts();
    QMonitor monitor(parts);
    REQUIRE(monitor.active());
    CHECK(monitor.row() == ",,");
    monitor.predict();
    // By hand: the first observations, normalised, through the policy and both critics.
    training::Session& session = *parts.session;
    std::vector<float> start(3);
    double sum = 0;
    for (std::uint64_t i = 0; i < 16; ++i) {
        parts.environment->reset(w.options.seed, i, start);
        parts.data.normalizer.apply(start);
        std::vector<float> pair = start;
        pair.push_back(session.act(start)[0]);
        double q[2];
        for (int k = 0; k < 2; ++k) {
            std::vector<double> x(pair.begin(), pair.end());
            const std::string name = k == 0 ? "q1.layers." : "q2.layers.";
            for (int layer = 0; layer < 3; ++layer) {
                const auto read = [&](const char* part) {
                    const auto p = training::find_parameter(session.state(),
                                                            name + std::to_string(layer) + part);
                    return p->group->read(p->index);
                };
                std::vector<double> weight = read(".weight"), y = read(".bias");
                for (std::size_t o = 0; o < y.size(); ++o) {
                    for (std::size_t j = 0; j < x.size(); ++j)
                        y[o] += weight[o * x.size() + j] * x[j];
                    if (layer < 2) y[o] = std::max(y[o], 0.0);
                }
                x = y;
            }
            q[k] = x[0];
        }
        sum += std::min(q[0], q[1]);
    }
    CHECK(*monitor.predicted() == doctest::Approx(sum / 16).epsilon(1e-5));
}

TEST_CASE("returns are compared in the units that the critics are trained in") {
    Workplace w;
    w.options.settings.emplace_back("reward_transform", "minus_one");
    w.options.settings.emplace_back("discount", "0.9");
    const RunParts parts = w.parts();
    QMonitor monitor(parts);
    CHECK(monitor.discount() == 0.9);
    monitor.note(evaluation({-3, -5}));
    // -1 in each of 200 steps, discounted, on top.
    CHECK(*monitor.observed() == doctest::Approx(-4 - (1 - std::pow(0.9, 200)) / 0.1));
}

TEST_CASE("one warning is given when both part, and another when they part again") {
    Workplace w;
    const RunParts parts = w.parts();
    QMonitor monitor(parts);
    CHECK_FALSE(monitor.warning());
    monitor.predict();
    const double q = *monitor.predicted();
    const double size = std::fabs(q);
    REQUIRE(size > 0);
    const auto gap_of = [&](double observed) {
        monitor.note(evaluation({observed, observed}));
        return monitor.warning().value_or("");
    };
    CHECK(gap_of(3 * q).empty());    // not further apart than its size
    CHECK(gap_of(1.6 * q).empty());  // and closer
    const std::string text = gap_of(0.1 * size);
    CHECK(contains(text, "the critics expect"));
    CHECK(gap_of(0.1 * size).empty());  // once
}

TEST_CASE("which way they parted is said, for returns of either sign") {
    Workplace w;
    const RunParts parts = w.parts();
    for (const double sign : {1.0, -1.0}) {
        for (const double share : {0.1, -0.1}) {
            CAPTURE(sign);
            CAPTURE(share);
            QMonitor monitor(parts);
            monitor.predict();
            const double q = *monitor.predicted();
            const double observed = sign * share * std::fabs(q);
            monitor.note(evaluation({observed, observed}));
            const std::string text = monitor.warning().value_or("");
            CHECK(contains(text, q > observed ? "overestimate" : "underestimate"));
            CHECK(contains(text, "discounted by 0.99"));
            CHECK_FALSE(monitor.warning());
            monitor.note(evaluation({-2 * q, 2 * q}));  // says little: within three deviations
            CHECK_FALSE(monitor.warning());
            monitor.note(evaluation({observed, observed}));
            CHECK(monitor.warning());
        }
    }
}

// Makes the critics expect `q` everywhere, an update later than they were asked last.
void expect_everywhere(const RunParts& parts, QMonitor& monitor, double q) {
    State& state = parts.session->state();
    for (const std::string name : {"q1.layers.2", "q2.layers.2"}) {
        const auto weight = *training::find_parameter(state, name + ".weight");
        const auto bias = *training::find_parameter(state, name + ".bias");
        weight.group->write(weight.index, std::vector<double>(16, 0.0));
        bias.group->write(bias.index, std::vector<double>{q});
    }
    ++state.counters().step;
    monitor.predict();
    REQUIRE(*monitor.predicted() == doctest::Approx(q));
}

TEST_CASE("critics that begin near zero are not blamed while they come closer to the return") {
    Workplace w;
    const RunParts parts = w.parts();
    for (const double sign : {1.0, -1.0}) {
        CAPTURE(sign);
        QMonitor monitor(parts);
        const auto said = [&](double predicted, double observed) {
            expect_everywhere(parts, monitor, sign * predicted);
            monitor.note(evaluation({sign * observed, sign * observed}));
            return monitor.warning().value_or("");
        };
        CHECK(said(-2, 100).empty());  // first values may be on the other side of zero
        CHECK(said(12, 150).empty());
        CHECK(said(32, 192).empty());  // the gap grows: the policy learns faster than its critics
        CHECK(contains(said(31, 192), sign > 0 ? "underestimate" : "overestimate"));
        CHECK(said(34, 192).empty());  // said once, also where they rise a little and stop again
        CHECK(said(33, 192).empty());
        CHECK(said(100, 192).empty());  // here they are together again
        CHECK(said(80, 192).size() > 0);
    }
    // Further from zero than the return is no way from zero to it.
    QMonitor monitor(parts);
    expect_everywhere(parts, monitor, 500);
    monitor.note(evaluation({-200, -200}));
    CHECK(contains(monitor.warning().value_or(""), "overestimate"));
}

TEST_CASE("a monitor that goes on knows whether the critics have been coming closer") {
    Workplace w;
    const RunParts parts = w.parts();
    QMonitor before(parts), rising(parts), still(parts);
    expect_everywhere(parts, before, 10);
    before.note(evaluation({100, 100}));
    REQUIRE_FALSE(before.warning());
    for (QMonitor* m : {&rising, &still}) m->restore(before.save());
    const auto warned = [&](QMonitor& monitor, double q) {
        expect_everywhere(parts, monitor, q);
        monitor.note(evaluation({110, 110}));
        return monitor.warning().has_value();
    };
    CHECK_FALSE(warned(rising, 11));
    CHECK(warned(still, 10));
}

TEST_CASE("the advice is about a setting that the algorithm has") {
    const auto advice = [](const std::string& algorithm, const std::string& layers, double q) {
        Workplace w;
        w.options.algorithm = algorithm;
        w.options.settings = {{"batch_size", "16"}, {"layer_sizes", layers}};
        const RunParts parts = w.parts();
        QMonitor monitor(parts);
        std::string text;
        for (const double observed : {100.0, 110.0}) {  // the first does not tell whether they rise
            expect_everywhere(parts, monitor, q);
            monitor.note(evaluation({observed, observed}));
            text += monitor.warning().value_or("");
        }
        return text;
    };
    const std::string two = R"("q1": [4, 8, 16, 1], "q2": [4, 8, 16, 1], "actor": [3, 8, )";
    CHECK(contains(advice("iql", kSmallLayers, 1), "Try a larger expectile"));
    CHECK(contains(advice("iql", kSmallLayers, 300), "a smaller expectile or temperature"));
    CHECK(contains(advice("cql", "{" + two + "2]}", 1), "a smaller cql_alpha"));
    CHECK(contains(advice("cql", "{" + two + "2]}", 300), "a larger cql_alpha"));
    CHECK(contains(advice("td3bc", "{" + two + "1]}", 1), "learning rate of the critics"));
    CHECK(contains(advice("td3bc", "{" + two + "1]}", 300), "a smaller alpha"));
}

TEST_CASE("critics that drift away are noticed before they are off by the size of the return") {
    Workplace w;
    const RunParts parts = w.parts();
    QMonitor monitor(parts);
    monitor.predict();
    const double q = *monitor.predicted();
    const auto apart = [&](double gap) {  // as a share of the return that is seen
        const double observed = q / (1 + gap);
        monitor.note(evaluation({observed, observed}));
        return monitor.warning().has_value();
    };
    CHECK_FALSE(apart(0.9));  // the first says nothing about a drift
    CHECK_FALSE(apart(0.7));
    CHECK_FALSE(apart(0.4));
    CHECK(apart(0.6));
}

TEST_CASE("a monitor that goes on from its tensors does not repeat what was said") {
    Workplace w;
    const RunParts parts = w.parts();
    QMonitor monitor(parts);
    CHECK_FALSE(QMonitor(parts).observed());
    monitor.predict();
    const double q = *monitor.predicted();
    const double observed = -0.1 * q;
    const auto warned = [&](QMonitor& m, double value) {
        m.predict();
        m.note(evaluation({value, value}));
        return m.warning().has_value();
    };
    QMonitor before(parts), after(parts);
    before.restore(monitor.save());  // of nothing
    CHECK_FALSE(before.observed());
    REQUIRE(warned(monitor, observed));
    after.restore(monitor.save());
    CHECK(*after.observed() == observed);
    CHECK(warned(before, observed));
    CHECK_FALSE(warned(after, observed));
    // The size of the last gap is known too.
    QMonitor near(parts), further(parts);
    CHECK_FALSE(warned(near, q / 1.4));
    further.restore(near.save());
    CHECK(warned(further, q / 1.6));
}

TEST_CASE("a run that goes on warns of critics that part once") {
    Workplace w;
    w.options.settings.emplace_back("q_learning_rate", "30");
    w.options.settings.emplace_back("discount", "0.1");
    const auto warnings = [](auto run) {
        int count = 0;
        training::TrainCallbacks callbacks;
        callbacks.notice = [&](const std::string& text) {
            count += contains(text, "the critics expect");
        };
        run(callbacks);
        return count;
    };
    w.options.steps = 30;  // ends with an evaluation
    CHECK(warnings([&](const auto& callbacks) { training::train(w.options, callbacks); }) == 1);
    for (const std::int64_t steps : {30, 60, 70}) {
        CAPTURE(steps);
        CHECK(warnings([&](const auto& callbacks) {
                  training::resume({w.options.out, steps, {}, {}}, callbacks);
              }) == 0);
    }
}

TEST_CASE("what has no critics, or is not evaluated, has no such columns") {
    for (const bool critics : {false, true}) {
        Workplace w;
        if (critics) {
            w.options.environment = "";
            w.options.settings.emplace_back("max_action", "2");
        } else {
            w.options.algorithm = "bc";
            w.options.settings[1].second = R"({"actor": [3, 16, 1]})";
        }
        const RunParts parts = w.parts();
        QMonitor monitor(parts);
        CHECK_FALSE(monitor.active());
        CHECK(monitor.header().empty());
        monitor.predict();
        monitor.note(evaluation({1}));
        CHECK(monitor.row().empty());
        CHECK_FALSE(monitor.warning());
    }
}

TEST_CASE("metrics.csv and the reports of a run have both numbers") {
    Workplace w;
    std::string said;
    training::TrainCallbacks callbacks;
    callbacks.report_seconds = 0;
    int both = 0;
    callbacks.progress = [&](const training::Progress& p) {
        both += p.predicted_q && p.discounted_return;
    };
    training::train(w.options, callbacks);
    CHECK(both > 0);
    const auto rows = training::read_rows(w.options.out + "/metrics.csv");
    REQUIRE(rows.size() == 3);  // at 20, 40 and 60; evaluations at 30 and 60
    CHECK(rows[0].back() == ',');
    CHECK(rows[1].back() != ',');
}

}  // namespace
}  // namespace drydock

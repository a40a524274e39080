#include "measure/updates.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "measure/synthetic.h"
#include "tests/core/phase_check.h"

namespace drydock::measure {
namespace {

UpdateOptions small(const std::string& algorithm) {
    UpdateOptions options;
    options.train.algorithm = algorithm;
    options.train.threads = 1;
    options.train.settings = {{"batch_size", "8"}};
    if (algorithm == "dt") {
        options.train.settings.insert(options.train.settings.end(),
                                      {{"context_length", "4"}, {"embedding_dim", "16"}});
    }
    options.sizes = {5, 2, 300, 50};
    options.seconds = 0.01;
    options.rounds = 3;
    options.replays = 4;
    return options;
}

TEST_CASE("the updates of every algorithm can be measured, node by node") {
    for (const std::string& name : algorithms::list_algorithms()) {
        CAPTURE(name);
        UpdateBench bench(small(name));
        const UpdateReport report = bench.run();
        CHECK(report.rate.median > 0);
        CHECK(report.rate.low <= report.rate.median);
        CHECK(report.rate.median <= report.rate.high);
        CHECK(report.share_of_peak > 0);
        const auto programs = bench.time_nodes();
        CHECK(programs.size() == bench.session().updates().count());
        double share = 0;
        for (std::size_t p = 0; p < programs.size(); ++p) {
            share += programs[p].share;
            if (programs[p].share == 0) continue;
            CHECK(programs[p].replays > 0);
            CHECK(!programs[p].nodes.empty());
            CHECK(programs[p].phases.size() == bench.session().updates().phases(p).size());
            CHECK(test::conflict_in_phases(bench.session().updates(), p) == "");
            double products = 0, of_nodes = 0;
            for (const NodeTime& node : programs[p].nodes) {
                of_nodes += node.seconds;
                if (is_product(bench.session().updates().program(p).node(node.node).op)) {
                    products += node.work.flop;
                }
            }
            CHECK(of_nodes > 0);
            // The program does the necessary work at least. Updates that differ do it in turn.
            if (programs.size() == 1) CHECK(products >= 0.999 * total_flop(report.necessary));
        }
        CHECK(share == doctest::Approx(1.0));
    }
}

TEST_CASE("a schedule's period is found") {
    UpdateOptions options = small("td3bc");
    options.train.settings.emplace_back("policy_period", "3");
    UpdateBench bench(options);
    CHECK(schedule_period(bench.session().updates(), 0) == 3);
    CHECK(bench.run().updates % 3 == 0);
    CHECK(schedule_period(UpdateBench(small("bc")).session().updates(), 0) == 1);
}

TEST_CASE("synthetic data are what the sizes say, and the same for the same seed") {
    const auto iql = algorithms::make_recipe("iql");
    const data::Transitions t = synthetic_transitions({3, 2, 100, 10}, *iql, 7);
    CHECK(t.observations.size() == 300);
    CHECK(t.next_observations.size() == 300);
    CHECK(t.actions.size() == 200);
    for (const float a : t.actions) CHECK((a >= -1.0f && a <= 1.0f));
    CHECK(synthetic_transitions({3, 2, 100, 10}, *iql, 7).observations == t.observations);
    CHECK(synthetic_transitions({3, 2, 100, 10}, *iql, 8).observations != t.observations);
    const auto dt = algorithms::make_recipe("dt");
    const data::Transitions windows = synthetic_transitions({3, 2, 105, 10}, *dt, 7);
    CHECK(windows.episode_offsets.size() == 12);
    CHECK(windows.episode_offsets.back() == 105);
    CHECK_THROWS_AS(synthetic_transitions({0, 2, 100, 10}, *iql, 7), Error);
}

TEST_CASE("the median and the quartiles of rounds") {
    const Summary s = summarize({4, 1, 3, 2, 5});
    CHECK(s.median == 3);
    CHECK(s.low == 2);
    CHECK(s.high == 4);
    CHECK(s.least == 1);
    CHECK(s.most == 5);
    CHECK(summarize({1, 2}).median == 1.5);
    CHECK(s.spread() == doctest::Approx(2.0 / 3.0));
    CHECK_THROWS_AS(summarize({}), Error);
}

}  // namespace
}  // namespace drydock::measure

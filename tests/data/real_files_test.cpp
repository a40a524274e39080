// Facts about larger files that are not part of the project; skipped, saying so, where these are
// absent. DRYDOCK_DATA names their folder, otherwise ../shared/data beside the checkout is tried.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "data/d4rl.h"
#include "data/statistics.h"
#include "data/transitions.h"

namespace drydock::data {
namespace {

struct Expected {
    const char* file;
    std::int64_t rows, episodes, observation_size, action_size;
    double reference_min, reference_max;  // D4RL's, d4rl/infos.py
    double score_mean, score_p90, score_max;
};

// Counts and scores as the files' own description gives them.
constexpr Expected kFiles[] = {
    {"hopper-medium-expert-v4.hdf5", 200000, 260, 11, 3, -20.272305, 3234.3, 74.6, 112.7, 114.4},
    {"halfcheetah-medium-replay-v4.hdf5", 120000, 120, 17, 6, -280.178953, 12135.0, 17.1, 44.9,
     69.4},
    {"walker2d-medium-replay-v4.hdf5", 120000, 455, 17, 6, 1.629008, 4592.3, 18.4, 69.2, 113.2},
};

std::filesystem::path folder() {
    const char* named = std::getenv("DRYDOCK_DATA");
    if (named != nullptr && *named != '\0') return named;
    return std::filesystem::path(DRYDOCK_TEST_DATA) / "../../../../shared/data";
}

}  // namespace

TEST_CASE("files in D4RL's layout have the facts that their description gives") {
    for (const Expected& want : kFiles) {
        const std::filesystem::path path = folder() / want.file;
        if (!std::filesystem::exists(path)) {
            MESSAGE("skipped: no " << std::string(want.file) << "; set DRYDOCK_DATA to its folder");
            continue;
        }
        CAPTURE(std::string(want.file));
        const Dataset d = read_d4rl(path);
        const DatasetStatistics s = compute_statistics(d);
        CHECK(s.rows == want.rows);
        CHECK(s.observation_size == want.observation_size);
        CHECK(s.action_size == want.action_size);
        CHECK(s.missing_columns.empty());
        CHECK(s.discontinuities == 0);
        CHECK(s.episodes == want.episodes);
        std::vector<double> scores;  // the description counts the cut episode as well
        for (const Episode& episode : cut_episodes(d)) {
            scores.push_back(
                normalized_score(return_of(d, episode), want.reference_min, want.reference_max));
        }
        const Summary score = summarize(std::move(scores));
        CHECK(std::abs(score.mean - want.score_mean) < 0.051);
        CHECK(std::abs(score.p90 - want.score_p90) < 0.051);
        CHECK(std::abs(score.max - want.score_max) < 0.051);

        const std::vector<float> bound(static_cast<std::size_t>(d.action_size), 1.0f);
        const std::vector<float> low(bound.size(), -1.0f);
        CHECK_NOTHROW(check_actions(d, low, bound));

        const std::int64_t dropped = s.timeouts + (d.timeouts.back() ? 0 : 1);
        CHECK(make_transitions(d).count == d.rows - dropped);
        CHECK(make_transitions(d, {TransitionView::corrected}).count == d.rows);
    }
}

}  // namespace drydock::data

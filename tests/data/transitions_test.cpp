#include "data/transitions.h"

#include <doctest/doctest.h>

#include "base/philox.h"
#include "tests/data/example.h"

namespace drydock::data {
namespace {

// What one emitted transition is, read off a flag_dataset: its row, its s' and its terminal.
struct Emitted {
    int row;
    double next;
    int terminal;
    bool operator==(const Emitted&) const = default;
};

std::vector<Emitted> emitted(const Dataset& d, const TransitionOptions& options) {
    const Transitions t = make_transitions(d, options);
    std::vector<Emitted> list;
    for (std::size_t k = 0; k < static_cast<std::size_t>(t.count); ++k) {
        const int row = static_cast<int>(t.observations[k]);
        CHECK(t.actions[k] == d.actions[static_cast<std::size_t>(row)]);
        CHECK(t.rewards[k] == d.rewards[static_cast<std::size_t>(row)]);
        list.push_back({row, double{t.next_observations[k]}, static_cast<int>(t.terminals[k])});
    }
    CHECK(count_transitions(d, options) == t.count);
    CHECK(t.rewards.size() == list.size());
    CHECK(t.terminals.size() == list.size());
    CHECK(t.next_observations.size() == list.size());
    return list;
}

TransitionOptions qlearning(bool terminate_on_end = false, std::int64_t max_episode_steps = 1000) {
    return {TransitionView::qlearning_dataset, terminate_on_end, max_episode_steps};
}

TransitionOptions corrected(std::int64_t max_episode_steps = 1000) {
    return {TransitionView::corrected, false, max_episode_steps};
}

// The numbered rules of D4RL's function, each on a line of its own, on plain lists.
std::vector<Emitted> rules_of_d4rl(const Dataset& d, bool terminate_on_end, int max_steps) {
    std::vector<Emitted> list;
    int episode_step = 0;
    const int n = static_cast<int>(d.rows);
    for (int i = 0; i < n - 1; ++i) {
        const auto row = static_cast<std::size_t>(i);
        const Emitted candidate{i, double(d.observations[row + 1]), d.terminals[row]};
        bool final_timestep;
        if (d.timeouts.empty()) {
            final_timestep = episode_step == max_steps - 1;
        } else {
            final_timestep = d.timeouts[row] == 1;
        }
        if (!terminate_on_end && final_timestep) {
            episode_step = 0;
            continue;
        }
        if (candidate.terminal == 1 || final_timestep) episode_step = 0;
        list.push_back(candidate);
        episode_step += 1;
    }
    return list;
}

}  // namespace

TEST_CASE(
    "qlearning_dataset takes s' from the next row even when it is stored, drops the last row") {
    CHECK(emitted(flag_dataset("0000", "0000", true), qlearning()) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 2, 0}, {2, 3, 0}});
}

TEST_CASE("qlearning_dataset keeps a terminal row with the next episode's first observation") {
    CHECK(emitted(flag_dataset("0100", "0000", true), qlearning()) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 2, 1}, {2, 3, 0}});
}

TEST_CASE("qlearning_dataset drops timed-out rows, terminal ones too") {
    CHECK(emitted(flag_dataset("00000", "01000", true), qlearning()) ==
          std::vector<Emitted>{{0, 1, 0}, {2, 3, 0}, {3, 4, 0}});
    CHECK(emitted(flag_dataset("01000", "01000", true), qlearning()) ==
          std::vector<Emitted>{{0, 1, 0}, {2, 3, 0}, {3, 4, 0}});
}

TEST_CASE("qlearning_dataset loses a terminal in the file's last row") {
    CHECK(emitted(flag_dataset("001", "000", true), qlearning()) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 2, 0}});
}

TEST_CASE("terminate_on_end keeps a timed-out row, sets no flag and crosses episodes") {
    CHECK(emitted(flag_dataset("00000", "01000", true), qlearning(true)) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 2, 0}, {2, 3, 0}, {3, 4, 0}});
    CHECK(emitted(flag_dataset("01000", "01000", true), qlearning(true))[1] == Emitted{1, 2, 1});
}

TEST_CASE("without timeouts the step counter drops rows, one early after a terminal") {
    // Limit 3. From the start and after a dropped row the counter begins at 0: rows 2 and 5 go.
    CHECK(emitted(flag_dataset("0000000", "", false), qlearning(false, 3)) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 2, 0}, {3, 4, 0}, {4, 5, 0}});
    // After the terminal in row 0 it begins at 1: row 2 is the second step of its episode and goes.
    CHECK(emitted(flag_dataset("1000000", "", false), qlearning(false, 3)) ==
          std::vector<Emitted>{{0, 1, 1}, {1, 2, 0}, {3, 4, 0}, {4, 5, 0}});
    // A terminal on the limit's row is dropped with it.
    CHECK(emitted(flag_dataset("0010000", "", false), qlearning(false, 3)) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 2, 0}, {3, 4, 0}, {4, 5, 0}});
}

TEST_CASE("qlearning_dataset follows D4RL's rules on random flags") {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        const auto draw = [&](std::uint64_t step, std::uint64_t i) {
            return uniform_f32(seed, stream_id("flags"), step, i);
        };
        std::string terminals, timeouts;
        for (std::uint64_t i = 0; i < 30; ++i) {
            terminals += draw(0, i) < 0.2f ? '1' : '0';
            timeouts += draw(1, i) < 0.2f ? '1' : '0';
        }
        for (const bool terminate_on_end : {false, true}) {
            for (const int limit : {2, 5, 1000}) {
                const Dataset counted = flag_dataset(terminals, "", seed % 2 == 0);
                CHECK(emitted(counted, qlearning(terminate_on_end, limit)) ==
                      rules_of_d4rl(counted, terminate_on_end, limit));
            }
            const Dataset flagged = flag_dataset(terminals, timeouts, seed % 2 == 0);
            CHECK(emitted(flagged, qlearning(terminate_on_end)) ==
                  rules_of_d4rl(flagged, terminate_on_end, 1000));
        }
    }
}

TEST_CASE("corrected keeps every row when next observations are stored") {
    CHECK(emitted(flag_dataset("01010", "00110", true), corrected()) ==
          std::vector<Emitted>{{0, 0.5, 0}, {1, 1.5, 1}, {2, 2.5, 0}, {3, 3.5, 1}, {4, 4.5, 0}});
    CHECK(emitted(flag_dataset("0000", "", true), corrected(2)).size() == 4);
}

TEST_CASE("corrected without stored observations drops unknown outcomes and keeps terminals") {
    // Row 1 terminal, row 2 timeout, row 3 both, row 5 the end of the file.
    CHECK(emitted(flag_dataset("010100", "001100", false), corrected()) ==
          std::vector<Emitted>{{0, 1, 0}, {1, 1, 1}, {3, 3, 1}, {4, 5, 0}});
    CHECK(emitted(flag_dataset("0001", "0000", false), corrected()).back() == Emitted{3, 3, 1});
}

TEST_CASE("corrected counts every episode from 0 in files without timeouts") {
    CHECK(emitted(flag_dataset("1000000", "", false), corrected(3)) ==
          std::vector<Emitted>{{0, 0, 1}, {1, 2, 0}, {2, 3, 0}, {4, 5, 0}, {5, 6, 0}});
    CHECK(emitted(flag_dataset("0010", "", false), corrected(3)).back() == Emitted{2, 2, 1});
}

TEST_CASE("transitions carry all dimensions of their rows") {
    const Dataset d = example_dataset();
    const Transitions t = make_transitions(d, corrected());
    CHECK(t.observation_size == 3);
    CHECK(t.action_size == 2);
    CHECK(t.observations == d.observations);
    CHECK(t.actions == d.actions);
    CHECK(t.rewards == d.rewards);
    CHECK(t.next_observations == d.next_observations);
    const Transitions q = make_transitions(d);
    CHECK(q.count == 10);
    CHECK(q.next_observations[3 * 4 + 2] == d.observations[3 * 5 + 2]);
}

TEST_CASE("given columns become the transitions' own memory") {
    for (const TransitionOptions& options : {qlearning(), corrected()}) {
        Dataset d = example_dataset();
        const float* observations = d.observations.data();
        const float* actions = d.actions.data();
        const float* rewards = d.rewards.data();
        const float* next = d.next_observations.data();
        const Transitions t = make_transitions(std::move(d), options);
        CHECK(t.observations.data() == observations);
        CHECK(t.actions.data() == actions);
        CHECK(t.rewards.data() == rewards);
        CHECK(t.next_observations.data() == next);
    }
}

TEST_CASE("one-row and empty views count as 0 transitions") {
    CHECK(count_transitions(flag_dataset("0", "0", false)) == 0);
    CHECK(count_transitions(flag_dataset("1", "0", false), corrected()) == 1);
    CHECK(count_transitions(flag_dataset("111", "111", true)) == 0);
    CHECK(count_transitions(flag_dataset("111", "111", true), corrected()) == 3);
}

TEST_CASE("views have names, and bad calls say so") {
    CHECK(parse_transition_view("qlearning_dataset") == TransitionView::qlearning_dataset);
    CHECK(parse_transition_view("corrected") == TransitionView::corrected);
    CHECK(has_all(message_of([] { parse_transition_view("strict"); }),
                  {"qlearning_dataset", "corrected", "strict"}));
    CHECK(has_all(message_of([] { make_transitions(flag_dataset("0", "0", false)); }),
                  {"at least one transition", "1 rows"}));
    CHECK(has_all(message_of([] { make_transitions(example_dataset(), corrected(0)); }),
                  {"max_episode_steps", "got 0"}));
}

TEST_CASE("without next observations the rows are the same, whether they were read or left") {
    for (const TransitionView view :
         {TransitionView::qlearning_dataset, TransitionView::corrected}) {
        for (const bool stored : {false, true}) {
            CAPTURE(std::string(name_of(view)));
            CAPTURE(stored);
            const Dataset whole = flag_dataset("0010010", "0000101", stored);
            TransitionOptions options;
            options.view = view;
            const Transitions want = make_transitions(whole, options);
            options.next_observations = false;
            Dataset left = flag_dataset("0010010", "0000101", false);
            left.next_observations_left = stored;
            for (const Dataset& data : {whole, left}) {
                const Transitions t = make_transitions(data, options);
                CHECK(t.observations == want.observations);
                CHECK(t.actions == want.actions);
                CHECK(t.rewards == want.rewards);
                CHECK(t.terminals == want.terminals);
                CHECK(t.next_observations.empty());
                CHECK(t.next_observations.capacity() == 0);
            }
        }
    }
}

}  // namespace drydock::data

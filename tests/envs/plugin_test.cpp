#include "envs/plugin.h"

#include <doctest/doctest.h>
#include <drydock/environment.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "envs/behaviour.h"

namespace drydock::envs {
namespace {

const std::string kFaulty = DRYDOCK_FAULTY_PLUGIN;
const std::string kIncomplete = DRYDOCK_INCOMPLETE_PLUGIN;
const std::string kCart = DRYDOCK_CART_PLUGIN;

// Lets the library have one fault while it lives.
class Fault {
  public:
    explicit Fault(const char* name) { setenv("DRYDOCK_FAULT", name, 1); }
    ~Fault() { unsetenv("DRYDOCK_FAULT"); }
    Fault(const Fault&) = delete;
    Fault& operator=(const Fault&) = delete;
};

// The faulty library as a file of its own.
struct Copy {
    Copy() { std::filesystem::copy_file(kFaulty, path); }
    ~Copy() { std::filesystem::remove(path); }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    static inline int count = 0;
    const std::string path = (std::filesystem::temp_directory_path() /
                              fmt::format("drydock-{}-{}.so", getpid(), count++))
                                 .string();
};

struct Refusal {
    const char* fault;
    const char* text;  // part of the error's
};

template <class Work>
Error error_of(Work work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return Error("nothing was thrown");
}

void check_refusal(const Error& error, const std::string& file, const std::string& text) {
    CAPTURE(error.what());
    const std::string what = error.what();
    CHECK(what.find(file) != std::string::npos);
    CHECK(what.find(text) != std::string::npos);
    CHECK(error.kind() == ErrorKind::failure);
}

using Observation = std::array<float, 3>;
constexpr std::array<float, 2> kAction = {0.5f, 0.25f};

TEST_CASE("a library's environment plays as it says") {
    const auto environment = make_environment(kFaulty);
    const EnvironmentInfo& info = environment->info();
    CHECK(info.name == "faulty");
    CHECK(info.observation_size == 3);
    CHECK(info.action_low == std::vector<float>{-1, -2});
    CHECK(info.action_high == std::vector<float>{1, 4});
    CHECK(info.max_episode_steps == 5);
    CHECK(info.step_seconds == 0.1);
    CHECK(normalized_score(info, 10) == 50.0);
    Observation seen{};
    environment->reset(3, 4, seen);
    CHECK(seen == Observation{3, 4, 0});
    for (int step = 1; step <= 5; ++step) {
        const StepResult result = environment->step(kAction, seen);
        CHECK(seen == Observation{static_cast<float>(step), 0.5f, 0.25f});
        CHECK(result.reward == 1.5);
        CHECK(!result.terminal);
        CHECK(result.timeout == (step == 5));
    }
    environment->reset(3, 4, seen);
    CHECK(seen == Observation{3, 4, 0});
}

TEST_CASE("actions reach a library within the bounds") {
    const auto environment = make_environment(kFaulty);
    Observation seen{};
    environment->reset(0, 0, seen);
    environment->step(std::array<float, 2>{-7, 7}, seen);
    CHECK(seen == Observation{1, -1, 4});
}

TEST_CASE("how a library's episode ends") {
    Observation seen{};
    const auto last = [&seen](const char* fault) {
        const Fault faulty(fault);
        const auto environment = make_environment(kFaulty);
        environment->reset(0, 0, seen);
        StepResult result = environment->step(kAction, seen);
        while (!result.terminal && !result.timeout) result = environment->step(kAction, seen);
        CHECK_THROWS_AS(environment->step(kAction, seen), Error);
        return result;
    };
    StepResult end = last("terminal at 2");
    CHECK((end.terminal && !end.timeout && seen[0] == 2));
    end = last("timeout at 3");
    CHECK((!end.terminal && end.timeout && seen[0] == 3));
    // Where the task ended, nothing was cut.
    end = last("terminal at the limit");
    CHECK((end.terminal && !end.timeout && seen[0] == 5));
    end = last("terminal and timeout at 2");
    CHECK((end.terminal && !end.timeout && seen[0] == 2));
}

TEST_CASE("a library whose info contradicts itself is refused") {
    for (const Refusal& refusal : {
             Refusal{"abi from the future", "expected version 1 to 1"},
             Refusal{"abi 0", "got 0"},
             Refusal{"info fails", "status 7: the licence server is on holiday"},
             Refusal{"no name", "expected a name"},
             Refusal{"empty name", "got \"\""},
             Refusal{"name is a path", "got \"../faulty\""},
             Refusal{"long name", "1 to 64 letters"},
             Refusal{"name of a built-in", "an environment of drydock"},
             Refusal{"no observations", "an observation_size from 1 to 65536 in its info, got 0"},
             Refusal{"too many observations", "got 65537"},
             Refusal{"negative actions", "an action_size from 1 to 65536 in its info, got -1"},
             Refusal{"no limit", "max_episode_steps"},
             Refusal{"no bounds", "null pointer"},
             Refusal{"low is infinite", "for action 1, got -inf and 4"},
             Refusal{"low is nan", "for action 0, got nan and 1"},
             Refusal{"low above high", "for action 1, got 5 and 4"},
             Refusal{"step_seconds is nan", "step_seconds"},
             Refusal{"step_seconds below 0", "step_seconds of 0 or more, got -1"},
             Refusal{"references equal", "min < max, got -10 and -10"},
             Refusal{"reference is infinite", "got -10 and inf"},
             Refusal{"create fails", "create failed with status 7: expected a model file"},
             Refusal{"create gives null", "got null"},
         }) {
        const Fault fault(refusal.fault);
        check_refusal(error_of([] { make_environment(kFaulty); }), kFaulty, refusal.text);
    }
    const Copy other;  // the first has said that it has references
    const Fault fault("no references");
    CHECK(!normalized_score(make_environment(other.path)->info(), 10));
}

TEST_CASE("a library that describes itself anew is refused") {
    const Copy copy;
    const auto first = make_environment(copy.path);
    CHECK(make_environment(copy.path)->info() == first->info());
    {
        const Fault fault("four observations");
        check_refusal(error_of([&] { make_environment(copy.path); }), copy.path,
                      "faulty (3 observations, 2 actions, 5 steps) first and faulty (4 ");
    }
    {
        const Fault fault("no references");
        check_refusal(error_of([&] { make_environment(copy.path); }), copy.path, "the same info");
    }
    CHECK_NOTHROW(make_environment(copy.path));
}

TEST_CASE("a library is known by the bytes that were loaded") {
    const Copy copy;
    const std::string before = make_environment(copy.path)->info().provenance.at("env_sha256");
    CHECK(before.size() == 64);
    CHECK(make_environment(kCart)->info().provenance.at("env_sha256") != before);
    // Built anew, as linkers do: another file of the same name.
    std::filesystem::remove(copy.path);
    std::filesystem::copy_file(kCart, copy.path);
    const auto later = make_environment(copy.path);
    CHECK(later->info().name == "faulty");
    CHECK(later->info().provenance.at("env_sha256") == before);
}

TEST_CASE("what a library returns is checked at every step") {
    for (const Refusal& refusal : {
             Refusal{"reset fails", "reset failed with status 7: xxx"},
             Refusal{"reset gives infinity", "from reset for episode 1, got inf in place 2"},
             Refusal{"step fails", "step failed with status 7: the robot fell over"},
             Refusal{"step fails without a text", "status 3: the library gave no text"},
             Refusal{"step leaves a gap", "from step 1 of an episode, got nan in place 2"},
             Refusal{"observation is nan", "from step 2 of an episode, got nan in place 1"},
             Refusal{"reward is nan", "reward within a float's range from step 1"},
             Refusal{"reward beyond float", "got 1e+300"},
         }) {
        const Fault fault(refusal.fault);
        const auto environment = make_environment(kFaulty);
        Observation seen{};
        const Error error = error_of([&] {
            environment->reset(0, 1, seen);
            for (int i = 0; i < 5; ++i) environment->step(kAction, seen);
        });
        check_refusal(error, kFaulty, refusal.text);
        // Nothing goes on from there but a new episode.
        CHECK_THROWS_AS(environment->step(kAction, seen), Error);
    }
}

TEST_CASE("calls that do not fit a library's environment are refused") {
    const auto environment = make_environment(kFaulty);
    Observation seen{};
    CHECK_THROWS_AS(environment->step(kAction, seen), Error);
    CHECK_THROWS_AS(environment->reset(0, 0, std::span(seen).first(2)), Error);
    environment->reset(0, 0, seen);
    CHECK_THROWS_AS(environment->step(std::span(kAction).first(1), seen), Error);
    const std::array<float, 2> unknown = {0, std::numeric_limits<float>::quiet_NaN()};
    check_refusal(error_of([&] { environment->step(unknown, seen); }), kFaulty, "got nan");
    CHECK_NOTHROW(environment->step(kAction, seen));
}

TEST_CASE("a file that is no library with the six functions is refused") {
    check_refusal(error_of([] { make_environment(kIncomplete); }), kIncomplete,
                  "expected a function drydock_environment_step");
    const Error absent = error_of([] { make_environment("/nowhere/libmine.so"); });
    CHECK(absent.kind() == ErrorKind::usage);
    CHECK(std::string(absent.what()).find("/nowhere/libmine.so") != std::string::npos);
    const auto text = std::filesystem::temp_directory_path() /
                      ("drydock-" + std::to_string(getpid()) + "-text.so");
    std::ofstream(text) << "this is no library\n";
    check_refusal(error_of([&] { make_environment(text.string()); }), text.string(),
                  "that can be loaded");
    std::filesystem::remove(text);
}

TEST_CASE("which names are libraries, and where they are looked for") {
    CHECK(is_plugin("./mine"));
    CHECK(is_plugin("/opt/mine.so"));
    CHECK(is_plugin("libmine.so"));
    CHECK(!is_plugin("pendulum"));
    CHECK(!is_plugin("mine.so.old"));
    CHECK(plugin_file("libm.so") == "./libm.so");
    CHECK(plugin_file("../libmine.so") == "../libmine.so");
    // The system's folders have a libm.so, this one does not.
    CHECK(error_of([] { make_environment("libm.so"); }).kind() == ErrorKind::usage);
}

// Mean return over episodes 0 to n - 1 of seed 0.
template <class Act>
double mean_return(Environment& environment, int n, Act act) {
    double sum = 0;
    for (std::uint64_t episode = 0; episode < static_cast<std::uint64_t>(n); ++episode) {
        std::array<float, 2> seen{};
        std::array<float, 1> action{};
        environment.reset(0, episode, seen);
        StepResult result;
        for (std::uint64_t step = 0; !result.terminal && !result.timeout; ++step) {
            act(seen, episode, step, action);
            result = environment.step(action, seen);
            sum += result.reward;
        }
    }
    return sum / n;
}

TEST_CASE("the example's references are what it says they are") {
    const auto cart = make_environment(kCart);
    const auto random = make_behaviour(cart->info(), "random", 1000);
    const double low = mean_return(*cart, 1000, [&](auto& o, auto episode, auto step, auto& a) {
        random->act(o, 0, episode, step, a);
    });
    const double high = mean_return(
        *cart, 1000, [](auto& o, auto, auto, auto& a) { a[0] = -3.0f * o[0] - 2.0f * o[1]; });
    CHECK(low == doctest::Approx(*cart->info().reference_min).epsilon(1e-3));
    CHECK(high == doctest::Approx(*cart->info().reference_max).epsilon(1e-3));
}

TEST_CASE("objects of one library share nothing") {
    const auto one = make_environment(kCart), two = make_environment(kCart);
    std::array<float, 2> alone{}, first{}, second{};
    const std::array<float, 1> push = {1.0f}, pull = {-1.0f};
    one->reset(1, 2, first);
    one->step(push, first);
    one->step(push, alone);
    one->reset(1, 2, first);
    two->reset(5, 6, second);
    one->step(push, first);
    two->step(pull, second);
    one->step(push, first);
    CHECK(first == alone);
    CHECK(first != second);
}

}  // namespace
}  // namespace drydock::envs

// What a wrong call gets: one Error that names the op, what was expected and what came.
#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/core/harness.h"

namespace drydock::test {
namespace {

const Device& device() {
    static const Device d = Device::cpu(1);
    return d;
}

struct Fixture {
    State state{device()};
    Graph g{state};
    Tensor tensor(const Shape& shape) { return fill(g, shape, 1.0); }
};

TEST_CASE_FIXTURE(Fixture, "shapes that do not fit") {
    CHECK_THROWS_WITH_AS(tensor({2, 3}) + tensor({2, 4}), doctest::Contains("[add]"), Error);
    CHECK_THROWS_WITH_AS(linear(tensor({5, 3}), tensor({4, 2}), {}),
                         doctest::Contains("(5, 3), (4, 2)"), Error);
    CHECK_THROWS_WITH_AS(matmul(tensor({5, 3}), tensor({5, 3})), doctest::Contains("[matmul]"),
                         Error);
    CHECK_THROWS_WITH_AS(reshape(tensor({6}), {4}), doctest::Contains("[reshape]"), Error);
    CHECK_THROWS_WITH_AS(slice(tensor({6}), 0, 3, 7), doctest::Contains("[slice]"), Error);
    CHECK_THROWS_WITH_AS(concat({tensor({2, 2}), tensor({3, 2})}, 1), doctest::Contains("[concat]"),
                         Error);
    CHECK_THROWS_WITH_AS(sum(tensor({2}), 1), doctest::Contains("[sum]"), Error);
    CHECK_THROWS_WITH_AS(mse(tensor({2}), tensor({3})), doctest::Contains("[mse]"), Error);
    CHECK_THROWS_WITH_AS(expectile_loss(tensor({2}), 1.0), doctest::Contains("(0, 1)"), Error);
    CHECK_THROWS_WITH_AS(gaussian_log_prob(tensor({2, 3}), tensor({2}), tensor({2, 3})),
                         doctest::Contains("[gaussian_log_prob]"), Error);
    CHECK_THROWS_WITH_AS(gather_rows(tensor({2, 3}), tensor({2})), doctest::Contains("i64"), Error);
    CHECK_THROWS_WITH_AS(broadcast_to(tensor({3, 3}), {3, 2}), doctest::Contains("broadcast"),
                         Error);
    CHECK_THROWS_WITH_AS(g.metric("m", tensor({2})), doctest::Contains("scalar"), Error);
    CHECK_THROWS_WITH_AS(pad(tensor({3}), 0, 2, 4), doctest::Contains("[pad]"), Error);
}

TEST_CASE_FIXTURE(Fixture, "losses and groups that do not go together") {
    ParameterGroup& used = state.add_group("used");
    used.add({"w", {3}, Initializer::ones});
    used.add({"unused", {3}, Initializer::ones});
    const Tensor loss = sum(g.parameter(used, 0));
    CHECK_THROWS_WITH_AS(g.gradients(loss, used), doctest::Contains("'unused'"), Error);
    CHECK_THROWS_WITH_AS(g.gradients(g.parameter(used, 0), used), doctest::Contains("scalar loss"),
                         Error);
    CHECK_THROWS_WITH_AS(used.add({"late", {1}, Initializer::zeros}), doctest::Contains("late"),
                         Error);
    ParameterGroup& target = state.add_group("frozen", false);
    target.add({"w", {3}, Initializer::ones});
    CHECK_THROWS_AS(g.gradients(loss, target), Error);
    CHECK_THROWS_WITH_AS(g.polyak(used, target, 0.1), doctest::Contains("one layout"), Error);
    CHECK_THROWS_AS(used.write(0, Values{1.0, 2.0}), Error);
}

TEST_CASE_FIXTURE(Fixture, "a gradient does not flow through targets or detached values") {
    ParameterGroup& group = state.add_group("net");
    group.add({"w", {3}, Initializer::ones});
    CHECK_THROWS_AS(g.gradients(sum(detach(g.parameter(group, 0))), group), Error);
}

TEST_CASE("a finished graph takes no more nodes, and a device refuses unknown paths") {
    State s(device());
    Graph g(s);
    g.finish();
    CHECK_THROWS_AS(fill(g, {1}, 0.0), Error);
    CHECK_THROWS_WITH_AS(Device::cpu(1, "sse9"), doctest::Contains("sse9"), Error);
    CHECK_THROWS_AS(Device::cpu(-1), Error);
    CHECK_THROWS_AS(s.add_buffer("counters", DType::f32, {1}), Error);
    CHECK_THROWS_AS(Executable(s).run(1), Error);
}

}  // namespace
}  // namespace drydock::test

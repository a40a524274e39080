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
    target.add({"other", {3}, Initializer::ones});
    CHECK_THROWS_AS(g.gradients(loss, target), Error);
    CHECK_THROWS_WITH_AS(g.polyak(used, target, 0.1), doctest::Contains("same parameters"), Error);
    CHECK_THROWS_AS(used.write(0, Values{1.0, 2.0}), Error);
}

TEST_CASE_FIXTURE(Fixture, "a gradient does not flow through targets or detached values") {
    ParameterGroup& group = state.add_group("net");
    group.add({"w", {3}, Initializer::ones});
    CHECK_THROWS_AS(g.gradients(sum(detach(g.parameter(group, 0))), group), Error);
}

TEST_CASE_FIXTURE(Fixture, "values of another type, another graph or nothing") {
    const Tensor rows = g.random_rows("rows", 3);
    CHECK_THROWS_WITH_AS(rows + 1.0, doctest::Contains("expected input 0 (3) to be f32, got i64"),
                         Error);
    State other(device());
    Graph h(other);
    CHECK_THROWS_WITH_AS(tensor({3}) + fill(h, {3}, 1.0), doctest::Contains("this graph"), Error);
    CHECK_THROWS_AS(store(tensor({3}), tensor({3})), Error);
    const BufferId id = state.add_buffer("b", DType::f32, {4});
    CHECK_THROWS_WITH_AS(store(tensor({3}), g.buffer(id)), doctest::Contains("[store]"), Error);
}

TEST_CASE_FIXTURE(Fixture,
                  "sizes that no memory has, columns of another length, names taken twice") {
    const std::int64_t huge = std::int64_t{1} << 33;
    CHECK_THROWS_WITH_AS(state.add_buffer("huge", DType::f32, {huge, huge}),
                         doctest::Contains("63 bits"), Error);
    CHECK_THROWS_WITH_AS(state.add_buffer("large", DType::f32, {huge, 1 << 20}),
                         doctest::Contains("[arena]"), Error);
    const std::vector<float> two{1, 2};
    CHECK_THROWS_WITH_AS(state.add_column("c", {3}, std::span<const float>(two)),
                         doctest::Contains("expected 3 values"), Error);
    ParameterGroup& a = state.add_group("a");
    a.add({"w", {4, 8}, Initializer::ones});
    CHECK_THROWS_WITH_AS(a.add({"w", {3}, Initializer::ones}), doctest::Contains("exists already"),
                         Error);
    CHECK_THROWS_AS(a.add({"row", {3}, Initializer::orthogonal}), Error);
    ParameterGroup& b = state.add_group("b", false);
    b.add({"w.target", {8, 4}, Initializer::ones});
    CHECK_THROWS_AS(g.polyak(a, b, 0.5), Error);
    CHECK_THROWS_AS(b.copy_from(a), Error);
}

TEST_CASE("programs that do not belong, schedules that name none, values read too late") {
    State s(device()), other(device());
    const auto build = [](Graph& g) { g.metric("m", fill(g, {}, 3.0)); };
    Executable exe(s);
    CHECK_THROWS_WITH_AS(exe.add(record(other, build)), doctest::Contains("another state"), Error);
    Graph g(s);
    const Tensor kept = fill(g, {2}, 3.0);
    g.keep(kept);
    exe.add(g.finish());
    CHECK_THROWS_AS(g.keep(kept), Error);
    exe.add(record(s, build));
    exe.set_schedule([](std::int64_t k) { return static_cast<std::size_t>(k); });
    exe.run(1);
    CHECK(exe.read(kept.id()) == Values{3.0, 3.0});
    exe.run(1);
    CHECK_THROWS_WITH_AS(exe.read(kept.id()), doctest::Contains("another program ran"), Error);
    CHECK_THROWS_WITH_AS(exe.run(1), doctest::Contains("names program 2"), Error);
}

TEST_CASE_FIXTURE(Fixture, "a view of a parameter cannot be used after a step overwrote it") {
    ParameterGroup& group = state.add_group("net");
    group.add({"w", {16}, Initializer::ones});
    const Tensor w = g.parameter(group, 0);
    const Tensor old_view = detach(w), old_copy = copy(w);
    g.minimize(sum(square(w)), group);
    CHECK_THROWS_WITH_AS(old_view + 1.0, doctest::Contains("before a step overwrote it"), Error);
    CHECK_NOTHROW(old_copy + 1.0);
}

TEST_CASE("a finished graph takes no more nodes, and a device refuses unknown paths") {
    State s(device());
    Graph g(s);
    g.finish();
    CHECK_THROWS_AS(fill(g, {1}, 0.0), Error);
    CHECK_THROWS_WITH_AS(Device::cpu(1, "sse9"), doctest::Contains("sse9"), Error);
    CHECK_THROWS_AS(Device::cpu(-1), Error);
    CHECK_THROWS_AS(Device::cpu(200000), Error);
    CHECK_THROWS_AS(s.add_buffer("counters", DType::f32, {1}), Error);
    CHECK_THROWS_AS(Executable(s).run(1), Error);
}

}  // namespace
}  // namespace drydock::test

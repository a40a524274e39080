#include "core/executable_group.h"

#include <doctest/doctest.h>

#include <deque>

#include "base/error.h"
#include "tests/core/harness.h"
#include "tests/core/regression.h"

namespace drydock::test {
namespace {

struct Group {
    Device device;
    std::deque<Regression> members;
    std::deque<Executable> executables;

    explicit Group(int threads, std::int64_t size = 5) : device(Device::cpu(threads)) {
        for (std::int64_t i = 0; i < size; ++i) {
            Regression& r = members.emplace_back(DType::f32, device, 20 + u(i));
            Executable& e = executables.emplace_back(r.state);
            e.add(record(r.state, [&](Graph& g) { r.update(g); }));
            // Every third update leaves the target alone.
            e.add(record(r.state, [&](Graph& g) { g.minimize(r.loss(g), r.group); }));
            e.set_schedule([](std::int64_t k) { return k % 3 == 2 ? 1U : 0U; });
        }
    }
    static std::uint64_t u(std::int64_t i) { return static_cast<std::uint64_t>(i); }
    std::vector<Executable*> pointers() {
        std::vector<Executable*> out;
        for (Executable& e : executables) out.push_back(&e);
        return out;
    }
};

TEST_CASE("a group ends in the bits of its members run alone, for any number of threads") {
    Group alone(1);
    for (Executable& e : alone.executables) e.run(20);
    for (const int threads : {1, 2, 5}) {
        Group together(threads);
        ExecutableGroup group(together.pointers());
        group.run(7);
        group.run(13);
        for (std::size_t i = 0; i < together.members.size(); ++i) {
            CHECK(together.members[i].state.counters().step == 20);
            CHECK(same_bits(together.members[i].parameters(), alone.members[i].parameters()));
        }
    }
    CHECK_FALSE(same_bits(alone.members[0].parameters(), alone.members[1].parameters()));
}

TEST_CASE("a member may go on alone, and another group with it") {
    Group alone(1, 3), together(2, 3);
    for (Executable& e : alone.executables) e.run(9);
    ExecutableGroup(together.pointers()).run(4);
    together.executables[0].run(5);
    ExecutableGroup({&together.executables[1], &together.executables[2]}).run(5);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(same_bits(together.members[i].parameters(), alone.members[i].parameters()));
    }
}

TEST_CASE("members that are not alike are refused") {
    Group a(1, 2), b(1, 1);
    CHECK_THROWS_WITH_AS(ExecutableGroup({&a.executables[0], &b.executables[0]}),
                         doctest::Contains("one device"), Error);
    CHECK_THROWS_WITH_AS(ExecutableGroup({}), doctest::Contains("got none"), Error);
    Executable& shorter = a.executables.emplace_back(a.members[1].state);
    CHECK_THROWS_WITH_AS(ExecutableGroup({&a.executables[0], &shorter}),
                         doctest::Contains("2 programs"), Error);
    for (int i = 0; i < 2; ++i) {
        shorter.add(
            record(a.members[1].state, [&](Graph& g) { g.metric("loss", a.members[1].loss(g)); }));
    }
    CHECK_THROWS_WITH_AS(ExecutableGroup({&a.executables[0], &shorter}),
                         doctest::Contains("program 0 differs"), Error);
    a.executables[1].run(1);
    ExecutableGroup group({&a.executables[0], &a.executables[1]});
    CHECK_THROWS_WITH_AS(group.run(1), doctest::Contains("at step 0"), Error);
}

}  // namespace
}  // namespace drydock::test

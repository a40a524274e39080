// Random fills are the functions of base/philox.h, element by element.
#include "base/philox.h"
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

constexpr std::uint64_t kStream = stream_id("policy_action");
constexpr Counters kCounters = {7, 42, 1'000'003};

template <class T>
Guarded<T> filled(Distribution d, const Counters& counters, Index n) {
    Guarded<T> out(n);
    const RandomFill args = {dtype_of<T>(), d, -2, 6, kStream, &counters, n, out.data()};
    run_both_ways(cpu_table(Isa::portable).random_fill, args, out);
    for_each_isa([&](const CpuTable& table) {
        Guarded<T> again(n);
        RandomFill other = args;
        other.out = again.data();
        const bool taken = run_covered(table.random_fill, &CpuTable::random_fill, other, again);
        CHECK((taken || !std::is_same_v<T, float> || d != Distribution::uniform));
        CHECK(same_bits(again, out));
    });
    return out;
}

}  // namespace

TEST_CASE("random fills are the draws of their stream") {
    const Index n = 2 * 8192 + 17;
    const auto u32 = filled<float>(Distribution::uniform, kCounters, n);
    const auto u64 = filled<double>(Distribution::uniform, kCounters, n);
    const auto n32 = filled<float>(Distribution::normal, kCounters, n);
    const auto n64 = filled<double>(Distribution::normal, kCounters, n);
    const auto rows = filled<std::int64_t>(Distribution::row_index, kCounters, n);
    Index wrong = 0;
    for (Index i = 0; i < n; ++i) {
        const auto e = static_cast<std::uint64_t>(i);
        wrong += u32[i] != -2 + 8 * uniform_f32(42, kStream, 7, e);
        wrong += u64[i] != -2 + 8 * uniform_f64(42, kStream, 7, e);
        wrong += n32[i] != normal_f32(42, kStream, 7, e);
        wrong += n64[i] != normal_f64(42, kStream, 7, e);
        wrong += rows[i] != static_cast<Index>(random_index(42, kStream, 7, e, 1'000'003));
    }
    CHECK(wrong == 0);
}

TEST_CASE("uniforms of any number and a step of two words") {
    const Counters counters = {(Index{5} << 32) + 3, 42, 9};
    for (Index n : {1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 8191, 8193}) {
        const auto u = filled<float>(Distribution::uniform, counters, n);
        const float want = uniform_f32(42, kStream, (std::uint64_t{5} << 32) + 3,
                                       static_cast<std::uint64_t>(n - 1));
        CHECK(u[n - 1] == -2 + 8 * want);
    }
}

TEST_CASE("random fills keep to their ranges and moments") {
    const Index n = 100'000;
    const auto uniform = filled<float>(Distribution::uniform, kCounters, n);
    const auto normal = filled<float>(Distribution::normal, kCounters, n);
    const auto rows = filled<std::int64_t>(Distribution::row_index, kCounters, n);
    double mean = 0, normal_mean = 0, square = 0, row_mean = 0;
    bool inside = true;
    for (Index i = 0; i < n; ++i) {
        inside =
            inside && uniform[i] >= -2 && uniform[i] < 6 && rows[i] >= 0 && rows[i] < 1'000'003;
        mean += uniform[i] / 1e5;
        normal_mean += normal[i] / 1e5;
        square += normal[i] * normal[i] / 1e5;
        row_mean += static_cast<double>(rows[i]) / 1e5;
    }
    CHECK(inside);
    CHECK(std::fabs(mean - 2) < 0.05);
    CHECK(std::fabs(normal_mean) < 0.02);
    CHECK(std::fabs(square - 1) < 0.03);
    CHECK(std::fabs(row_mean / 1'000'003 - 0.5) < 0.01);
}

TEST_CASE("another step or seed gives other draws, read when the kernel runs") {
    const auto draws = filled<double>(Distribution::uniform, kCounters, 64);
    CHECK(draws[0] != filled<double>(Distribution::uniform, {8, 42, 5}, 64)[0]);
    CHECK(draws[0] != filled<double>(Distribution::uniform, {7, 43, 5}, 64)[0]);
    CHECK(draws[0] == filled<double>(Distribution::uniform, {7, 42, 5}, 64)[0]);
}

TEST_CASE("row indices are integers and the other draws are not") {
    const CpuKernel<RandomFill>& kernel = cpu_table(Isa::portable).random_fill;
    const auto check = [&](DType dtype, Distribution d) {
        return kernel.check({dtype, d, 0, 1, kStream, nullptr, 4, nullptr});
    };
    CHECK(check(DType::i64, Distribution::row_index) == Status::ok);
    CHECK(check(DType::f32, Distribution::row_index) == Status::bad_argument);
    CHECK(check(DType::i64, Distribution::uniform) == Status::bad_argument);
    CHECK(check(DType::f64, Distribution::normal) == Status::ok);
}

// No kernel takes memory from the heap while it runs, whatever the sizes.
#include <cstdlib>
#include <memory>

#include "tests/kernels/allocations.h"
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

constexpr Index kLargest = 2048;

// The first and the last unit: they cover the full tiles and those at the edges.
template <class Args>
void check_no_allocations(const CpuKernel<Args>& kernel, const Args& args) {
    REQUIRE(kernel.check(args) == Status::ok);
    const Index units = kernel.units(args);
    const std::size_t before = allocations();
    kernel.run(args, 0, 1);
    kernel.run(args, units - 1, units);
    const std::size_t taken = allocations() - before;
    CHECK(taken == 0);
}

// One array that is large enough for any operand here, and its elements' dtype.
template <class T>
struct Memory {
    static constexpr DType dtype = dtype_of<T>();
    std::vector<T> in = std::vector<T>(static_cast<std::size_t>(kLargest * kLargest), T(0.5));
    std::vector<T> out = in, more = in;
};

template <class T>
void check_products(const CpuTable& table, Memory<T>& m, Index N, Index I, Index O) {
    INFO("N ", N, " I ", I, " O ", O);
    const T *in = m.in.data(), *more = m.more.data();
    T* out = m.out.data();
    const Activation relu = Activation::relu;
    check_no_allocations(table.linear_forward, {m.dtype, relu, N, I, O, in, I, more, in, out, O});
    check_no_allocations(table.linear_input_gradient,
                         {m.dtype, relu, N, I, O, in, O, more, in, out, I});
    check_no_allocations(table.linear_weight_gradient,
                         {m.dtype, N, I, O, in, O, more, I, out, m.in.data()});
    for (int t = 0; t < 4; ++t) {
        const bool ta = (t & 1) != 0, tb = (t & 2) != 0;
        check_no_allocations(cpu_table(Isa::portable).matmul,
                             {m.dtype, ta, tb, N, O, I, in, ta ? N : I, more, tb ? I : O, out, O});
    }
}

template <class T>
void check_others(const CpuTable& table, Memory<T>& m) {
    const Index n = kLargest * kLargest, r = kLargest;
    const T *in = m.in.data(), *more = m.more.data();
    T* out = m.out.data();
    const MapShape shape = {{1, 1, r, r}};
    const Operand x = {in, {0, 0, r, 1}}, transposed = {more, {0, 0, 1, r}};
    const Result y = {out, {0, 0, r, 1}};
    const std::vector<Index> indices(static_cast<std::size_t>(r), 3);
    const Counters counters = {1, 2, 3};
    OptimizerHyper h = {};
    h.beta1_power = h.beta2_power = 1;
    const CpuTable& portable = cpu_table(Isa::portable);
    check_no_allocations(portable.unary, {m.dtype, Unary::tanh, 0, 0, shape, transposed, y});
    check_no_allocations(table.unary, {m.dtype, Unary::gelu, 0, 0, shape, x, y});
    check_no_allocations(portable.binary, {m.dtype, Binary::mul, shape, x, transposed, y});
    check_no_allocations(table.binary, {m.dtype, Binary::gelu_gradient, shape, x, x, y});
    check_no_allocations(table.where, {m.dtype, shape, x, x, x, y});
    check_no_allocations(portable.where, {m.dtype, shape, x, x, transposed, y});
    check_no_allocations(portable.fill, {m.dtype, 1, n, out});
    check_no_allocations(portable.reduce, {m.dtype, Reduction::logsumexp, 1, r, r, in, out});
    check_no_allocations(portable.gather_rows, {m.dtype, r, r, r, in, r, indices.data(), out});
    check_no_allocations(portable.scatter_add_rows, {m.dtype, r, r, r, indices.data(), in, out});
    check_no_allocations(portable.select_row, {m.dtype, r, r, in, &counters, out});
    check_no_allocations(portable.random_fill,
                         {m.dtype, Distribution::normal, 0, 1, 5, &counters, n, out});
    const CausalAttention attention = {
        m.dtype, 2, 2, 60, 1000, 900, 1, 1, 0.1, in, in, in, in, out, m.out.data() + n / 2};
    check_no_allocations(table.causal_attention, attention);
    check_no_allocations(table.causal_attention_gradient,
                         {m.dtype, attention, more, m.in.data(), m.in.data() + n / 2});
    check_no_allocations(table.random_fill,
                         {m.dtype, Distribution::uniform, 0, 1, 5, &counters, n, out});
    T* const tail = m.out.data() + n - 2 * r;
    check_no_allocations(table.layer_norm, {m.dtype, 1e-5, r, r - 2, in, in, more, out, tail});
    check_no_allocations(table.layer_norm_input_gradient,
                         {m.dtype, r, r - 2, in, more, in, tail, out});
    check_no_allocations(table.layer_norm_weight_gradient,
                         {m.dtype, r, r - 2, in, more, tail, out, m.out.data() + r});
    check_no_allocations(table.expectile_loss, {m.dtype, 0.7, n, in, out, out + 1});
    check_no_allocations(portable.mse_loss, {m.dtype, n - 1, in, more, out, out + 1});
    check_no_allocations(portable.gaussian_log_prob, {m.dtype, r, 6, in, in, more, out});
    check_no_allocations(portable.gaussian_log_prob_gradient,
                         {m.dtype, r, 6, in, in, in, more, out, m.out.data() + n / 2});
    check_no_allocations(portable.optimizer_tick, {&h});
    check_no_allocations(table.adam_step,
                         {m.dtype, r, in, out, out + n / 4, out + n / 2, &h, m.more.data(), 0.005});
    check_no_allocations(table.polyak, {m.dtype, r, 0.005, in, out});
    check_no_allocations(portable.squared_norm, {m.dtype, n, in, out});
    check_no_allocations(portable.clip_by_norm, {m.dtype, r, 1, more, out});
}

}  // namespace

TEST_CASE("the counter sees malloc, new and aligned memory") {
    if (!allocations_are_counted()) {
        MESSAGE("skipped: a sanitizer replaces the heap");
        return;
    }
    const std::size_t before = allocations();
    void* volatile a = std::malloc(10);
    int* volatile b = new int(3);
    void* volatile c = std::aligned_alloc(64, 64);
    CHECK(allocations() - before >= 3);
    std::free(a);
    delete b;
    std::free(c);
}

TEST_CASE("no kernel allocates while it runs") {
    if (!allocations_are_counted()) {
        MESSAGE("skipped: a sanitizer replaces the heap");
        return;
    }
    Memory<float> f32;
    Memory<double> f64;
    for_each_isa([&](const CpuTable& table) {
        for (Index N : {Index{1}, Index{7}, Index{60}, Index{256}, kLargest}) {
            for (Index I : {Index{1}, Index{17}, Index{256}, kLargest}) {
                for (Index O : {Index{1}, Index{20}, Index{257}, kLargest}) {
                    check_products(table, f32, N, I, O);
                    check_products(cpu_table(Isa::portable), f64, N, I, O);
                }
            }
        }
        check_others(table, f32);
        check_others(cpu_table(Isa::portable), f64);
    });
}

// Random numbers: every element is a pure function of its index, so units are plain blocks.
#include "kernels/api/random.h"

#include "base/philox.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

Status check(const RandomFill& r) {
    const bool index = r.distribution == Distribution::row_index;
    return valid((index ? r.dtype == DType::i64 : is_float(r.dtype)) && r.n >= 0 && r.begin >= 0 &&
                 r.begin % 4 == 0);
}

std::int64_t units(const RandomFill& r) { return ceil_div(r.n, kBlock); }

// out[i] = draw(seed, stream, step, begin + i)
template <class T, class F>
void fill(const RandomFill& r, Range range, F draw) {
    const std::uint64_t step = static_cast<std::uint64_t>(r.counters->step);
    T* out = static_cast<T*>(r.out);
    for (std::int64_t i = range.first; i < range.last; ++i) {
        out[i] = draw(r.counters->seed, r.stream, step, static_cast<std::uint64_t>(r.begin + i));
    }
}

// As uniform_f32 of each element, with the four words of a block at once.
void fill_uniform_f32(const RandomFill& r, Range range, float low, float width) {
    float* out = static_cast<float*>(r.out);
    const auto step = static_cast<std::uint64_t>(r.counters->step);
    for (std::int64_t i = range.first; i < range.last; i += 4) {
        const PhiloxBlock block = random_block(r.counters->seed, r.stream, step,
                                               static_cast<std::uint64_t>((r.begin + i) / 4));
        const std::int64_t n = std::min<std::int64_t>(4, range.last - i);
        for (std::int64_t k = 0; k < n; ++k) {
            out[i + k] = low + width * uniform_f32_of(block.word[k]);
        }
    }
}

void fill_uniform(const RandomFill& r, Range range) {
    using U = std::uint64_t;
    if (r.dtype == DType::f32) {
        const float low = static_cast<float>(r.low), width = static_cast<float>(r.high - r.low);
        fill_uniform_f32(r, range, low, width);
    } else {
        fill<double>(r, range, [&](U seed, U stream, U step, U i) {
            return r.low + (r.high - r.low) * uniform_f64(seed, stream, step, i);
        });
    }
}

void fill_normal(const RandomFill& r, Range range) {
    using U = std::uint64_t;
    if (r.dtype == DType::f32) {
        fill<float>(r, range, [](U seed, U stream, U step, U i) {
            return normal_f32(seed, stream, step, i);
        });
    } else {
        fill<double>(r, range, [](U seed, U stream, U step, U i) {
            return normal_f64(seed, stream, step, i);
        });
    }
}

void fill_row_index(const RandomFill& r, Range range) {
    using U = std::uint64_t;
    const U rows = static_cast<U>(r.counters->dataset_size);
    fill<std::int64_t>(r, range, [=](U seed, U stream, U step, U i) {
        return static_cast<std::int64_t>(random_index(seed, stream, step, i, rows));
    });
}

void run(const RandomFill& r, std::int64_t first, std::int64_t last) {
    const Range range{first * kBlock, std::min(last * kBlock, r.n)};
    switch (r.distribution) {
        case Distribution::uniform:
            return fill_uniform(r, range);
        case Distribution::normal:
            return fill_normal(r, range);
        case Distribution::row_index:
            return fill_row_index(r, range);
    }
}

}  // namespace

CpuKernel<RandomFill> random_fill() { return {check, units, run}; }

}  // namespace drydock::kernels::portable

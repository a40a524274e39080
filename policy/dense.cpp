#include "policy/sets.h"

#include "policy/gelu.h"
#include "policy/pack.h"

namespace drydock::policy {
namespace {

constexpr int kHeadSums = 8;

// y[r][0..L) = start + w^T x[r] for kRows rows and kLanes outputs of a tile that is `width` wide.
template <class Fma, int kRows, int kLanes>
DRYDOCK_INLINE void hidden_lanes(const float* __restrict w, std::uint32_t width,
                                 const float* __restrict start, const Rows& x, std::uint32_t in,
                                 const Rows& y) {
    float sum[kRows][kLanes];
    for (int r = 0; r < kRows; ++r) {
        for (int j = 0; j < kLanes; ++j) {
            sum[r][j] = start[j];
        }
    }
    const float* from[kRows];
    for (int r = 0; r < kRows; ++r) {
        from[r] = x[static_cast<std::uint64_t>(r)];
    }
    for (std::uint32_t k = 0; k < in; ++k, w += width) {
        // Unrolled, the sums become vector registers.
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
            const float xk = from[r][k];
#pragma GCC unroll 64
            for (int j = 0; j < kLanes; ++j) {
                sum[r][j] = Fma::fma(w[j], xk, sum[r][j]);
            }
        }
    }
    for (int r = 0; r < kRows; ++r) {
        float* const out = y[static_cast<std::uint64_t>(r)];
        for (int j = 0; j < kLanes; ++j) {
            out[j] = sum[r][j];
        }
    }
}

// kRows rows of a whole tile.
template <class Fma, int kRows, int kLanes>
DRYDOCK_INLINE void hidden_tile(const float* w, std::uint32_t width, const float* start,
                                const Rows& x, std::uint32_t in, const Rows& y) {
    for (std::uint32_t lane = 0; lane < width; lane += kLanes) {
        hidden_lanes<Fma, kRows, kLanes>(w + lane, width, start + lane, x, in,
                                         {y.data + lane, y.stride});
    }
}

// The same with as many lanes as the tile has, up to kLanes.
template <class Fma, int kRows, int kLanes>
DRYDOCK_INLINE void hidden_any(const float* w, std::uint32_t width, const float* start,
                               const Rows& x, std::uint32_t in, const Rows& y) {
    if constexpr (kLanes > 8) {
        if (width < static_cast<std::uint32_t>(kLanes)) {
            return hidden_any<Fma, kRows, kLanes / 2>(w, width, start, x, in, y);
        }
    }
    hidden_tile<Fma, kRows, kLanes>(w, width, start, x, in, y);
}

// y[0..8) = bias + w^T x for one tile of the last layer.
template <class Fma>
DRYDOCK_INLINE void head_tile(const float* __restrict w, const float* __restrict bias,
                              const float* __restrict x, std::uint32_t in, float* __restrict y) {
    float sum[kHeadSums][8] = {};
    for (int j = 0; j < 8; ++j) {
        sum[0][j] = bias[j];
    }
    const std::uint32_t whole = in - in % kHeadSums;
    for (std::uint32_t k = 0; k < whole; k += kHeadSums) {
#pragma GCC unroll 8
        for (int s = 0; s < kHeadSums; ++s) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; ++j) {
                sum[s][j] = Fma::fma(w[(k + static_cast<std::uint32_t>(s)) * 8 + j],
                                     x[k + static_cast<std::uint32_t>(s)], sum[s][j]);
            }
        }
    }
    for (std::uint32_t k = whole; k < in; ++k) {
        for (int j = 0; j < 8; ++j) {
            sum[k - whole][j] = Fma::fma(w[k * 8 + j], x[k], sum[k - whole][j]);
        }
    }
    for (int j = 0; j < 8; ++j) {
        y[j] = ((sum[0][j] + sum[1][j]) + (sum[2][j] + sum[3][j])) +
               ((sum[4][j] + sum[5][j]) + (sum[6][j] + sum[7][j]));
    }
}

// In place; n is a multiple of 8.
template <class Fma>
DRYDOCK_INLINE void run_activation(Activation activation, float* y, std::uint64_t n) {
    if (activation == Activation::relu) {
        for (std::uint64_t i = 0; i < n; i += 8) {
            for (std::uint64_t j = i; j < i + 8; ++j) {
                y[j] = y[j] < 0.0f ? 0.0f : y[j];  // NaN stays
            }
        }
    } else if (activation == Activation::tanh) {
        for (std::uint64_t i = 0; i < n; i += 8) {
            for (std::uint64_t j = i; j < i + 8; ++j) {
                y[j] = drydock::tanh<Fma>(y[j]);
            }
        }
    } else if (activation == Activation::gelu) {
        for (std::uint64_t i = 0; i < n; i += 8) {
            for (std::uint64_t j = i; j < i + 8; ++j) {
                y[j] = gelu<Fma>(y[j]);
            }
        }
    }
}

// The outer loop is over weights, which many rows then find in the cache. kLanes: how many sums run
// at once where there is one row; it changes the speed, not the bits.
template <class Fma, int kLanes>
DRYDOCK_INLINE void run_hidden(const Layer& layer, std::uint32_t begin, std::uint32_t end,
                               const float* start, const Rows& x, std::uint64_t rows,
                               const Rows& y) {
    constexpr int kPair = kLanes / 2 > 8 ? kLanes / 2 : 8;
    constexpr int kFour = kLanes / 4 > 8 ? kLanes / 4 : 8;
    const auto outputs = static_cast<std::uint32_t>(padded(layer.out));
    std::uint32_t width = 0;
    for (std::uint32_t first = 0; first < outputs; first += width) {
        width = tile_of(first, outputs, false).width;
        const float* w =
            layer.weights + std::uint64_t{first} * layer.in + std::uint64_t{begin} * width;
        const std::uint32_t in = end - begin;
        std::uint64_t r = 0;
        for (; r + 4 <= rows; r += 4) {
            hidden_any<Fma, 4, kFour>(w, width, start + first, {x[r], x.stride}, in,
                                      {y[r] + first, y.stride});
        }
        for (; r + 2 <= rows; r += 2) {
            hidden_any<Fma, 2, kPair>(w, width, start + first, {x[r], x.stride}, in,
                                      {y[r] + first, y.stride});
        }
        if (r < rows) {
            hidden_any<Fma, 1, kLanes>(w, width, start + first, {x[r], x.stride}, in,
                                       {y[r] + first, y.stride});
        }
    }
}

template <class Fma>
DRYDOCK_INLINE void run_last(const Layer& layer, const float* x, float* y) {
    const auto outputs = static_cast<std::uint32_t>(padded(layer.out));
    for (std::uint32_t first = 0; first < outputs; first += 8) {
        head_tile<Fma>(layer.weights + std::uint64_t{first} * layer.in, layer.bias + first, x,
                       layer.in, y + first);
    }
}

template <class Fma>
DRYDOCK_INLINE drydock_act_status bound_action(const drydock_policy& p, const float* y,
                                               float* action) {
    bool finite = true, clamped = false;
    for (std::uint32_t i = 0; i < p.action_size; ++i) {
        const float value = Fma::fma(p.scale[i], y[i], p.bias[i]);
        const float bounded = value < p.low[i] ? p.low[i] : value > p.high[i] ? p.high[i] : value;
        finite &= is_finite(value);
        clamped |= bounded < value || bounded > value;
        action[i] = bounded;
    }
    if (!finite) {
        return DRYDOCK_ACT_OUTPUT_NOT_FINITE;
    }
    return clamped ? DRYDOCK_ACT_OUTPUT_CLAMPED : DRYDOCK_ACT_OK;
}

}  // namespace

void Portable::hidden_layer(const Layer& layer, std::uint32_t begin, std::uint32_t end,
                            const float* start, const Rows& x, std::uint64_t rows, const Rows& y) {
    // Emulated, one fma fills the registers; of instructions many must be under way at once.
    constexpr int kLanes = __is_same(Fma, HardwareFma) ? 64 : 8;
    run_hidden<Fma, kLanes>(layer, begin, end, start, x, rows, y);
}
void Portable::last_layer(const Layer& layer, const float* x, float* y) {
    run_last<Fma>(layer, x, y);
}
void Portable::activate(Activation activation, float* y, std::uint64_t n) {
    run_activation<Fma>(activation, y, n);
}
drydock_act_status Portable::scale_and_bound(const drydock_policy& policy, const float* y,
                                             float* action) {
    return bound_action<Fma>(policy, y, action);
}

#if defined(__x86_64__)
DRYDOCK_AVX2 void Avx2::hidden_layer(const Layer& layer, std::uint32_t begin, std::uint32_t end,
                                     const float* start, const Rows& x, std::uint64_t rows,
                                     const Rows& y) {
    run_hidden<Fma, 64>(layer, begin, end, start, x, rows, y);
}
DRYDOCK_AVX2 void Avx2::last_layer(const Layer& layer, const float* x, float* y) {
    run_last<Fma>(layer, x, y);
}
DRYDOCK_AVX2 void Avx2::activate(Activation activation, float* y, std::uint64_t n) {
    run_activation<Fma>(activation, y, n);
}
DRYDOCK_AVX2 drydock_act_status Avx2::scale_and_bound(const drydock_policy& policy, const float* y,
                                                      float* action) {
    return bound_action<Fma>(policy, y, action);
}
#endif

}  // namespace drydock::policy

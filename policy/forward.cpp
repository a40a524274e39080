#include "policy/forward.h"

#include "base/math.h"
#include "policy/pack.h"

namespace drydock::policy {
namespace {

constexpr int kHeadSums = 8;

DRYDOCK_INLINE bool is_finite(float x) {
    // By its bits: a comparison might be optimised away in a build with -ffast-math.
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7f800000u) != 0x7f800000u;
}

// y[0..W) = bias + w^T x for one tile of a hidden layer, kLanes sums at a time.
template <class Fma, int W, int kLanes>
DRYDOCK_INLINE void hidden_tile(const float* __restrict w, const float* __restrict bias,
                                const float* __restrict x, std::uint32_t in, float* __restrict y) {
    for (int lane = 0; lane < W; lane += kLanes) {
        float sum[kLanes];
        for (int j = 0; j < kLanes; ++j) {
            sum[j] = bias[lane + j];
        }
        const float* row = w + lane;
        for (std::uint32_t k = 0; k < in; ++k, row += W) {
            const float xk = x[k];
            // Unrolled, the sums become vector registers.
#pragma GCC unroll 64
            for (int j = 0; j < kLanes; ++j) {
                sum[j] = Fma::fma(row[j], xk, sum[j]);
            }
        }
        for (int j = 0; j < kLanes; ++j) {
            y[lane + j] = sum[j];
        }
    }
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
DRYDOCK_INLINE void activate(Activation activation, float* y, std::uint32_t n) {
    if (activation == Activation::relu) {
        for (std::uint32_t i = 0; i < n; i += 8) {
            for (std::uint32_t j = i; j < i + 8; ++j) {
                y[j] = y[j] < 0.0f ? 0.0f : y[j];  // NaN stays
            }
        }
    } else if (activation == Activation::tanh) {
        for (std::uint32_t i = 0; i < n; i += 8) {
            for (std::uint32_t j = i; j < i + 8; ++j) {
                y[j] = drydock::tanh<Fma>(y[j]);
            }
        }
    }
}

// kLanes: how many sums of a hidden tile run at once; it changes the speed, not the bits.
template <class Fma, int kLanes>
DRYDOCK_INLINE void run_layer(const Layer& layer, bool last, const float* x, float* y) {
    constexpr auto lanes = [](int width) { return kLanes < width ? kLanes : width; };
    const auto outputs = static_cast<std::uint32_t>(padded(layer.out));
    std::uint32_t width = 0;
    for (std::uint32_t first = 0; first < outputs; first += width) {
        width = tile_of(first, outputs, last).width;
        const float* w = layer.weights + std::uint64_t{first} * layer.in;
        const float* bias = layer.bias + first;
        if (last) {
            head_tile<Fma>(w, bias, x, layer.in, y + first);
        } else if (width == 64) {
            hidden_tile<Fma, 64, lanes(64)>(w, bias, x, layer.in, y + first);
        } else if (width == 32) {
            hidden_tile<Fma, 32, lanes(32)>(w, bias, x, layer.in, y + first);
        } else if (width == 16) {
            hidden_tile<Fma, 16, lanes(16)>(w, bias, x, layer.in, y + first);
        } else {
            hidden_tile<Fma, 8, lanes(8)>(w, bias, x, layer.in, y + first);
        }
    }
}

DRYDOCK_INLINE drydock_act_status normalise(const drydock_policy& p, const float* observation,
                                            float* x) {
    bool clipped = false;
    for (std::uint32_t i = 0; i < p.observation_size; ++i) {
        const float value = (observation[i] - p.mean[i]) / p.deviation[i];
        const float bounded = value < -p.clip ? -p.clip : value > p.clip ? p.clip : value;
        clipped |= bounded < value || bounded > value;
        x[i] = bounded;
    }
    return clipped ? DRYDOCK_ACT_INPUT_OUT_OF_RANGE : DRYDOCK_ACT_OK;
}

template <class Fma>
DRYDOCK_INLINE drydock_act_status scale_and_bound(const drydock_policy& p, const float* y,
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

template <class Fma, int kLanes>
DRYDOCK_INLINE drydock_act_status run(const drydock_policy& p, const float* observation,
                                      float* workspace, float* action) {
    float* x = workspace;
    float* y = workspace + workspace_floats(p.architecture);
    const drydock_act_status input = normalise(p, observation, x);
    const std::uint32_t layers = p.architecture.layers;
    for (std::uint32_t k = 0; k < layers; ++k) {
        const bool last = k + 1 == layers;
        run_layer<Fma, kLanes>(p.layers[k], last, x, y);
        activate<Fma>(last ? p.architecture.head : p.architecture.hidden, y,
                      static_cast<std::uint32_t>(padded(p.layers[k].out)));
        float* const swap = x;
        x = y;
        y = swap;
    }
    return input | scale_and_bound<Fma>(p, x, action);
}

drydock_act_status run_portable(const drydock_policy& p, const float* observation, float* workspace,
                                float* action) {
    return run<DefaultFma, 8>(p, observation, workspace, action);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) drydock_act_status run_avx2(const drydock_policy& p,
                                                                const float* observation,
                                                                float* workspace, float* action) {
    return run<HardwareFma, 64>(p, observation, workspace, action);
}
#endif

}  // namespace

Runner portable_runner() {
    constexpr bool hardware = __is_same(DefaultFma, HardwareFma);
    return {run_portable, hardware ? "fma" : "portable"};
}

Runner best_runner() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return {run_avx2, "avx2"};
    }
#endif
    return portable_runner();
}

}  // namespace drydock::policy

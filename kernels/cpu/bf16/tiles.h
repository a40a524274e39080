// A Block of product.h on AMX: 32 x 32 outputs in four tiles.
#pragma once

#include "base/amx.h"
#include "kernels/cpu/bf16/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

constexpr int64_t kTile = 16;  // rows of a tile, and floats or pairs in a row

template <int R, int C>
DRYDOCK_INLINE void start_tile(bool first, const float* sums) {
    if (first) {
        amx::zero<2 * R + C>();
    } else {
        amx::load<2 * R + C>(sums + R * kTile * kPanel + C * kTile, kPanel * 4);
    }
}
template <int R, int C>
DRYDOCK_INLINE void end_tile(float* sums) {
    amx::store<2 * R + C>(sums + R * kTile * kPanel + C * kTile, kPanel * 4);
}

// sums (+)= R tiles of rows times C tiles of columns: sums in tiles 0 to 3, rows in 4 and 5,
// columns in 6 and 7.
template <int R, int C>
void tile_strip(const uint16_t* rows, const uint32_t* panel, int64_t steps, bool first,
                float* sums) {
    start_tile<0, 0>(first, sums);
    if constexpr (C == 2) start_tile<0, 1>(first, sums);
    if constexpr (R == 2) start_tile<1, 0>(first, sums);
    if constexpr (R == 2 && C == 2) start_tile<1, 1>(first, sums);
    for (int64_t s = 0; s < steps; ++s, rows += kStep, panel += kTile * kPanel) {
        amx::load<6>(panel, kPanel * 4);
        amx::load<4>(rows, kLeftRow * 2);
        amx::multiply_add<0, 4, 6>();
        if constexpr (C == 2) {
            amx::load<7>(panel + kTile, kPanel * 4);
            amx::multiply_add<1, 4, 7>();
        }
        if constexpr (R == 2) {
            amx::load<5>(rows + kTile * kLeftRow, kLeftRow * 2);
            amx::multiply_add<2, 5, 6>();
            if constexpr (C == 2) amx::multiply_add<3, 5, 7>();
        }
    }
    end_tile<0, 0>(sums);
    if constexpr (C == 2) end_tile<0, 1>(sums);
    if constexpr (R == 2) end_tile<1, 0>(sums);
    if constexpr (R == 2 && C == 2) end_tile<1, 1>(sums);
}

// The tiles are the thread's as long as it lives.
struct TileBlock {
    static constexpr int64_t kStrip = 2 * kTile;
    static constexpr bool kWholeStrips = true;

    DRYDOCK_INLINE TileBlock() { amx::configure(); }
    DRYDOCK_INLINE ~TileBlock() { amx::release(); }
    TileBlock(const TileBlock&) = delete;
    TileBlock& operator=(const TileBlock&) = delete;

    DRYDOCK_INLINE static void multiply(const uint16_t* rows, const uint32_t* panel, int64_t steps,
                                        int64_t n, int64_t columns, bool first, float* sums) {
        if (n > kTile) {
            const auto run = columns > kTile ? tile_strip<2, 2> : tile_strip<2, 1>;
            run(rows, panel, steps, first, sums);
        } else {
            const auto run = columns > kTile ? tile_strip<1, 2> : tile_strip<1, 1>;
            run(rows, panel, steps, first, sums);
        }
    }
};

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels

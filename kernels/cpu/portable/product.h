// Products of matrices in f32 and f64, cut into output tiles by the sizes alone. An element's bits
// depend on its row of a and its column of b only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {

constexpr std::int64_t kTileRows = 64, kTileColumns = 128;

// The part of an (M, N) output that one unit computes.
struct TileRange {
    std::int64_t row, rows, column, columns;
};

inline std::int64_t tile_count(std::int64_t M, std::int64_t N) {
    return ceil_div(M, kTileRows) * ceil_div(N, kTileColumns);
}

inline TileRange tile_range(std::int64_t unit, std::int64_t M, std::int64_t N) {
    const std::int64_t across = ceil_div(N, kTileColumns);
    const std::int64_t row = unit / across * kTileRows, column = unit % across * kTileColumns;
    return {row, std::min(kTileRows, M - row), column, std::min(kTileColumns, N - column)};
}

// A factor as it lies in memory: element (i, j) is data[i * ld + j], or data[j * ld + i] where it
// is stored transposed.
struct Factor {
    const void* data;
    std::int64_t ld;
    bool transposed;
};

// A tile's elements, kTileColumns apart.
template <class T>
struct Tile {
    T at[kTileRows * kTileColumns];
};

// tile = the part `range` of a b, with a (M, depth) and b (depth, N). T is float or double.
template <class T>
void multiply(Tile<T>& tile, const TileRange& range, std::int64_t depth, const Factor& a,
              const Factor& b);

// out[r][c] = f(tile[r][c], r, c), for the output's tile `range`; r and c count from its corner.
template <class T, class F>
void store(const Tile<T>& tile, const TileRange& range, void* out, std::int64_t ld, F f) {
    for (std::int64_t r = 0; r < range.rows; ++r) {
        T* row = static_cast<T*>(out) + (range.row + r) * ld + range.column;
        const T* from = tile.at + r * kTileColumns;
        for (std::int64_t c = 0; c < range.columns; ++c) row[c] = f(from[c], r, c);
    }
}

}  // namespace drydock::kernels::portable

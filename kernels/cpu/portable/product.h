// Products of matrices on Eigen, cut into output tiles by the sizes alone. A tile is accumulated in
// a small matrix on the stack, over blocks of the depth, so that Eigen's packing buffers are small
// and never come from the heap.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {

constexpr std::int64_t kTileRows = 64, kTileColumns = 128, kDepthBlock = 256;

template <class T>
using Tile =
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, kTileRows, kTileColumns>;

template <class T>
using View = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                        Eigen::Unaligned, Eigen::OuterStride<>>;

template <class T>
View<T> view(const void* data, std::int64_t rows, std::int64_t columns, std::int64_t ld) {
    return View<T>(static_cast<const T*>(data), rows, columns, Eigen::OuterStride<>(ld));
}

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

// tile = a b, with a (rows, depth) and b (depth, columns).
template <class T, class Left, class Right>
void multiply(Tile<T>& tile, const Left& a, const Right& b) {
    tile.setZero(a.rows(), b.cols());
    for (std::int64_t k = 0; k < a.cols(); k += kDepthBlock) {
        const std::int64_t depth = std::min(kDepthBlock, a.cols() - k);
        tile.noalias() += a.middleCols(k, depth) * b.middleRows(k, depth);
    }
}

// out[r][c] = f(tile[r][c], r, c), for the output's tile `range`; r and c count from its corner.
template <class T, class F>
void store(const Tile<T>& tile, const TileRange& range, void* out, std::int64_t ld, F f) {
    for (std::int64_t r = 0; r < range.rows; ++r) {
        T* row = static_cast<T*>(out) + (range.row + r) * ld + range.column;
        for (std::int64_t c = 0; c < range.columns; ++c) row[c] = f(tile(r, c), r, c);
    }
}

}  // namespace drydock::kernels::portable

// A tile is accumulated in place over blocks of the depth, so that Eigen's packing buffers are
// small and come from the stack.
#include "kernels/cpu/portable/product.h"

#include <Eigen/Core>

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kDepthBlock = 256;

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class M>
using Map = Eigen::Map<M, Eigen::Unaligned, Eigen::OuterStride<>>;

// Rows [i, i + rows) and columns [j, j + columns) of a factor that is not stored transposed.
template <class T>
Map<const Matrix<T>> block(const Factor& f, std::int64_t i, std::int64_t rows, std::int64_t j,
                           std::int64_t columns) {
    return {static_cast<const T*>(f.data) + i * f.ld + j, rows, columns,
            Eigen::OuterStride<>(f.ld)};
}

template <class T, class Left>
void add_product(Map<Matrix<T>> sums, const Left& a, const TileRange& t, std::int64_t k,
                 const Factor& b) {
    if (b.transposed) {
        sums.noalias() += a * block<T>(b, t.column, t.columns, k, a.cols()).transpose();
    } else {
        sums.noalias() += a * block<T>(b, k, a.cols(), t.column, t.columns);
    }
}

}  // namespace

template <class T>
void multiply(Tile<T>& tile, const TileRange& t, std::int64_t depth, const Factor& a,
              const Factor& b) {
    Map<Matrix<T>> sums(tile.at, t.rows, t.columns, Eigen::OuterStride<>(kTileColumns));
    sums.setZero();
    for (std::int64_t k = 0; k < depth; k += kDepthBlock) {
        const std::int64_t n = std::min(kDepthBlock, depth - k);
        if (a.transposed) {
            add_product<T>(sums, block<T>(a, k, n, t.row, t.rows).transpose(), t, k, b);
        } else {
            add_product<T>(sums, block<T>(a, t.row, t.rows, k, n), t, k, b);
        }
    }
}

template void multiply(Tile<float>&, const TileRange&, std::int64_t, const Factor&, const Factor&);
template void multiply(Tile<double>&, const TileRange&, std::int64_t, const Factor&, const Factor&);

}  // namespace drydock::kernels::portable

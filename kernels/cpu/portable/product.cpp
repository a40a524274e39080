// Block by block of the depth, a panel of b, a few vectors of columns wide, is copied so that its
// rows follow each other; strips of a few rows of the tile then run along it in registers. Columns
// that do not exist are zeros in the panel: the tile has room for their sums. Every sum is one
// chain along the depth, a product and an addition at a time.
#include "kernels/cpu/portable/product.h"

#include "base/compiler.h"

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kDepthBlock = 256;

// 16 bytes: vectors that every processor of its kind has. The sums of a strip are kStrip x kVectors
// of them.
template <class T>
struct Vectors {
    typedef T Vector __attribute__((vector_size(16)));
    struct Unaligned {
        Vector value;
    } __attribute__((packed, may_alias));

    static DRYDOCK_INLINE Vector load(const T* p) {
        return reinterpret_cast<const Unaligned*>(p)->value;
    }
    static DRYDOCK_INLINE void store(T* p, Vector v) { reinterpret_cast<Unaligned*>(p)->value = v; }
};
constexpr int kStrip = 3, kVectors = 4;
template <class T>
constexpr std::int64_t kLanes = 16 / sizeof(T);
template <class T>
constexpr std::int64_t kPanel = kVectors* kLanes<T>;

// Elements (row, k) at data[row * row_step + k * depth_step] of a factor.
template <class T>
struct Strided {
    const T* data;
    std::int64_t row_step, depth_step;
};

// Rows [k, k + depth) and columns [column, column + kPanel) of b, of which `columns` exist.
template <class T>
void pack(T* panel, const Factor& b, std::int64_t k, std::int64_t depth, std::int64_t column,
          std::int64_t columns) {
    const std::int64_t down = b.transposed ? 1 : b.ld, across = b.transposed ? b.ld : 1;
    const T* from = static_cast<const T*>(b.data) + k * down + column * across;
    for (std::int64_t d = 0; d < depth; ++d, from += down, panel += kPanel<T>) {
        for (std::int64_t c = 0; c < kPanel<T>; ++c) panel[c] = c < columns ? from[c * across] : 0;
    }
}

// R rows of sums, kTileColumns apart, += the rows of a times W vectors of a panel.
template <class T, int R, int W>
void add_strip(const Strided<T>& a, const T* panel, std::int64_t depth, T* sums) {
    using V = Vectors<T>;
    typename V::Vector sum[R][W];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < W; ++v) {
            sum[r][v] = V::load(sums + r * kTileColumns + v * kLanes<T>);
        }
    }
    const T* left = a.data;
    for (std::int64_t k = 0; k < depth; ++k, left += a.depth_step, panel += kPanel<T>) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const T x = left[r * a.row_step];
#pragma GCC unroll 4
            for (int v = 0; v < W; ++v) sum[r][v] += x * V::load(panel + v * kLanes<T>);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < W; ++v) {
            V::store(sums + r * kTileColumns + v * kLanes<T>, sum[r][v]);
        }
    }
}

template <class T>
using AddStrip = void (*)(const Strided<T>&, const T*, std::int64_t, T*);

// The strip of `rows` rows, 1 to R, and W vectors.
template <class T, int W, int R = kStrip>
AddStrip<T> strip_of_rows(std::int64_t rows) {
    if constexpr (R > 1) {
        if (rows < R) return strip_of_rows<T, W, R - 1>(rows);
    }
    return add_strip<T, R, W>;
}

// The strip of `rows` rows and at least `columns` columns, of which a panel may have more.
template <class T, int W = kVectors>
AddStrip<T> strip_for(std::int64_t rows, std::int64_t columns) {
    if constexpr (W > 1) {
        if (columns <= (W - 1) * kLanes<T>) return strip_for<T, W - 1>(rows, columns);
    }
    return strip_of_rows<T, W>(rows);
}

}  // namespace

template <class T>
void multiply(Tile<T>& tile, const TileRange& t, std::int64_t depth, const Factor& a,
              const Factor& b) {
    static_assert(kTileColumns % kPanel<T> == 0);
    alignas(64) T panel[kDepthBlock * kPanel<T>];
    const std::int64_t row_step = a.transposed ? 1 : a.ld, depth_step = a.transposed ? a.ld : 1;
    const T* left = static_cast<const T*>(a.data) + t.row * row_step;
    std::fill_n(tile.at, t.rows * kTileColumns, T(0));
    for (std::int64_t k = 0; k < depth; k += kDepthBlock, left += kDepthBlock * depth_step) {
        const std::int64_t n = std::min(kDepthBlock, depth - k);
        for (std::int64_t c = 0; c < t.columns; c += kPanel<T>) {
            pack(panel, b, k, n, t.column + c, t.columns - c);
            for (std::int64_t r = 0; r < t.rows; r += kStrip) {
                const AddStrip<T> add = strip_for<T>(t.rows - r, t.columns - c);
                add({left + r * row_step, row_step, depth_step}, panel, n,
                    tile.at + r * kTileColumns + c);
            }
        }
    }
}

template void multiply(Tile<float>&, const TileRange&, std::int64_t, const Factor&, const Factor&);
template void multiply(Tile<double>&, const TileRange&, std::int64_t, const Factor&, const Factor&);

}  // namespace drydock::kernels::portable

// The product of two f32 matrices of which both are rounded to bfloat16, for instructions that take
// elements of the depth in pairs: the vectors' vdpbf16ps and the tiles' tdpbf16ps, in AVX-512 both.
//
// A unit is a tile of the output, as in kernels/cpu/simd/product.h. Block by block of the depth,
// the unit's rows of the left factor are rounded into a buffer, where a row's elements stand side
// by side; panels of the right factor follow, of kPanel columns with the two elements of a pair
// side by side. What is beyond the depth is zero up to the next kStep. A `Block` multiplies the
// two: strips of at most Block::kStrip rows, with the sums in a third buffer.
#pragma once

#include "kernels/cpu/simd/layer_stores.h"
#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

constexpr int64_t kStep = 32;                 // elements of the depth in a vector of bfloat16
constexpr int64_t kLeftRow = kDepth + kStep;  // elements between rows of the left buffer

// The largest unit.
constexpr int64_t kMostRows = 128, kMostColumns = 256;

DRYDOCK_INLINE int64_t round_up(int64_t n, int64_t step) { return quotient_up(n, step) * step; }

DRYDOCK_INLINE __m512i as_integers(__m512bh v) { return reinterpret_cast<__m512i>(v); }

// Rounds 32 floats from p on; lanes from n on are zero, and memory behind p + n is not read.
DRYDOCK_INLINE __m512i round_row(const float* p, int64_t n) {
    const int64_t low = n < kLanes ? n : kLanes;
    const F32 high =
        n > kLanes ? simd::load_first(p + kLanes, smaller(kLanes, n - kLanes)) : simd::zero();
    return as_integers(_mm512_cvtne2ps_pbh(high, simd::load_first(p, low)));
}

// Lane i becomes the pair of the two vectors' lanes i, `even` in the lower half.
DRYDOCK_INLINE __m512i round_pairs(F32 even, F32 odd) {
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, as_integers(_mm512_cvtne2ps_pbh(odd, even)));
}

// A left factor whose depth lies along the rows of memory: element (m, k) is data[m * ld + k].
struct LeftRows {
    const float* data;
    int64_t ld;

    DRYDOCK_INLINE void operator()(uint16_t* to, int64_t row, int64_t rows, int64_t k,
                                   int64_t depth) const {
        for (int64_t r = 0; r < rows; ++r, to += kLeftRow) {
            const float* from = data + (row + r) * ld + k;
            for (int64_t d = 0; d < depth; d += kStep) {
                _mm512_store_si512(to + d, round_row(from + d, smaller(kStep, depth - d)));
            }
        }
    }
};

// One whose depth runs across them: element (m, k) is data[k * ld + m]. Where `sums` is given, the
// rows' elements are also added to it as they are, in ascending order of k.
struct LeftColumns {
    const float* data;
    int64_t ld;
    int64_t depth_of_all;
    float* sums;

    DRYDOCK_INLINE void operator()(uint16_t* to, int64_t row, int64_t rows, int64_t k,
                                   int64_t depth) const {
        for (int64_t m = 0; m < rows; m += kLanes) {
            const int64_t n = smaller(kLanes, rows - m);
            F32 sum = sums == nullptr ? simd::zero() : simd::load(sums + m);
            for (int64_t d = 0; d < depth; d += kStep) {
                const float* from = data + (k + d) * ld + row + m;
                F32 square[kLanes];
                for (int64_t i = 0; i < kLanes; ++i, from += 2 * ld) {
                    const int64_t left = depth - d - 2 * i;
                    if (k + d + 2 * i + 1 + kDepth < depth_of_all) {
                        prefetch_block<kDepth>(from, ld, n);
                        prefetch_block<kDepth>(from + ld, ld, n);
                    }
                    const F32 even = left > 0 ? simd::load_first(from, n) : simd::zero();
                    const F32 odd = left > 1 ? simd::load_first(from + ld, n) : simd::zero();
                    sum = simd::add(simd::add(sum, even), odd);
                    square[i] = simd::float_of(round_pairs(even, odd));
                }
                simd::transpose(square);
                for (int64_t i = 0; i < n; ++i) {
                    _mm512_store_si512(to + (m + i) * kLeftRow + d, simd::bits_of(square[i]));
                }
            }
            if (sums != nullptr) simd::store(sums + m, sum);
        }
    }
};

// A right factor that is stored as it is used: element (k, n) is data[k * ld + n].
struct RightRows {
    const float* data;
    int64_t ld;
    int64_t depth_of_all;

    DRYDOCK_INLINE void operator()(uint32_t* panel, int64_t k, int64_t depth, int64_t column,
                                   int64_t columns) const {
        const int64_t n0 = smaller(kLanes, columns), n1 = columns - n0;
        const float* p = data + k * ld + column;
        const int64_t end = round_up(depth, kStep);
        for (int64_t d = 0; d < end; d += 2, p += 2 * ld, panel += kPanel) {
            const bool even = d < depth, odd = d + 1 < depth;
            if (k + d + 1 + kDepth < depth_of_all) {
                prefetch_block<kDepth>(p, ld, columns);
                prefetch_block<kDepth>(p + ld, ld, columns);
            }
            const F32 zero = simd::zero();
            const __m512i low = round_pairs(even ? simd::load_first(p, n0) : zero,
                                            odd ? simd::load_first(p + ld, n0) : zero);
            const __m512i high =
                round_pairs(even && n1 > 0 ? simd::load_first(p + kLanes, n1) : zero,
                            odd && n1 > 0 ? simd::load_first(p + ld + kLanes, n1) : zero);
            _mm512_store_si512(panel, low);
            _mm512_store_si512(panel + kLanes, high);
        }
    }
};

// One that is stored transposed: element (k, n) is data[n * ld + k].
struct RightTransposed {
    const float* data;
    int64_t ld;

    DRYDOCK_INLINE void operator()(uint32_t* panel, int64_t k, int64_t depth, int64_t column,
                                   int64_t columns) const {
        for (int64_t n = 0; n < kPanel; n += kLanes) {
            for (int64_t d = 0; d < depth; d += kStep) {
                const float* p = data + (column + n) * ld + k + d;
                F32 square[kLanes];
                for (int64_t i = 0; i < kLanes; ++i, p += ld) {
                    square[i] = n + i < columns
                                    ? simd::float_of(round_row(p, smaller(kStep, depth - d)))
                                    : simd::zero();
                }
                simd::transpose(square);
                for (int64_t i = 0; i < kLanes; ++i) {
                    _mm512_store_si512(panel + (d / 2 + i) * kPanel + n, simd::bits_of(square[i]));
                }
            }
        }
    }
};

// The unit `u` of a product of depth K; finish as for blocked_unit.
template <class Block, class LeftFactor, class RightFactor, class Finish>
DRYDOCK_INLINE void pair_unit(const UnitRange& u, int64_t K, const LeftFactor& left,
                              const RightFactor& right, const Finish& finish) {
    constexpr int64_t kStrips = (kMostRows + Block::kStrip - 1) / Block::kStrip;
    constexpr int64_t kRows = kStrips * Block::kStrip;
    alignas(64) uint16_t rows[kRows * kLeftRow];
    alignas(64) uint32_t panel[kDepth / 2 * kPanel];
    alignas(64) float sums[kRows * kMostColumns];
    if (Block::kWholeStrips) {  // rows that do not exist are multiplied too
        for (int64_t r = u.rows; r < round_up(u.rows, Block::kStrip); ++r) {
            for (int64_t d = 0; d < kLeftRow; ++d) rows[r * kLeftRow + d] = 0;
        }
    }
    // Sums have to wait for the next block only where there is one.
    const int64_t next_tile = K > kDepth ? Block::kStrip * kPanel : 0;
    int64_t k = 0;
    do {
        const int64_t depth = smaller(kDepth, K - k), steps = quotient_up(depth, kStep);
        const bool last = k + kDepth >= K;
        left(rows, u.row, u.rows, k, depth);
        float* tile = sums;
        for (int64_t c = 0; c < u.columns; c += kPanel) {
            const int64_t columns = smaller(kPanel, u.columns - c);
            right(panel, k, depth, u.column + c, columns);
            for (int64_t row = 0; row < u.rows; row += Block::kStrip) {
                const int64_t n = smaller(Block::kStrip, u.rows - row);
                if (last) {
                    for (int64_t r = 0; r < n; ++r) {
                        finish.prefetch(u.row + row + r, u.column + c, columns);
                    }
                }
                Block::multiply(rows + row * kLeftRow, panel, steps, n, columns, k == 0, tile);
                if (last) finish_strip(u, row, n, c, columns, tile, finish);
                tile += next_tile;
            }
        }
        k += kDepth;
    } while (k < K);
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels

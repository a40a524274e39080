// The half of simt.h that g++ sees: CUDA's names, implemented by the emulator's runtime. A thread
// is a fiber that runs until it has to wait, so that a kernel's source needs no change.
//
// The names with two underscores are CUDA's and belong to the compiler's half of the name space;
// g++ and clang do not use them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses)

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct CUstream_st;
using cudaStream_t = CUstream_st*;

// Of the thread that runs at the moment.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
constexpr int warpSize = 32;

#define SIMT_UNROLL
#define SIMT_SHARED(type, name, extent)                                                            \
    using name##_shared_type = type extent;                                                        \
    static char name##_shared_tag;                                                                 \
    auto& name = *static_cast<name##_shared_type*>(::drydock::kernels::simt::detail::shared_array( \
        &name##_shared_tag, sizeof(name##_shared_type), alignof(name##_shared_type)))
#define SIMT_DYN_SHARED(type, name) \
    type* const name = static_cast<type*>(::drydock::kernels::simt::detail::dynamic_shared())

namespace drydock::kernels::simt {

// A place in a kernel's source, taken by default arguments.
struct Site {
    const char* file;
    int line;
    static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
};

namespace detail {

// Records that the lanes of `mask` brought to one warp operation; null for the other lanes.
struct WarpCall {
    unsigned mask;
    Site site;
    void* records[32];
};
using WarpOperation = void (*)(WarpCall&);

// The one primitive of all warp operations: waits until every lane of `mask` has come with the same
// mask, operation and site; the last one runs `operation` (may be null) over all records, after
// which all of them go on. `orders_memory` is for __syncwarp alone.
void warp_execute(unsigned mask, void* record, WarpOperation operation, bool orders_memory,
                  Site site);
void block_barrier(Site site);

// The lane that a shuffle reads, or `lane` itself where CUDA leaves the value alone. Reports a
// source lane that takes no part.
enum class Shuffle { index, up, down, exclusive_or };
int shuffle_source(Shuffle kind, const WarpCall& call, int lane, int argument, int width);

// `tag` tells declarations apart; the first thread of a block to come decides the place.
void* shared_array(const void* tag, std::size_t bytes, std::size_t alignment);
void* dynamic_shared();

// Runs body(context) for every thread of the grid. False if the launch is refused.
bool run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(void*), void* context);

template <class T>
struct ShuffleRecord {
    T value, result;
    int argument, width;
};

template <Shuffle kKind, class T>
void shuffle_operation(WarpCall& call) {
    for (int lane = 0; lane < warpSize; ++lane) {
        auto* mine = static_cast<ShuffleRecord<T>*>(call.records[lane]);
        if (!mine) continue;
        const int source = shuffle_source(kKind, call, lane, mine->argument, mine->width);
        mine->result = static_cast<ShuffleRecord<T>*>(call.records[source])->value;
    }
}

template <Shuffle kKind, class T>
T shuffle(unsigned mask, T value, int argument, int width, Site site) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    ShuffleRecord<T> record{value, value, argument, width};
    warp_execute(mask, &record, &shuffle_operation<kKind, T>, false, site);
    return record.result;
}

// In: the lane's predicate. Out: a bit for every lane whose predicate holds.
unsigned ballot(unsigned mask, bool predicate, Site site);

}  // namespace detail

template <class... Parameters, class... Arguments>
bool launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t, Arguments&&... arguments) {
    struct Call {
        void (*kernel)(Parameters...);
        std::tuple<Parameters...> values;
    } call{kernel, {std::forward<Arguments>(arguments)...}};
    auto body = [](void* context) {
        const auto& c = *static_cast<const Call*>(context);
        std::apply(c.kernel, c.values);
    };
    return detail::run_grid(grid, block, shared_bytes, body, &call);
}

inline float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
inline void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }

}  // namespace drydock::kernels::simt

inline void __syncthreads(
    drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    drydock::kernels::simt::detail::block_barrier(site);
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    drydock::kernels::simt::detail::warp_execute(mask, nullptr, nullptr, true, site);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    using namespace drydock::kernels::simt::detail;
    return shuffle<Shuffle::index>(mask, value, lane, width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    using namespace drydock::kernels::simt::detail;
    return shuffle<Shuffle::up>(mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    using namespace drydock::kernels::simt::detail;
    return shuffle<Shuffle::down>(mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    using namespace drydock::kernels::simt::detail;
    return shuffle<Shuffle::exclusive_or>(mask, value, lane_mask, width, site);
}

inline unsigned __ballot_sync(
    unsigned mask, int predicate,
    drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    return drydock::kernels::simt::detail::ballot(mask, predicate != 0, site);
}
inline int __any_sync(unsigned mask, int predicate,
                      drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    return drydock::kernels::simt::detail::ballot(mask, predicate != 0, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      drydock::kernels::simt::Site site = drydock::kernels::simt::Site::here()) {
    return drydock::kernels::simt::detail::ballot(mask, predicate != 0, site) == mask;
}

// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)

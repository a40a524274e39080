#include "policy/forward.h"

#include "policy/ends.h"

namespace drydock::policy {
namespace {

template <class Set>
DRYDOCK_INLINE drydock_act_status run(const drydock_policy& p, const float* observation,
                                      float* workspace, float* action) {
    const std::uint64_t stride = widest_layer(p.architecture);
    float* x = workspace;
    float* y = workspace + stride;
    const drydock_act_status input = normalise(p, observation, x);
    const std::uint32_t last = p.architecture.layers - 1;
    for (std::uint32_t k = 0; k < last; ++k) {
        whole_layer<Set>(p.layers[k], {x, stride}, 1, {y, stride});
        Set::activate(p.architecture.hidden, y, padded(p.layers[k].out));
        float* const swap = x;
        x = y;
        y = swap;
    }
    Set::last_layer(p.layers[last], x, y);
    if (p.architecture.argmax) {
        return input | choose_largest(y, p.layers[last].out, action);
    }
    Set::activate(p.architecture.head, y, padded(p.layers[last].out));
    return input | scale_and_bound<typename Set::Fma>(p, y, action);
}

drydock_act_status run_portable(const drydock_policy& p, const float* observation, std::uint64_t,
                                float* workspace, float* action) {
    return run<Portable>(p, observation, workspace, action);
}

#if defined(__x86_64__)
DRYDOCK_AVX2 drydock_act_status run_avx2(const drydock_policy& p, const float* observation,
                                         std::uint64_t, float* workspace, float* action) {
    return run<Avx2>(p, observation, workspace, action);
}
#endif

}  // namespace

Isa best_isa() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return Isa::avx2;
    }
#endif
    return Isa::portable;
}

const char* name_of(Isa isa) {
    constexpr bool hardware = __is_same(DefaultFma, HardwareFma);
    return isa == Isa::avx2 ? "avx2" : hardware ? "fma" : "portable";
}

std::uint64_t mlp_workspace(const Architecture& a) { return 2 * widest_layer(a); }

RunFunction run_mlp([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx2) {
        return run_avx2;
    }
#endif
    return run_portable;
}

}  // namespace drydock::policy

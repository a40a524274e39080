// Counts what reaches the allocator while the runtime works, by standing in for it.

#include <doctest/doctest.h>

#include "tests/policy/kinds.h"
#include "tests/policy/loaded.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)

TEST_CASE("acting allocates nothing") {
    MESSAGE("skipped: this build has an allocator of its own");
}

#else

namespace {
thread_local long allocations = 0;
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t n) {
    ++allocations;
    return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
    ++allocations;
    return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
    ++allocations;
    return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
    ++allocations;
    return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
    ++allocations;
    *p = __libc_memalign(alignment, n);
    return 0;
}
void free(void* p) {
    ++allocations;
    __libc_free(p);
}
}

TEST_CASE("the counter sees malloc and new") {
    // Through volatile pointers, or the compiler leaves out pairs that nobody looks at.
    void* (*volatile allocate)(std::size_t) = std::malloc;
    void (*volatile release)(void*) = std::free;
    const long before = allocations;
    release(allocate(10));
    CHECK(allocations == before + 2);
    int* volatile number = new int(1);
    delete number;
    CHECK(allocations == before + 4);
}

namespace {

// Loads the file and plays it in every way, counting.
void check_allocations(const std::vector<unsigned char>& file, std::size_t observations,
                       std::size_t actions, int steps) {
    const Block block = new_block({1 << 20, 64}), room = new_block({1 << 20, 64});
    std::vector<float> observation(observations, 0.5f), action(actions);
    drydock_diagnosis diagnosis = drydock::policy::new_diagnosis();
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()),
                                           file.size());
    drydock::policy::Policy loaded;
    drydock::policy::Context context;

    const long before = allocations;
    drydock::policy::Policy::load(bytes, {block.get(), 1 << 20}, loaded, &diagnosis);
    drydock::policy::Context::create(loaded, {room.get(), 1 << 20}, context);
    context.prewarm();
    context.set_target_return(100.0f);
    drydock_act_status said = DRYDOCK_ACT_OK;
    for (int i = 0; i < steps; ++i) {
        observation[0] = static_cast<float>(i % 100);
        said |= context.act(observation, action);
        context.observe_reward(1.0f);
        context.prepare_next();
        if (i % 100 == 0) {
            context.self_test();
            context.reset();
        }
    }
    const long after = allocations;

    CHECK(after == before);
    CHECK(loaded);
    CHECK(context);
    CHECK((said & DRYDOCK_ACT_BAD_CALL) == 0);
}

}  // namespace

TEST_CASE("loading, acting, self-testing and resetting allocate nothing") {
    TestPolicy policy = make_policy({17, 256, 256, 6});
    policy.add_golden(make_observations(policy, 4));
    check_allocations(policy.bytes(), 17, 6, 10'000);
    check_allocations(make_choosing({3, 16, 5}).bytes(), 3, 1, 1000);
    check_allocations(make_best_of_n({}).bytes(), 3, 2, 1000);
    const TransformerShape shape;
    TestPolicy transformer = make_transformer(shape);
    add_golden_episode(transformer, shape, episode_observations(3, 6), episode_rewards(6));
    check_allocations(transformer.bytes(), 3, 2, 1000);
}

#endif

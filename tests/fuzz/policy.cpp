// Any bytes through the policy runtime: size query, load, acting and self-test, in blocks of
// exactly the size that the queries name.
#include <drydock/policy.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace drydock::fuzz {
namespace {

constexpr std::size_t kLargestBlock = std::size_t{64} << 20;

struct Freed {
    void operator()(void* p) const { std::free(p); }
};
using Block = std::unique_ptr<void, Freed>;

Block new_block(std::size_t size, std::size_t alignment) {
    expect(alignment > 0 && (alignment & (alignment - 1)) == 0, "an alignment is a power of two");
    expect(size % alignment == 0, "a size is a multiple of its alignment");
    return Block(std::aligned_alloc(alignment, size));
}

drydock_diagnosis new_diagnosis() {
    drydock_diagnosis diagnosis{};
    diagnosis.struct_size = sizeof diagnosis;
    diagnosis.abi_version = DRYDOCK_POLICY_ABI;
    return diagnosis;
}

void check_refusal(Bytes input, drydock_status status) {
    drydock_diagnosis diagnosis = new_diagnosis();
    const drydock_policy* policy = nullptr;
    const drydock_status again =
        drydock_policy_load(input.data(), input.size(), nullptr, 0, &policy, &diagnosis);
    expect(again == status && policy == nullptr, "load refuses what the size query refuses");
    expect(std::memchr(diagnosis.text, 0, sizeof diagnosis.text) && diagnosis.text[0] != 0,
           "a refusal has a text");
    expect(diagnosis.status == status, "a diagnosis has the status");
}

void act(drydock_context* context, const drydock_policy_info& info, Bytes input) {
    std::vector<float> observation(info.observation_size), action(info.action_size);
    const float values[] = {0.0f,
                            1.0f,
                            -3.5f,
                            1e30f,
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()};
    for (std::size_t k = 0; k <= std::size(values); ++k) {
        for (std::size_t i = 0; i < observation.size(); ++i) {
            std::uint32_t bits = 0;
            const std::size_t at = (k * 131 + i * 4) % (input.size() - 3);
            std::memcpy(&bits, input.data() + at, sizeof bits);
            observation[i] = k < std::size(values) ? values[k] : std::bit_cast<float>(bits);
        }
        const drydock_act_status said = drydock_act(context, observation.data(), observation.size(),
                                                    action.data(), action.size());
        expect((said & DRYDOCK_ACT_BAD_CALL) == 0, "sizes from the policy fit");
        for (const float a : action) expect(std::isfinite(a), "an action is finite");
        drydock_observe_reward(context, observation[0]);
        if (k % 2 == 0) drydock_prepare_next(context);
    }
    expect(drydock_act(context, observation.data(), observation.size() + 1, action.data(),
                       action.size()) == DRYDOCK_ACT_BAD_CALL,
           "a wrong size is refused");
}

}  // namespace

void run(Bytes input) {
    std::size_t size = 0, alignment = 0;
    const drydock_status status =
        drydock_policy_size(input.data(), input.size(), &size, &alignment);
    if (status != DRYDOCK_OK) return check_refusal(input, status);
    expect(size <= kLargestBlock, "a block is in proportion to the file");
    const Block block = new_block(size, alignment);
    const drydock_policy* policy = nullptr;
    drydock_diagnosis diagnosis = new_diagnosis();
    const drydock_status loaded =
        drydock_policy_load(input.data(), input.size(), block.get(), size, &policy, &diagnosis);
    expect(loaded == diagnosis.status, "a diagnosis has the status");
    expect((loaded == DRYDOCK_OK) == (policy != nullptr), "a refusal gives no policy");
    if (loaded != DRYDOCK_OK) return;

    drydock_policy_info info{};
    info.struct_size = sizeof info;
    info.abi_version = DRYDOCK_POLICY_ABI;
    expect(drydock_policy_get_info(policy, &info) == DRYDOCK_OK, "a policy has its facts");
    expect(drydock_context_size(policy, &size, &alignment) == DRYDOCK_OK, "a context has a size");
    expect(size <= kLargestBlock, "a context is in proportion to the file");
    const Block context_block = new_block(size, alignment);
    drydock_context* context = nullptr;
    expect(drydock_context_create(policy, context_block.get(), size, &context) == DRYDOCK_OK,
           "a context is made");
    drydock_prewarm(context);
    act(context, info, input);
    drydock_set_target_return(context, 1.0f);
    drydock_reset(context);
    float largest = 0;
    const drydock_status tested = drydock_self_test(context, &largest);
    expect(
        tested == DRYDOCK_OK || tested == DRYDOCK_NO_GOLDEN || tested == DRYDOCK_SELF_TEST_FAILED,
        "a self-test passes, fails or has nothing to test");
}

}  // namespace drydock::fuzz

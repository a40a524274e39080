// A policy with one context, in blocks of exactly the size that the queries said.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "drydock/policy.hpp"

struct Freed {
    void operator()(void* p) const { std::free(p); }
};
using Block = std::unique_ptr<std::byte, Freed>;

inline Block new_block(const drydock::policy::Memory& memory) {
    // aligned_alloc wants a multiple of the alignment, which the sizes are.
    return Block(static_cast<std::byte*>(std::aligned_alloc(memory.alignment, memory.size)));
}

struct Loaded {
    drydock_status status = DRYDOCK_OK;
    drydock_diagnosis diagnosis = drydock::policy::new_diagnosis();
    Block policy_block, context_block;
    drydock::policy::Policy policy;
    drydock::policy::Context context;

    explicit Loaded(const std::vector<unsigned char>& file) {
        // At an odd address, as in a mapped archive, and without slack for overruns behind it.
        const std::unique_ptr<std::byte[]> copy(new std::byte[file.size() + 1]);
        std::transform(file.begin(), file.end(), copy.get() + 1,
                       [](auto c) { return std::byte{c}; });
        const std::span<const std::byte> bytes(copy.get() + 1, file.size());
        drydock::policy::Memory memory{64, 64};
        const drydock_status size_status = drydock::policy::Policy::memory(bytes, memory);
        policy_block = new_block(memory);
        status = drydock::policy::Policy::load(bytes, {policy_block.get(), memory.size}, policy,
                                               &diagnosis);
        if (size_status != DRYDOCK_OK && size_status != status) {
            status = -1;  // the size query must not refuse what the load accepts
        }
        if (status == DRYDOCK_OK) {
            policy.context_memory(memory);
            context_block = new_block(memory);
            status = drydock::policy::Context::create(policy, {context_block.get(), memory.size},
                                                      context);
        }
    }

    std::string text() const { return diagnosis.text; }

    // The action; the status of acting goes to `said` if that is given.
    std::vector<float> act(const std::vector<float>& observation,
                           drydock_act_status* said = nullptr) {
        std::vector<float> action(policy.info().action_size, -99.0f);
        const drydock_act_status result = context.act(observation, action);
        if (said != nullptr) {
            *said = result;
        }
        return action;
    }
};

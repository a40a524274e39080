#include "training/loaded_policy.h"

#include <fmt/format.h>

#include <filesystem>
#include <new>

#include "base/error.h"
#include "core/safetensors.h"
#include "training/seeds.h"

namespace drydock::training {
namespace {

AlignedBlock allocate(std::size_t size, std::size_t alignment) {
    auto* block = static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignment}));
    return {block, AlignedDelete{alignment}};
}

void check_return(drydock_status status, const char* what, double value) {
    if (status == DRYDOCK_OK || status == DRYDOCK_NOT_USED) return;
    throw Error(fmt::format("[policy] expected a finite {}, got {}: {}", what, value,
                            drydock_status_text(status)));
}

}  // namespace

void AlignedDelete::operator()(std::byte* block) const {
    ::operator delete[](block, std::align_val_t{alignment});
}

std::string policy_file(const std::string& path) {
    if (!std::filesystem::is_directory(path)) return path;
    const std::vector<std::string> seeds = seed_folders(path);
    if (!seeds.empty()) {
        throw Error(fmt::format("[policy] expected a policy or a run, got '{}' with {} seeds; name "
                                "one of them, as in {}",
                                path, seeds.size(), seeds.front()),
                    ErrorKind::usage);
    }
    return (std::filesystem::path(path) / "policy.safetensors").string();
}

LoadedPolicy::LoadedPolicy(std::span<const std::byte> file, const std::string& name) {
    std::size_t size = 0, alignment = 0;
    drydock_status status = drydock_policy_size(file.data(), file.size(), &size, &alignment);
    drydock_diagnosis diagnosis{};
    diagnosis.struct_size = sizeof diagnosis;
    diagnosis.abi_version = DRYDOCK_POLICY_ABI;
    // A file that the size query refuses goes to load all the same: load says why.
    if (status != DRYDOCK_OK) size = alignment = 64;
    block_ = allocate(size, alignment);
    status =
        drydock_policy_load(file.data(), file.size(), block_.get(), size, &policy_, &diagnosis);
    if (status != DRYDOCK_OK) {
        throw Error(fmt::format("[policy] could not load '{}': {}: {}", name,
                                drydock_status_text(status), diagnosis.text));
    }
}

LoadedPolicy LoadedPolicy::from_file(const std::string& path) { return {read_bytes(path), path}; }

drydock_policy_info LoadedPolicy::info() const {
    drydock_policy_info info{};
    info.struct_size = sizeof info;
    info.abi_version = DRYDOCK_POLICY_ABI;
    drydock_policy_get_info(policy_, &info);
    return info;
}

PolicyContext::PolicyContext(const LoadedPolicy& policy) {
    std::size_t size = 0, alignment = 0;
    drydock_status status = drydock_context_size(policy.get(), &size, &alignment);
    if (status == DRYDOCK_OK) {
        block_ = allocate(size, alignment);
        status = drydock_context_create(policy.get(), block_.get(), size, &context_);
    }
    if (status != DRYDOCK_OK) {
        throw Error(
            fmt::format("[policy] could not make a context: {}", drydock_status_text(status)));
    }
}

drydock_act_status PolicyContext::act(std::span<const float> observation, std::span<float> action) {
    const drydock_act_status status =
        drydock_act(context_, observation.data(), observation.size(), action.data(), action.size());
    if (status & DRYDOCK_ACT_BAD_CALL) {
        throw Error(
            fmt::format("[policy] act was called with {} observations and {} actions, which are "
                        "not the policy's sizes",
                        observation.size(), action.size()));
    }
    return status;
}

void PolicyContext::observe_reward(double reward) {
    check_return(drydock_observe_reward(context_, static_cast<float>(reward)), "reward", reward);
}

void PolicyContext::set_target_return(double target) {
    check_return(drydock_set_target_return(context_, static_cast<float>(target)), "target return",
                 target);
}

float PolicyContext::self_test() {
    float largest = 0;
    const drydock_status status = drydock_self_test(context_, &largest);
    if (status != DRYDOCK_OK) {
        throw Error(fmt::format("[policy] self-test: {} (largest difference {})",
                                drydock_status_text(status), largest));
    }
    return largest;
}

}  // namespace drydock::training

#include "policy/include/drydock/policy.h"

const char* drydock_status_text(drydock_status status) noexcept {
    switch (status) {
        case DRYDOCK_OK:
            return "done";
        case DRYDOCK_BAD_CALL:
            return "a pointer is null, or struct_size or abi_version is not set as the header says";
        case DRYDOCK_MISALIGNED:
            return "the block is not aligned as the size query said";
        case DRYDOCK_BLOCK_TOO_SMALL:
            return "the block is smaller than the size query said";
        case DRYDOCK_NOT_SAFETENSORS:
            return "the bytes are not a valid safetensors file";
        case DRYDOCK_NOT_A_POLICY:
            return "the file is not a drydock policy";
        case DRYDOCK_UNSUPPORTED_SCHEMA:
            return "the policy needs another version of this library than 1";
        case DRYDOCK_UNSUPPORTED_KIND:
            return "this version cannot run a policy of this kind";
        case DRYDOCK_BAD_ARCHITECTURE:
            return "the policy's architecture is malformed or beyond the limits";
        case DRYDOCK_MISSING_TENSOR:
            return "a tensor that the architecture asks for is missing";
        case DRYDOCK_EXTRA_TENSOR:
            return "the file has more layers than its architecture describes";
        case DRYDOCK_WRONG_SHAPE:
            return "a tensor's shape does not fit the architecture";
        case DRYDOCK_WRONG_DTYPE:
            return "a tensor is not of type F32";
        case DRYDOCK_NOT_FINITE:
            return "a tensor or an argument holds NaN or infinity";
        case DRYDOCK_BAD_VALUE:
            return "a tensor's value is out of its range, or bounds are crossed";
        case DRYDOCK_CHECKSUM_MISMATCH:
            return "the data do not match sha256_data: the file is damaged";
        case DRYDOCK_NO_GOLDEN:
            return "the file holds no golden observations to test with";
        case DRYDOCK_SELF_TEST_FAILED:
            return "an action differs from the file's golden action";
        case DRYDOCK_NOT_USED:
            return "this kind of policy has no use for the call";
        default:
            return "unknown status";
    }
}

const char* drydock_act_status_text(drydock_act_status status) noexcept {
    switch (status & (~status + 1)) {
        case DRYDOCK_ACT_OK:
            return "done";
        case DRYDOCK_ACT_INPUT_NOT_FINITE:
            return "the observation holds NaN or infinity: the fallback action was written";
        case DRYDOCK_ACT_INPUT_OUT_OF_RANGE:
            return "a normalised observation was clipped to the policy's range";
        case DRYDOCK_ACT_OUTPUT_NOT_FINITE:
            return "the network's output is not finite: the fallback action was written";
        case DRYDOCK_ACT_OUTPUT_CLAMPED:
            return "an action was clamped to its bounds";
        case DRYDOCK_ACT_BAD_CALL:
            return "a pointer is null or a size is not the policy's: nothing was written";
        case DRYDOCK_ACT_TIME_BEYOND:
            return "the episode is longer than the policy was made for";
        default:
            return "unknown status";
    }
}

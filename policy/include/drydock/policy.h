/* Runs a trained drydock policy inside another program.
 *
 * The library never allocates, locks, prints, throws, starts a thread or makes a system call. All
 * memory is the caller's:
 *
 *     size query -> block -> load -> policy (immutable, any number of threads may share it)
 *     size query -> block -> create -> context (mutable; one per thread)
 *     act, as often as you like
 *
 * An episode of a policy that remembers (kind "decision_transformer") is
 *
 *     reset, set_target_return if the file's own is not wanted,
 *     and for each step: act, observe_reward when the reward is known, prepare_next in slack time
 *
 * Other kinds need none of these; a program that makes all calls runs every kind.
 *
 * docs/policy_file.md describes the file. Policies and contexts hold pointers into their blocks: a
 * block must not move, and lives until the caller has no more use for it; there is nothing to
 * close. A context needs its policy's block as well. The file's bytes are not needed after the
 * load.
 *
 * Actions have the same bits on every machine with IEEE arithmetic: the order of the operations is
 * fixed by the layer sizes, and fused multiply-adds, tanh and rounding do not depend on the
 * compiler, the instruction set or the caller's floating-point mode.
 */
#ifndef DRYDOCK_POLICY_H
#define DRYDOCK_POLICY_H

#include <stddef.h>
#include <stdint.h>

/* Symbols are hidden, so that a plug-in that links this library does not export it again. Define
 * DRYDOCK_API to change that when you build a shared library of your own. */
#ifndef DRYDOCK_API
#define DRYDOCK_API
#endif

#ifdef __cplusplus
#define DRYDOCK_NOEXCEPT noexcept
extern "C" {
#else
#define DRYDOCK_NOEXCEPT
#endif

/* Grows when a struct below gains a member. A caller that sets an earlier version gets the members
 * of that version. */
#define DRYDOCK_POLICY_ABI 2u

typedef struct drydock_policy drydock_policy;
typedef struct drydock_context drydock_context;

/* Result of everything but acting. New values may be added at the end. */
typedef int32_t drydock_status;
#define DRYDOCK_OK 0
#define DRYDOCK_BAD_CALL 1           /* a null pointer, or a struct_size that is too small */
#define DRYDOCK_MISALIGNED 2         /* the block is not aligned as the size query said */
#define DRYDOCK_BLOCK_TOO_SMALL 3    /* the block is smaller than the size query said */
#define DRYDOCK_NOT_SAFETENSORS 4    /* the bytes are not a valid safetensors file */
#define DRYDOCK_NOT_A_POLICY 5       /* a safetensors file of another purpose */
#define DRYDOCK_UNSUPPORTED_SCHEMA 6 /* another major version, or an unknown feature */
#define DRYDOCK_UNSUPPORTED_KIND 7   /* a kind of policy that this version cannot run */
#define DRYDOCK_BAD_ARCHITECTURE 8   /* the architecture text is malformed or beyond the limits */
#define DRYDOCK_MISSING_TENSOR 9     /* a tensor that the architecture asks for is not there */
#define DRYDOCK_EXTRA_TENSOR 10      /* a layer that the architecture does not have */
#define DRYDOCK_WRONG_SHAPE 11       /* a tensor has another shape than the architecture says */
#define DRYDOCK_WRONG_DTYPE 12       /* a tensor is not F32 */
#define DRYDOCK_NOT_FINITE 13        /* a tensor or an argument holds NaN or infinity */
#define DRYDOCK_BAD_VALUE 14         /* a tensor's value is out of its range, or low above high */
#define DRYDOCK_CHECKSUM_MISMATCH 15 /* sha256_data does not match: the file is damaged */
#define DRYDOCK_NO_GOLDEN 16         /* self-test: the file has no golden observations */
#define DRYDOCK_SELF_TEST_FAILED 17  /* self-test: an action differs from the golden one */
#define DRYDOCK_NOT_USED 18          /* this kind of policy has no use for the call */

/* Result of acting: a set of bits, 0 when there is nothing to say. */
typedef uint32_t drydock_act_status;
#define DRYDOCK_ACT_OK 0u
#define DRYDOCK_ACT_INPUT_NOT_FINITE 1u   /* NaN or infinity came in; out: the fallback */
#define DRYDOCK_ACT_INPUT_OUT_OF_RANGE 2u /* an observation was clipped to +-observation.clip */
#define DRYDOCK_ACT_OUTPUT_NOT_FINITE 4u  /* the network overflowed; out: the fallback */
#define DRYDOCK_ACT_OUTPUT_CLAMPED 8u     /* an action was beyond its bounds before the clamp */
#define DRYDOCK_ACT_BAD_CALL 16u          /* null pointer or wrong size: nothing was written */
#define DRYDOCK_ACT_TIME_BEYOND 32u       /* the episode is longer than the policy was made for */

/* What went wrong in a load, in words. Set struct_size and abi_version before the call. */
typedef struct drydock_diagnosis {
    uint32_t struct_size; /* sizeof(drydock_diagnosis) */
    uint32_t abi_version; /* DRYDOCK_POLICY_ABI */
    drydock_status status;
    uint32_t reserved;
    uint64_t byte_offset; /* where in the file, when it is not a valid safetensors file; else 0 */
    char text[240];       /* what was expected, what came, what to do; ends in a zero */
} drydock_diagnosis;

/* Set struct_size and abi_version before the call. */
typedef struct drydock_policy_info {
    uint32_t struct_size; /* sizeof(drydock_policy_info) */
    uint32_t abi_version; /* DRYDOCK_POLICY_ABI */
    uint32_t schema_major, schema_minor;
    uint64_t observation_size, action_size;
    uint64_t layers;      /* linear layers, or a transformer's blocks */
    uint64_t parameters;  /* weights and biases */
    uint64_t golden_rows; /* 0 without a self-test */
    const char* kind;     /* "mlp", "best_of_n" or "decision_transformer" */
    const char* kernel;   /* "avx2", "fma", or "portable", which is slow: no fused multiply-add */
    /* From here on ABI 2. */
    uint64_t action_count;   /* above 0: an action is one of as many choices, by its number */
    uint64_t context_length; /* steps that an action depends on: 1 for what does not remember */
} drydock_policy_info;

/* One sentence about a status, in static memory. */
DRYDOCK_API const char* drydock_status_text(drydock_status status) DRYDOCK_NOEXCEPT;

/* One sentence about the lowest bit that is set, in static memory. */
DRYDOCK_API const char* drydock_act_status_text(drydock_act_status status) DRYDOCK_NOEXCEPT;

/* How large a block the policy in the `n` bytes of a file needs, and its alignment (a power of
 * two). Reads the header only, and refuses what load would refuse for it. */
DRYDOCK_API drydock_status drydock_policy_size(const void* bytes, size_t n, size_t* size,
                                               size_t* alignment) DRYDOCK_NOEXCEPT;

/* Checks the file, packs it into the block and points *policy into it. On a refusal *policy is
 * null, the block's contents are undefined, and *diagnosis (may be null) says why. The block may be
 * null for the diagnosis of a file that the size query has refused. Takes about 40 kB of stack; not
 * meant for a real-time thread, but a low-priority one may do it while others act. */
DRYDOCK_API drydock_status drydock_policy_load(const void* bytes, size_t n, void* block,
                                               size_t block_size, const drydock_policy** policy,
                                               drydock_diagnosis* diagnosis) DRYDOCK_NOEXCEPT;

DRYDOCK_API drydock_status drydock_policy_get_info(const drydock_policy* policy,
                                                   drydock_policy_info* info) DRYDOCK_NOEXCEPT;

/* How large a block a context of this policy needs, and its alignment. */
DRYDOCK_API drydock_status drydock_context_size(const drydock_policy* policy, size_t* size,
                                                size_t* alignment) DRYDOCK_NOEXCEPT;

/* Makes a context in the block, at the start of an episode. */
DRYDOCK_API drydock_status drydock_context_create(const drydock_policy* policy, void* block,
                                                  size_t block_size,
                                                  drydock_context** context) DRYDOCK_NOEXCEPT;

/* Everything from here on is safe in a real-time thread. */

/* Brings weights, workspace and code into the caches by a run whose result is thrown away. Call it
 * in slack time, for example just before the observation arrives. Changes nothing that one can see.
 */
DRYDOCK_API void drydock_prewarm(drydock_context* context) DRYDOCK_NOEXCEPT;

/* The action for one observation, in the units of the environment: normalisation, scaling and
 * bounds are the policy's. It is a function of the file and of the calls since the last reset;
 * policies that do not remember have the same action for the same observation, except that the
 * candidates of a "best_of_n" differ from call to call. Where actions are choices
 * (info.action_count), it is the number of one, counted from 0.
 *
 * When an observation is not finite, or the network's output is not, the fallback action is
 * written: the last action that this context computed since its start or reset, or before the first
 * one the midpoint of each action's bounds (with an infinite bound: 0, moved to the nearest bound),
 * or choice 0. A policy that remembers leaves such a step out of what it remembers.
 * The arrays may not overlap. The caller's floating-point mode is restored. */
DRYDOCK_API drydock_act_status drydock_act(drydock_context* context, const float* observation,
                                           size_t observation_size, float* action,
                                           size_t action_size) DRYDOCK_NOEXCEPT;

/* The reward that followed the last action, in the environment's units: as much less is still to be
 * reached. Without rewards, the policy asks for the same return all the time. Returns
 * DRYDOCK_NOT_USED, and does nothing, where the policy does not look at returns;
 * DRYDOCK_NOT_FINITE, and ignores the reward, for NaN and infinity. */
DRYDOCK_API drydock_status drydock_observe_reward(drydock_context* context,
                                                  float reward) DRYDOCK_NOEXCEPT;

/* The return that is still to be reached from the next act on, in the environment's units, and what
 * every later episode of this context starts with; at first that is the file's. Returns what
 * observe_reward returns. */
DRYDOCK_API drydock_status drydock_set_target_return(drydock_context* context,
                                                     float target) DRYDOCK_NOEXCEPT;

/* Call in slack time after each act: policies that remember move work here, off the way from an
 * observation to its action. Optional: without it the next act does that work, and the actions are
 * the same. An "mlp" or "best_of_n" remembers nothing, and returns at once. */
DRYDOCK_API void drydock_prepare_next(drydock_context* context) DRYDOCK_NOEXCEPT;

/* Starts an episode: forgets the last action and what was observed, asks for the target return, and
 * starts the candidates of a "best_of_n" again. Takes constant time. */
DRYDOCK_API void drydock_reset(drydock_context* context) DRYDOCK_NOEXCEPT;

/* Runs the file's golden observations and compares the actions with the golden ones of the file,
 * whose writer checked them against an implementation of its own: each must be within 1e-5, or
 * within 1e-5 of its size where that is above 1. *largest_error (may be null) gets the largest
 * absolute difference. The context's episode goes on undisturbed. */
DRYDOCK_API drydock_status drydock_self_test(drydock_context* context,
                                             float* largest_error) DRYDOCK_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* DRYDOCK_POLICY_H */

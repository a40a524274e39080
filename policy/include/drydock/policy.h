/* Runs a trained drydock policy inside another program.
 *
 * The library never allocates, locks, prints, throws, starts a thread or makes a system call. All
 * memory is the caller's:
 *
 *     size query -> block -> load -> policy (immutable, any number of threads may share it)
 *     size query -> block -> create -> context (mutable; one per thread)
 *     act, as often as you like
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

/* Grows when a struct below gains a member. */
#define DRYDOCK_POLICY_ABI 1u

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
#define DRYDOCK_NOT_FINITE 13        /* a tensor holds NaN or infinity */
#define DRYDOCK_BAD_VALUE 14         /* std or clip not above 0, or low above high */
#define DRYDOCK_CHECKSUM_MISMATCH 15 /* sha256_data does not match: the file is damaged */
#define DRYDOCK_NO_GOLDEN 16         /* self-test: the file has no golden observations */
#define DRYDOCK_SELF_TEST_FAILED 17  /* self-test: an action differs from the golden one */

/* Result of acting: a set of bits, 0 when there is nothing to say. */
typedef uint32_t drydock_act_status;
#define DRYDOCK_ACT_OK 0u
#define DRYDOCK_ACT_INPUT_NOT_FINITE 1u   /* NaN or infinity came in; out: the fallback */
#define DRYDOCK_ACT_INPUT_OUT_OF_RANGE 2u /* an observation was clipped to +-observation.clip */
#define DRYDOCK_ACT_OUTPUT_NOT_FINITE 4u  /* the network overflowed; out: the fallback */
#define DRYDOCK_ACT_OUTPUT_CLAMPED 8u     /* an action was beyond its bounds before the clamp */
#define DRYDOCK_ACT_BAD_CALL 16u          /* null pointer or wrong size: nothing was written */

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
    uint64_t layers;      /* linear layers */
    uint64_t parameters;  /* weights and biases */
    uint64_t golden_rows; /* 0 without a self-test */
    const char* kind;     /* "mlp" */
    const char* kernel;   /* "avx2", "fma", or "portable", which is slow: no fused multiply-add */
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

/* The deterministic action for one observation, in the units of the environment: normalisation,
 * scaling and bounds are the policy's.
 *
 * When an observation is not finite, or the network's output is not, the fallback action is
 * written: the last action that this context computed since its start or reset, or before the first
 * one the midpoint of each action's bounds (with an infinite bound: 0, moved to the nearest bound).
 * The arrays may not overlap. The caller's floating-point mode is restored. */
DRYDOCK_API drydock_act_status drydock_act(drydock_context* context, const float* observation,
                                           size_t observation_size, float* action,
                                           size_t action_size) DRYDOCK_NOEXCEPT;

/* Call in slack time after each act: policies that remember move work here, off the way from an
 * observation to its action. An "mlp" remembers nothing, and returns at once. */
DRYDOCK_API void drydock_prepare_next(drydock_context* context) DRYDOCK_NOEXCEPT;

/* Starts an episode: forgets the last action. Takes constant time. */
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

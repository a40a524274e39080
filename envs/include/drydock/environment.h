/* Your own simulator as a drydock environment: a shared object that exports the six functions
 * below.
 *
 *     cc -shared -fPIC -O2 -I DRYDOCK/envs/include mine.c -o libmine.so
 *     drydock evaluate runs/x --environment ./libmine.so
 *
 * Pure C; this header is all that is needed, nothing is linked. docs/own_environment.md walks
 * through an example, examples/environment/ holds it.
 *
 *     abi       first and once: whether this library and this drydock understand each other
 *     get_info  sizes, bounds and limits, which never change
 *     create -> object -> reset, step, step, ..., reset, step, ... -> destroy
 *
 * One object plays one episode at a time, and one thread uses it at a time. drydock makes one
 * object per thread and plays on all of them at once: objects may not share anything that changes,
 * and get_info and create may be called from several threads. The library stays loaded until the
 * program ends. No function may throw a C++ exception, exit or longjmp out of the library.
 *
 * How it grows: a later version appends members to the structs and adds 1 to
 * DRYDOCK_ENVIRONMENT_ABI. drydock fills every struct with zeros before it hands it out and accepts
 * libraries of its own and of earlier versions, so a library may write each member that its header
 * has without a look at struct_size; a library of a later version is refused by name.
 */
#ifndef DRYDOCK_ENVIRONMENT_H
#define DRYDOCK_ENVIRONMENT_H

#include <stdint.h>

/* The six are seen from outside even where the library is compiled with -fvisibility=hidden. */
#ifndef DRYDOCK_ENVIRONMENT_EXPORT
#if defined(__GNUC__)
#define DRYDOCK_ENVIRONMENT_EXPORT __attribute__((visibility("default")))
#else
#define DRYDOCK_ENVIRONMENT_EXPORT
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a struct below gains a member. */
#define DRYDOCK_ENVIRONMENT_ABI 1u

/* Yours: declare `struct drydock_environment { ... };` with the state of an episode. */
typedef struct drydock_environment drydock_environment;

/* 0 is success. Every other value ends the run; drydock prints it with the text of the error. */
typedef int32_t drydock_environment_status;
#define DRYDOCK_ENVIRONMENT_OK 0

/* What went wrong, for a status that is not 0. drydock sets struct_size and abi_version. */
typedef struct drydock_environment_error {
    uint32_t struct_size; /* sizeof(drydock_environment_error) of drydock */
    uint32_t abi_version; /* DRYDOCK_ENVIRONMENT_ABI of drydock */
    char text[240];       /* what was expected, what came, what to do; ends in a zero */
} drydock_environment_error;

/* What an environment is. drydock sets struct_size and abi_version, the library everything else.
 * drydock copies the name and the bounds; static memory is the place for them. */
typedef struct drydock_environment_info {
    uint32_t struct_size; /* sizeof(drydock_environment_info) of drydock */
    uint32_t abi_version; /* DRYDOCK_ENVIRONMENT_ABI of drydock */

    /* Stands in data files, results and policy files: 1 to 64 letters, digits, '-', '_' or '.', and
     * not the name of an environment that drydock has. */
    const char* name;

    int64_t observation_size; /* floats of an observation, 1 to 65536 */
    int64_t action_size;      /* floats of an action, 1 to 65536 */

    /* (action_size) each: bounds of an action, in the units that step takes. Finite, low < high. */
    const float* action_low;
    const float* action_high;

    /* Steps after which drydock cuts an episode with a timeout, 1 or more. drydock counts. */
    int64_t max_episode_steps;

    /* Simulated seconds of one step; 0 where steps have no duration. */
    double step_seconds;

    /* Undiscounted returns that score 0 and 100, min < max. Read where has_references is not 0:
     * without them only returns are reported. */
    double reference_min, reference_max;
    int32_t has_references;
    int32_t reserved; /* leave it 0 */
} drydock_environment_info;

/* What a step did. drydock sets struct_size and abi_version, and zeros in all else. */
typedef struct drydock_environment_outcome {
    uint32_t struct_size; /* sizeof(drydock_environment_outcome) of drydock */
    uint32_t abi_version; /* DRYDOCK_ENVIRONMENT_ABI of drydock */
    double reward;        /* of this step, finite and within a float's range */
    /* Not 0: the task ended, by success or by failure; the state after it has no value. */
    int32_t terminal;
    /* Not 0: something but the task cut the episode here; the state after it still has a value. The
     * limit of max_episode_steps is drydock's business and need not be reported. A step that is
     * terminal as well counts as terminal alone: where the task ended, nothing was cut. */
    int32_t timeout;
} drydock_environment_outcome;

/* Returns DRYDOCK_ENVIRONMENT_ABI of the header that the library was compiled with. */
DRYDOCK_ENVIRONMENT_EXPORT uint32_t drydock_environment_abi(void);

/* Describes the environment; the same at every call. */
DRYDOCK_ENVIRONMENT_EXPORT drydock_environment_status
drydock_environment_get_info(drydock_environment_info* info, drydock_environment_error* error);

/* Makes an object and writes its address, which may not be null, to *environment. */
DRYDOCK_ENVIRONMENT_EXPORT drydock_environment_status
drydock_environment_create(drydock_environment** environment, drydock_environment_error* error);

/* Starts an episode and writes its first observation (observation_size floats, finite). Allowed at
 * any time. The initial state, and all chance in the steps after it, must be a pure function of
 * (seed, episode): the same pair gives the same episode in every object, thread and process,
 * whatever was played before. Data sets and scores are reproducible because of it. */
DRYDOCK_ENVIRONMENT_EXPORT drydock_environment_status
drydock_environment_reset(drydock_environment* environment, uint64_t seed, uint64_t episode,
                          float* observation, drydock_environment_error* error);

/* Advances one step with `action` (action_size floats; drydock has checked that they are finite and
 * has clipped them to the bounds) and writes the observation after it (observation_size floats,
 * finite), also after the last step. Called only between a reset and the episode's end. */
DRYDOCK_ENVIRONMENT_EXPORT drydock_environment_status
drydock_environment_step(drydock_environment* environment, const float* action, float* observation,
                         drydock_environment_outcome* outcome, drydock_environment_error* error);

/* Frees an object; called once for each that create made, also after a step that failed. */
DRYDOCK_ENVIRONMENT_EXPORT void drydock_environment_destroy(drydock_environment* environment);

#ifdef __cplusplus
}
#endif

#endif /* DRYDOCK_ENVIRONMENT_H */

/* A tiny environment that is right in everything but what the variable DRYDOCK_FAULT names. Built a
 * second time with LACKS_STEP, it does not export a step. */
#include <drydock/environment.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct drydock_environment {
    float steps;
    uint64_t episode;
};

static int fault(const char* name) {
    const char* wanted = getenv("DRYDOCK_FAULT");
    return wanted != NULL && strcmp(wanted, name) == 0;
}

static drydock_environment_status fail(drydock_environment_error* error, const char* text) {
    const size_t size = strlen(text) + 1, room = sizeof error->text;
    memcpy(error->text, text, size < room ? size : room); /* may leave no zero at the end */
    return 7;
}

uint32_t drydock_environment_abi(void) {
    if (fault("abi from the future")) return DRYDOCK_ENVIRONMENT_ABI + 1;
    return fault("abi 0") ? 0 : DRYDOCK_ENVIRONMENT_ABI;
}

static void spoil_bounds(drydock_environment_info* info) {
    static const float infinite[2] = {-1.0f, -INFINITY}, reversed[2] = {-1.0f, 5.0f};
    static const float unknown[2] = {NAN, -2.0f};
    if (fault("low is infinite")) info->action_low = infinite;
    if (fault("low is nan")) info->action_low = unknown;
    if (fault("low above high")) info->action_low = reversed;
    if (fault("no bounds")) info->action_high = NULL;
}

static void spoil_numbers(drydock_environment_info* info) {
    if (fault("no observations")) info->observation_size = 0;
    if (fault("too many observations")) info->observation_size = 65537;
    if (fault("negative actions")) info->action_size = -1;
    if (fault("no limit")) info->max_episode_steps = 0;
    if (fault("step_seconds is nan")) info->step_seconds = NAN;
    if (fault("step_seconds below 0")) info->step_seconds = -1;
    if (fault("references equal")) info->reference_max = info->reference_min;
    if (fault("reference is infinite")) info->reference_max = INFINITY;
    if (fault("no references")) info->has_references = 0;
    if (fault("four observations")) info->observation_size = 4;
    if (fault("endless")) info->max_episode_steps = INT64_MAX;
}

static void spoil_name(drydock_environment_info* info) {
    if (fault("no name")) info->name = NULL;
    if (fault("empty name")) info->name = "";
    if (fault("name is a path")) info->name = "../faulty";
    if (fault("name of a built-in")) info->name = "pendulum";
    if (fault("long name")) {
        info->name = "a23456789012345678901234567890123456789012345678901234567890123456789";
    }
}

drydock_environment_status drydock_environment_get_info(drydock_environment_info* info,
                                                        drydock_environment_error* error) {
    static const float low[2] = {-1.0f, -2.0f}, high[2] = {1.0f, 4.0f};
    if (fault("info fails")) return fail(error, "the licence server is on holiday");
    info->name = "faulty";
    info->observation_size = 3;
    info->action_size = 2;
    info->action_low = low;
    info->action_high = high;
    info->max_episode_steps = 5;
    info->step_seconds = 0.1;
    info->has_references = 1;
    info->reference_min = -10;
    info->reference_max = 30;
    spoil_bounds(info);
    spoil_numbers(info);
    spoil_name(info);
    return DRYDOCK_ENVIRONMENT_OK;
}

drydock_environment_status drydock_environment_create(drydock_environment** environment,
                                                      drydock_environment_error* error) {
    if (fault("create fails")) return fail(error, "expected a model file, got none");
    if (fault("create gives null")) return DRYDOCK_ENVIRONMENT_OK;
    *environment = calloc(1, sizeof **environment);
    return *environment == NULL;
}

drydock_environment_status drydock_environment_reset(drydock_environment* environment,
                                                     uint64_t seed, uint64_t episode,
                                                     float* observation,
                                                     drydock_environment_error* error) {
    char long_text[400];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    if (fault("reset fails")) return fail(error, long_text);
    environment->steps = 0;
    environment->episode = episode;
    observation[0] = (float)seed;
    observation[1] = (float)episode;
    observation[2] = fault("reset gives infinity") ? INFINITY : 0.0f;
    return DRYDOCK_ENVIRONMENT_OK;
}

#ifndef LACKS_STEP
/* Observes the step's number and the actions that came. */
drydock_environment_status drydock_environment_step(drydock_environment* environment,
                                                    const float* action, float* observation,
                                                    drydock_environment_outcome* outcome,
                                                    drydock_environment_error* error) {
    environment->steps += 1;
    if (fault("step fails without a text")) return 3;
    if (fault("episode 4 fails") && environment->episode == 4) return fail(error, "out of paint");
    if (fault("step fails") && environment->steps == 3) return fail(error, "the robot fell over");
    observation[0] = environment->steps;
    observation[1] = action[0];
    if (!fault("step leaves a gap")) observation[2] = action[1];
    outcome->reward = 1.5;
    if (fault("reward is nan")) outcome->reward = NAN;
    if (fault("reward beyond float")) outcome->reward = 1e300;
    if (fault("observation is nan") && environment->steps == 2) observation[1] = NAN;
    outcome->terminal = fault("terminal at 2") && environment->steps == 2;
    if (fault("terminal at the limit")) outcome->terminal = environment->steps == 5;
    outcome->timeout = fault("timeout at 3") && environment->steps == 3;
    if (fault("terminal and timeout at 2") && environment->steps == 2) {
        outcome->terminal = outcome->timeout = 1;
    }
    return DRYDOCK_ENVIRONMENT_OK;
}
#endif

void drydock_environment_destroy(drydock_environment* environment) { free(environment); }

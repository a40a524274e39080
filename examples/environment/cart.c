/* A cart on a rail must reach the middle and stay there, against friction: an environment for
 * drydock in one file of C. README.md in this folder says how to build it and train on it.
 *
 *   state         position x (m), velocity v (m/s)
 *   observation   x, v
 *   action        u in [-1, 1], the drive's share of its largest acceleration
 *   dynamics      v' = kDrive u - kViscous v - kDry tanh(v / kCreep)    semi-implicit Euler
 *   reward        1 / (1 + 10 (x^2 + 0.1 v^2)) - 0.01 u^2, of the state after the step
 *   terminal      |x| > kRail: the cart has left the rail
 *   start         x in [-1, 1), v in [-0.5, 0.5), uniform
 *   limit         200 steps of 0.05 s
 */
#include <drydock/environment.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP_SECONDS 0.05

static const double kDrive = 2.0;   /* m/s^2 */
static const double kViscous = 0.2; /* 1/s */
static const double kDry = 0.2;     /* m/s^2, dry friction, smooth around standstill: */
static const double kCreep = 0.02;  /* m/s */
static const double kRail = 1.5;    /* m */

struct drydock_environment {
    double position, velocity;
};

uint32_t drydock_environment_abi(void) { return DRYDOCK_ENVIRONMENT_ABI; }

drydock_environment_status drydock_environment_get_info(drydock_environment_info* info,
                                                        drydock_environment_error* error) {
    static const float low[1] = {-1.0f}, high[1] = {1.0f};
    (void)error;
    info->name = "cart";
    info->observation_size = 2;
    info->action_size = 1;
    info->action_low = low;
    info->action_high = high;
    info->max_episode_steps = 200;
    info->step_seconds = STEP_SECONDS;
    /* Mean returns over episodes 0 to 999 of seed 0: of drydock's behaviour `random`, and of
     * the controller u = -3 x - 2 v, clipped to the bounds. */
    info->has_references = 1;
    info->reference_min = 67.62;
    info->reference_max = 188.61;
    return DRYDOCK_ENVIRONMENT_OK;
}

drydock_environment_status drydock_environment_create(drydock_environment** environment,
                                                      drydock_environment_error* error) {
    *environment = calloc(1, sizeof **environment);
    if (*environment != NULL) return DRYDOCK_ENVIRONMENT_OK;
    snprintf(error->text, sizeof error->text, "expected memory for a cart, got none");
    return 1;
}

/* Uniform in [0, 1), a function of its arguments alone: the finaliser of splitmix64, three times.
 */
static double uniform(uint64_t seed, uint64_t episode, uint64_t i) {
    const uint64_t parts[3] = {seed, episode, i};
    uint64_t x = 0;
    for (int k = 0; k < 3; ++k) {
        x += parts[k] + 0x9e3779b97f4a7c15u;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
    }
    return (double)(x >> 11) * 0x1p-53;
}

static void observe(const drydock_environment* cart, float* observation) {
    observation[0] = (float)cart->position;
    observation[1] = (float)cart->velocity;
}

drydock_environment_status drydock_environment_reset(drydock_environment* cart, uint64_t seed,
                                                     uint64_t episode, float* observation,
                                                     drydock_environment_error* error) {
    (void)error; /* nothing can go wrong here */
    cart->position = 2.0 * uniform(seed, episode, 0) - 1.0;
    cart->velocity = uniform(seed, episode, 1) - 0.5;
    observe(cart, observation);
    return DRYDOCK_ENVIRONMENT_OK;
}

drydock_environment_status drydock_environment_step(drydock_environment* cart, const float* action,
                                                    float* observation,
                                                    drydock_environment_outcome* outcome,
                                                    drydock_environment_error* error) {
    const double u = action[0];
    const double v = cart->velocity;
    (void)error;
    cart->velocity += STEP_SECONDS * (kDrive * u - kViscous * v - kDry * tanh(v / kCreep));
    cart->position += STEP_SECONDS * cart->velocity;
    observe(cart, observation);
    outcome->reward = 1.0 / (1.0 + 10.0 * (cart->position * cart->position +
                                           0.1 * cart->velocity * cart->velocity)) -
                      0.01 * u * u;
    outcome->terminal = fabs(cart->position) > kRail;
    return DRYDOCK_ENVIRONMENT_OK;
}

void drydock_environment_destroy(drydock_environment* cart) { free(cart); }

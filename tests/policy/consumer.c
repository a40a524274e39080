/* An embedder in C: loads the policy file named by its argument, acts and checks the answer. */
#include <drydock/policy.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void expect(int holds, const char* what) {
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        ++failures;
    }
}

static void* read_file(const char* path, size_t* size) {
    FILE* file = fopen(path, "rb");
    void* bytes = NULL;
    if (file != NULL) {
        fseek(file, 0, SEEK_END);
        *size = (size_t)ftell(file);
        rewind(file);
        bytes = malloc(*size);
        if (bytes != NULL && fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
        fclose(file);
    }
    return bytes;
}

static void check_acting(const drydock_policy* policy) {
    drydock_policy_info info = {.struct_size = sizeof info, .abi_version = DRYDOCK_POLICY_ABI};
    expect(drydock_policy_get_info(policy, &info) == DRYDOCK_OK, "the policy describes itself");
    expect(info.observation_size == 3 && info.action_size == 2, "the example has sizes 3 and 2");
    size_t size = 0, alignment = 0;
    drydock_context* context = NULL;
    expect(drydock_context_size(policy, &size, &alignment) == DRYDOCK_OK, "a context has a size");
    void* block = aligned_alloc(alignment, size);
    expect(drydock_context_create(policy, block, size, &context) == DRYDOCK_OK,
           "a context is made");
    drydock_prewarm(context);
    expect(drydock_self_test(context, NULL) == DRYDOCK_OK, "the self-test passes");
    float observation[3] = {0.25f, -1.0f, 0.5f}, action[2] = {0}, again[2] = {0};
    expect(drydock_act(context, observation, 3, action, 2) == DRYDOCK_ACT_OK, "it acts");
    drydock_prepare_next(context);
    observation[1] = NAN;
    expect(drydock_act(context, observation, 3, again, 2) == DRYDOCK_ACT_INPUT_NOT_FINITE,
           "it notices NaN");
    expect(memcmp(action, again, sizeof action) == 0, "it holds the last action");
    drydock_reset(context);
    drydock_act(context, observation, 3, again, 2);
    expect(memcmp(action, again, sizeof action) != 0, "a reset forgets the last action");
    free(block);
}

int main(int argc, char** argv) {
    size_t n = 0, size = 0, alignment = 0;
    void* bytes = argc == 2 ? read_file(argv[1], &n) : NULL;
    if (bytes == NULL) {
        fprintf(stderr, "expected one argument, a policy file\n");
        return 2;
    }
    drydock_diagnosis diagnosis = {.struct_size = sizeof diagnosis,
                                   .abi_version = DRYDOCK_POLICY_ABI};
    const drydock_policy* policy = NULL;
    expect(drydock_policy_size(bytes, n, &size, &alignment) == DRYDOCK_OK, "a policy has a size");
    void* block = aligned_alloc(alignment, size);
    expect(drydock_policy_load(bytes, n - 1, block, size, &policy, &diagnosis) ==
               DRYDOCK_NOT_SAFETENSORS,
           "a truncated file is refused");
    expect(strlen(diagnosis.text) > 0, "a refusal has a reason");
    expect(drydock_policy_load(bytes, n, block, size, &policy, &diagnosis) == DRYDOCK_OK,
           "the example loads");
    if (policy != NULL) {
        check_acting(policy);
    }
    free(block);
    free(bytes);
    return failures == 0 ? 0 : 1;
}

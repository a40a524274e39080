/* Loads a policy and acts once on an observation of zeros.
 *
 *     cc -std=c11 -Ipolicy/include examples/act.c build/policy/libdrydock_policy.a -o act
 *     ./act policy.safetensors
 */
#include <drydock/policy.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
    static unsigned char file[64 << 20];
    FILE* in = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (in == NULL) {
        fprintf(stderr, "usage: act POLICY\n");
        return 2;
    }
    size_t n = fread(file, 1, sizeof file, in), size = 0, alignment = 0;
    fclose(in);

    /* All memory is ours: ask how much, then load. */
    const drydock_policy* policy = NULL;
    drydock_diagnosis why = {.struct_size = sizeof why, .abi_version = DRYDOCK_POLICY_ABI};
    drydock_policy_size(file, n, &size, &alignment);
    void* block = size > 0 ? aligned_alloc(alignment, size) : NULL;
    if (drydock_policy_load(file, n, block, size, &policy, &why) != DRYDOCK_OK) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    drydock_policy_info info = {.struct_size = sizeof info, .abi_version = DRYDOCK_POLICY_ABI};
    drydock_policy_get_info(policy, &info);

    drydock_context* context = NULL; /* one per thread */
    drydock_context_size(policy, &size, &alignment);
    drydock_context_create(policy, aligned_alloc(alignment, size), size, &context);
    drydock_prewarm(context);

    float* observation = calloc(info.observation_size, sizeof(float));
    float* action = calloc(info.action_size, sizeof(float));
    drydock_act_status said =
        drydock_act(context, observation, info.observation_size, action, info.action_size);
    printf("%s (%s kernel)\n", drydock_act_status_text(said), info.kernel);
    for (size_t i = 0; i < info.action_size; ++i) {
        printf("%g\n", action[i]);
    }
    return 0;
}

// Writes the committed example again: make_example FOLDER. Its file's bytes are the same
// everywhere.

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/policy/loaded.h"
#include "tests/policy/policy_file.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "expected one argument, the folder to write to\n");
        return 2;
    }
    const std::string folder = argv[1];
    TestPolicy policy = make_policy({3, 24, 24, 2}, "relu", "tanh_mean", 2024);
    policy.metadata["algorithm"] = "none";
    policy.metadata["notes"] = "random weights, an example of the format";
    const auto observations = make_observations(policy, 8, 11);
    policy.add_golden(observations);
    const std::vector<unsigned char> bytes = policy.bytes();
    std::ofstream file(folder + "/example.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));

    Loaded loaded(bytes);
    std::FILE* table = std::fopen((folder + "/example_actions.txt").c_str(), "w");
    if (table == nullptr || !file) {
        std::fprintf(stderr, "cannot write to %s\n", folder.c_str());
        return 1;
    }
    std::fprintf(table,
                 "# Three observations and the two actions that example.safetensors gives, "
                 "exactly.\n");
    for (const auto& observation : observations) {
        for (const float x : observation) {
            std::fprintf(table, "%a ", static_cast<double>(x));
        }
        const std::vector<float> action = loaded.act(observation);
        std::fprintf(table, "%a %a\n", static_cast<double>(action[0]),
                     static_cast<double>(action[1]));
    }
    std::fclose(table);
    return 0;
}

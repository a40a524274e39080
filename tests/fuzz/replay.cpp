// A fuzz target without libFuzzer: runs it on every file that is named, and on every file of every
// folder, and once on nothing. usage: fuzz_NAME FILE|FOLDER...
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;

void add(const fs::path& path, std::vector<fs::path>& files) {
    if (!fs::is_directory(path)) {
        files.push_back(path);
        return;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<fs::path> files;
    for (int i = 1; i < argc; ++i) add(argv[i], files);
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        std::fprintf(stderr, "replay: expected inputs, found none\n");
        return 2;
    }
    for (const fs::path& path : files) {
        std::ifstream file(path, std::ios::binary);
        const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
        if (file.bad() || !file.is_open()) {
            std::fprintf(stderr, "replay: could not read %s\n", path.c_str());
            return 2;
        }
        // The name first: a crash says nothing.
        std::printf("%s\n", path.c_str());
        std::fflush(stdout);
        drydock::fuzz::run({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
    }
    drydock::fuzz::run({});
    std::printf("replay: %zu inputs\n", files.size());
    return 0;
}

#include "envs/file_hash.h"

#include <array>
#include <fstream>

#include "base/sha256.h"

namespace drydock::envs {

std::string sha256_of_file(const std::string& path) {
    Sha256 hash;
    std::ifstream file(path, std::ios::binary);
    std::array<char, 16384> block;
    while (file) {
        file.read(block.data(), block.size());
        hash.update(block.data(), static_cast<std::size_t>(file.gcount()));
    }
    char text[Sha256::kHexLength + 1];
    hash.finish_hex(text);
    return text;
}

}  // namespace drydock::envs

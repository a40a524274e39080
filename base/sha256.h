// SHA-256 (FIPS 180-4), to name data sets and to notice damaged files. Not for secrets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace drydock {

class Sha256 {
  public:
    static constexpr std::size_t kBytes = 32;
    static constexpr std::size_t kHexLength = 64;

    Sha256();

    // Appends `size` bytes to the message. `data` may be null when `size` is 0.
    void update(const void* data, std::size_t size);

    // Ends the message and writes its digest. The object is then as new.
    void finish(unsigned char digest[kBytes]);

    // As finish(), in lower-case hexadecimal, with a terminating zero.
    void finish_hex(char text[kHexLength + 1]);

  private:
    void compress(const unsigned char* block);

    std::uint32_t state_[8];
    std::uint64_t length_;  // bytes so far
    unsigned char pending_[64];
};

}  // namespace drydock

// A file without a disk, for readers that take a path.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

namespace drydock::fuzz {

class MemoryFile {
  public:
    explicit MemoryFile(std::span<const std::byte> bytes) : file_(memfd_create("fuzz", 0)) {
        expect(file_ >= 0, "the system has memory files");
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t n = ::write(file_, bytes.data() + done, bytes.size() - done);
            expect(n > 0, "a memory file takes bytes");
            done += static_cast<std::size_t>(n);
        }
    }
    ~MemoryFile() { ::close(file_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

  private:
    int file_;
};

}  // namespace drydock::fuzz

// What every fuzz target shares. A target is one file that defines run(); libfuzzer.cpp feeds it
// from libFuzzer, replay.cpp from files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

namespace drydock::fuzz {

using Bytes = std::span<const unsigned char>;

// Gives one input to the reader. Must return: a crash, a hang, an exception other than the reader's
// own, or a broken promise (expect) is a finding.
void run(Bytes input);

// Ends the program when a promise of the reader does not hold.
inline void expect(bool holds, const char* promise) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: broken promise: %s\n", promise);
    std::abort();
}

inline std::string_view text_of(Bytes input) {
    return {reinterpret_cast<const char*>(input.data()), input.size()};
}

inline std::span<const std::byte> bytes_of(Bytes input) { return std::as_bytes(input); }

}  // namespace drydock::fuzz

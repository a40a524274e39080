// The end that libFuzzer calls; it hands every input over in a block of exactly its size.
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    drydock::fuzz::run({data, size});
    return 0;
}

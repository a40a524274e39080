// Any file as a checkpoint of a small state. A refusal leaves the state as it was; what was loaded
// is saved to a file that gives the same state again.
#include "training/checkpoint.h"

#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "core/safetensors.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/small_session.h"

namespace drydock::fuzz {
namespace {

using Contents = std::vector<std::vector<std::byte>>;

void restore(const State& state, const Contents& contents) {
    for (BufferId id = 0; id < state.buffer_count(); ++id) {
        const std::vector<std::byte>& bytes = contents[static_cast<std::size_t>(id)];
        if (!bytes.empty()) std::memcpy(state.buffer(id).data, bytes.data(), bytes.size());
    }
}

std::string temporary_path() {
    static const std::string path = std::filesystem::temp_directory_path() /
                                    ("drydock-fuzz-checkpoint-" + std::to_string(::getpid()));
    return path;
}

void check_saved(State& state, const training::Metadata& metadata) {
    const Contents loaded = contents_of(state);
    const std::string path = temporary_path();
    try {
        training::save_checkpoint(path, state, metadata);
    } catch (const Error&) {
        return;  // parameters that are not finite are loaded, and not saved
    }
    training::load_checkpoint(path, state);
    ::unlink(path.c_str());
    expect(contents_of(state) == loaded, "a saved checkpoint gives the state back");
}

}  // namespace

void run(Bytes input) {
    static SmallSession small;
    static const Contents before = contents_of(small.state());
    const MemoryFile file(bytes_of(input));
    training::Metadata metadata;
    try {
        metadata = training::load_checkpoint(file.path(), small.state());
    } catch (const Error&) {
        expect(contents_of(small.state()) == before, "a refused checkpoint changes nothing");
        return;
    }
    check_saved(small.state(), metadata);
    restore(small.state(), before);
}

}  // namespace drydock::fuzz

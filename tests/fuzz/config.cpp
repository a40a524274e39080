// Any text as config.toml. A recipe that comes out is written as a config that gives it again.
#include "training/config.h"

#include "base/error.h"
#include "tests/fuzz/memory_file.h"

namespace drydock::fuzz {
namespace {

struct Read {
    training::TrainOptions options;
    std::unique_ptr<algorithms::Recipe> recipe;
    std::string text;

    explicit Read(Bytes input) {
        const MemoryFile file(bytes_of(input));
        options = training::read_config(file.path());
        recipe = training::resolve_recipe(options);
        text = training::config_text(options, *recipe);
    }
};

}  // namespace

void run(Bytes input) {
    std::string text;
    try {
        text = Read(input).text;
    } catch (const Error&) {
        return;
    }
    const auto* first = reinterpret_cast<const unsigned char*>(text.data());
    expect(Read(Bytes(first, text.size())).text == text,
           "a config that was written reads the same");
}

}  // namespace drydock::fuzz

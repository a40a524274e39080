#include "training/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstddef>
#include <cstring>

namespace drydock::training {
namespace {

constexpr std::size_t padded(std::size_t n) { return (n + 3) / 4 * 4; }

// The descriptor of NT_GNU_BUILD_ID in a segment of notes, or "".
std::string find_note(const unsigned char* at, std::size_t size) {
    ElfW(Nhdr) note;
    while (size >= sizeof note) {
        std::memcpy(&note, at, sizeof note);
        const std::size_t name = sizeof note, id = name + padded(note.n_namesz);
        const std::size_t end = id + padded(note.n_descsz);
        if (end > size) return "";
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            std::memcmp(at + name, "GNU", 4) == 0) {
            return fmt::format("{:02x}", fmt::join(at + id, at + id + note.n_descsz, ""));
        }
        at += end;
        size -= end;
    }
    return "";
}

// The first object that the loader lists is the program.
int look(dl_phdr_info* object, std::size_t, void* out) {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): this is how the loader gives addresses
        const auto* begin =
            reinterpret_cast<const unsigned char*>(object->dlpi_addr + segment.p_vaddr);
        const std::string id = find_note(begin, segment.p_memsz);
        if (!id.empty()) *static_cast<std::string*>(out) = id;
    }
    return 1;
}

}  // namespace

std::string build_id() {
    std::string id;
    dl_iterate_phdr(look, &id);
    return id.empty() ? DRYDOCK_VERSION : id;
}

}  // namespace drydock::training

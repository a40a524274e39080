// The race detector. Kernel files compiled with -fsanitize=thread call the functions at the end of
// this file before every load and store; libtsan, which usually provides them, is not linked. Every
// two bytes of memory remember their last writer and two readers.
//
// Two accesses are ordered if one belongs to an earlier launch, if the same thread made both, if a
// barrier of their block lies between them, or if both threads took part in a __syncwarp between
// them. Shuffles and votes order nothing. Threads of different blocks are never ordered, although
// the emulator runs blocks one after another.
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "kernels/simt/state.h"

namespace drydock::kernels::simt::detail {

namespace {

bool is_before(const Access& first, const Position& p, bool shared) {
    if (first.launch != p.now.launch) return true;
    if (first.block != p.now.block) return shared;  // another block's shared memory is another one
    if (first.thread == p.now.thread || first.epoch < p.now.epoch) return true;
    const bool same_warp = first.thread / 32 == p.now.thread / 32;
    return same_warp && p.clocks[first.thread % 32] >= first.clock;
}

// Address of the program in memory minus the one in its file.
std::uintptr_t load_bias() {
    std::uintptr_t bias = 0;
    const auto first = [](dl_phdr_info* info, std::size_t, void* out) {
        *static_cast<std::uintptr_t*>(out) = info->dlpi_addr;
        return 1;
    };
    dl_iterate_phdr(first, &bias);
    return bias;
}

// "folder/kernel.cu:12", through addr2line; the bare address where there is none.
std::string line_of(const void* pc) {
    // A return address: the access lies one instruction earlier.
    const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(pc) - load_bias() - 1;
    char program[1024] = {};
    char line[1024] = {};
    if (readlink("/proc/self/exe", program, sizeof program - 1) > 0) {
        char number[32];
        std::snprintf(number, sizeof number, "0x%zx", static_cast<std::size_t>(address));
        const std::string command =
            "addr2line -e '" + std::string(program) + "' " + number + " 2>/dev/null";
        if (FILE* pipe = popen(command.c_str(), "r")) {
            if (!std::fgets(line, sizeof line, pipe)) line[0] = 0;
            pclose(pipe);
        }
        if (line[0] == 0) return number;
    }
    std::string text(line);
    return text.substr(0, text.find_first_of(" \n"));
}

const char* verb(bool write) { return write ? "writes" : "reads"; }

void report(const Access& first, bool first_wrote, const Access& second, bool second_writes,
            const Memory& memory, const void* p) {
    static std::set<std::pair<const void*, const void*>> seen;
    static std::uint32_t launch = 0;
    if (launch != second.launch) seen.clear();
    launch = second.launch;
    if (!seen.insert(std::minmax(first.pc, second.pc)).second) return;
    const auto offset = static_cast<const std::byte*>(p) - memory.base;
    const auto sentence = [](const Access& a, bool write) {
        return "\n  " + name_of_thread(a.thread, a.block) + " " + verb(write) + " at " +
               line_of(a.pc);
    };
    add_report(Finding::race, std::string("nothing orders two accesses to byte ") +
                                  std::to_string(offset) +
                                  (memory.shared ? " of shared memory" : " of an allocation") +
                                  sentence(first, first_wrote) + sentence(second, second_writes));
}

void record_read(Cell& cell, const Position& p, bool shared) {
    // The second slot gives way first: it then holds the latest reader, the first slot an early
    // one.
    const bool replace_first =
        cell.readers[0].thread == p.now.thread || is_before(cell.readers[0], p, shared);
    cell.readers[replace_first ? 0 : 1] = p.now;
}

void access(const void* address, std::size_t bytes, bool write, const void* pc) {
    Position p{};
    if (!running_position(p)) return;
    Memory* const memory = find_memory(address);
    if (!memory) return;
    p.now.pc = pc;
    if (memory->cells.empty()) memory->cells.resize(memory->bytes / kCellBytes + 1);
    const auto offset =
        static_cast<std::size_t>(static_cast<const std::byte*>(address) - memory->base);
    const std::size_t last = std::min(offset + bytes, memory->bytes) - 1;
    for (std::size_t i = offset / kCellBytes; i <= last / kCellBytes; ++i) {
        Cell& cell = memory->cells[i];
        if (!is_before(cell.writer, p, memory->shared)) {
            report(cell.writer, true, p.now, write, *memory, address);
        }
        if (!write) {
            record_read(cell, p, memory->shared);
            continue;
        }
        for (const Access& reader : cell.readers) {
            if (!is_before(reader, p, memory->shared)) {
                report(reader, false, p.now, true, *memory, address);
            }
        }
        cell = {p.now, {}};
    }
}

}  // namespace

}  // namespace drydock::kernels::simt::detail

// What g++ calls. NOLINTBEGIN(readability-identifier-naming)
#define DRYDOCK_TSAN_HOOK(name, bytes, write)                                                 \
    extern "C" void name(void* p);                                                            \
    extern "C" void name(void* p) {                                                           \
        drydock::kernels::simt::detail::access(p, bytes, write, __builtin_return_address(0)); \
    }
DRYDOCK_TSAN_HOOK(__tsan_read1, 1, false)
DRYDOCK_TSAN_HOOK(__tsan_read2, 2, false)
DRYDOCK_TSAN_HOOK(__tsan_read4, 4, false)
DRYDOCK_TSAN_HOOK(__tsan_read8, 8, false)
DRYDOCK_TSAN_HOOK(__tsan_read16, 16, false)
DRYDOCK_TSAN_HOOK(__tsan_write1, 1, true)
DRYDOCK_TSAN_HOOK(__tsan_write2, 2, true)
DRYDOCK_TSAN_HOOK(__tsan_write4, 4, true)
DRYDOCK_TSAN_HOOK(__tsan_write8, 8, true)
DRYDOCK_TSAN_HOOK(__tsan_write16, 16, true)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_read2, 2, false)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_read4, 4, false)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_read8, 8, false)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_read16, 16, false)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_write2, 2, true)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_write4, 4, true)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_write8, 8, true)
DRYDOCK_TSAN_HOOK(__tsan_unaligned_write16, 16, true)
#undef DRYDOCK_TSAN_HOOK

extern "C" {
void __tsan_init();
void __tsan_func_entry(void*);
void __tsan_func_exit();
void __tsan_vptr_update(void**, void*);
void __tsan_vptr_read(void**);
void __tsan_read_range(void* p, std::size_t bytes);
void __tsan_write_range(void* p, std::size_t bytes);

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* p, std::size_t bytes) {
    drydock::kernels::simt::detail::access(p, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* p, std::size_t bytes) {
    drydock::kernels::simt::detail::access(p, bytes, true, __builtin_return_address(0));
}
}
// NOLINTEND(readability-identifier-naming)

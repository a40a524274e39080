// Runs a grid: blocks one after another, the threads of a block as fibers in turn. A thread keeps
// the processor until it waits at a barrier or a warp operation; when no thread is ready, either
// all of them wait at the barrier, which then opens, or the kernel can never go on.
#include "kernels/simt/runtime.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>

#include "kernels/simt/fiber.h"
#include "kernels/simt/state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

uint3 threadIdx{};
uint3 blockIdx{};
dim3 blockDim;
dim3 gridDim;

namespace drydock::kernels::simt {

namespace detail {

namespace {

constexpr std::size_t kSharedBytes = 48 << 10;  // what a launch gets without opting in to more
constexpr std::size_t kArenaBytes = 256 << 10;
constexpr std::size_t kSharedGap = 64;
constexpr std::size_t kMaxReports = 32;
constexpr int kPoison = 0xFF;
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kGuardBytes = 0;  // ASan sees every access past the end by itself
#else
constexpr std::size_t kGuardBytes = 64;
#endif

enum class Wait : std::uint8_t { ready, barrier, warp, done };

struct Thread {
    Fiber fiber;
    Wait wait = Wait::ready;
    Site site{};
    unsigned mask = 0;
    void* record = nullptr;
    WarpOperation operation = nullptr;
    std::uint32_t clocks[32] = {};
};

struct SharedArray {
    const void* tag;
    std::size_t offset;
};

struct Runtime {
    Order order = Order::ascending;
    std::mt19937_64 random;
    std::vector<Report> reports;
    std::map<const std::byte*, Memory> allocations;

    // Of the launch in progress.
    dim3 grid, block;
    std::size_t dynamic_bytes = 0;
    std::uint32_t launches = 0, block_number = 0, epoch = 0;
    bool abandoned = false;
    void (*body)(void*) = nullptr;
    void* context = nullptr;
    std::vector<std::unique_ptr<Thread>> threads;  // a pool; the first `count` are in use
    unsigned count = 0;
    unsigned running = 0;
    bool inside = false;

    std::vector<SharedArray> shared_arrays;
    std::size_t shared_top = 0;
    Memory shared{};
};

// Never destroyed, so that the leak checker finds everything reachable at exit.
Runtime& runtime() {
    static auto* const instance = new Runtime;
    return *instance;
}

void poison_region([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(p, bytes);
#endif
}
void unpoison_region([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(p, bytes);
#endif
}

uint3 unflatten(std::uint32_t i, dim3 size) {
    return {i % size.x, i / size.x % size.y, i / size.x / size.y};
}

std::string text_of(uint3 i) {
    return std::string("(") + std::to_string(i.x) + "," + std::to_string(i.y) + "," +
           std::to_string(i.z) + ")";
}

std::string text_of(Site site) { return std::string(site.file) + ":" + std::to_string(site.line); }

bool same(Site a, Site b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

// "thread (0,0,0) and 30 more: barrier at k.cu:12", one line for each place that threads wait at.
std::string who_waits_where() {
    Runtime& r = runtime();
    std::map<std::string, std::pair<unsigned, unsigned>> places;  // first thread, number of threads
    for (unsigned i = 0; i < r.count; ++i) {
        const Thread& t = *r.threads[i];
        std::string place = "returned";
        if (t.wait == Wait::barrier)
            place = std::string("waits at the barrier at ") + text_of(t.site);
        if (t.wait == Wait::warp) {
            char mask[16];
            std::snprintf(mask, sizeof mask, "0x%08x", t.mask);
            place = "waits for lanes " + std::string(mask) + " at " + text_of(t.site);
        }
        auto& [first, threads] = places.try_emplace(place, i, 0u).first->second;
        ++threads;
    }
    std::string text;
    for (const auto& [place, who] : places) {
        text += "\n  " + name_of_thread(who.first, r.block_number);
        if (who.second > 1) text += std::string(" and ") + std::to_string(who.second - 1) + " more";
        text += " " + place;
    }
    return text;
}

Thread& running_thread() { return *runtime().threads[runtime().running]; }

void enter_thread(void*) {
    Runtime& r = runtime();
    r.body(r.context);
    running_thread().wait = Wait::done;
}

void resume(unsigned i) {
    Runtime& r = runtime();
    r.running = i;
    threadIdx = unflatten(i, r.block);
    r.inside = true;
    r.threads[i]->fiber.resume();
    r.inside = false;
}

std::vector<unsigned> in_order(unsigned n) {
    Runtime& r = runtime();
    std::vector<unsigned> order(n);
    std::iota(order.begin(), order.end(), 0u);
    if (r.order == Order::descending) std::reverse(order.begin(), order.end());
    if (r.order == Order::shuffled) std::shuffle(order.begin(), order.end(), r.random);
    return order;
}

void run_ready_threads() {
    Runtime& r = runtime();
    for (bool progress = true; progress;) {
        progress = false;
        for (const unsigned i : in_order(r.count)) {
            if (r.threads[i]->wait != Wait::ready) continue;
            resume(i);
            progress = true;
        }
    }
}

// True if the block goes on: no thread waits for a warp operation, some wait at the barrier.
bool open_barrier() {
    Runtime& r = runtime();
    unsigned waiting = 0, returned = 0;
    const Thread* first = nullptr;
    bool one_site = true;
    for (unsigned i = 0; i < r.count; ++i) {
        const Thread& t = *r.threads[i];
        if (t.wait == Wait::warp) {
            add_report(Finding::deadlock, "no thread of the block can go on" + who_waits_where());
            r.abandoned = true;
            return false;
        }
        returned += t.wait == Wait::done;
        if (t.wait != Wait::barrier) continue;
        ++waiting;
        if (!first) first = &t;
        one_site = one_site && same(first->site, t.site);
    }
    if (waiting == 0) return false;
    if (returned > 0 || !one_site) {
        add_report(
            Finding::divergence,
            "the threads of the block do not all reach the same barrier" + who_waits_where());
    }
    ++r.epoch;
    for (unsigned i = 0; i < r.count; ++i) {
        if (r.threads[i]->wait == Wait::barrier) r.threads[i]->wait = Wait::ready;
    }
    return true;
}

void start_shared_memory() {
    Runtime& r = runtime();
    unpoison_region(r.shared.base, kArenaBytes);
    std::memset(r.shared.base, kPoison, kSharedBytes + kSharedGap);
    poison_region(r.shared.base, kArenaBytes);
    unpoison_region(r.shared.base, r.dynamic_bytes);
    r.shared_arrays.clear();
    r.shared_top = r.dynamic_bytes + kSharedGap;
}

void run_block(std::uint32_t number) {
    Runtime& r = runtime();
    r.block_number = number;
    blockIdx = unflatten(number, r.grid);
    r.epoch = 0;
    start_shared_memory();
    for (unsigned i = 0; i < r.count; ++i) {
        Thread& t = *r.threads[i];
        t.wait = Wait::ready;
        std::fill(std::begin(t.clocks), std::end(t.clocks), 0u);
        t.clocks[i % 32] = 1;
        t.fiber.start(&enter_thread, nullptr);
    }
    do {
        run_ready_threads();
    } while (open_barrier());
}

bool is_launchable(dim3 grid, dim3 block, std::size_t shared_bytes) {
    const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
    const bool block_fits =
        threads >= 1 && block.x <= 1024 && block.y <= 1024 && block.z <= 64 && threads <= 1024;
    const bool grid_fits = grid.x >= 1 && grid.x <= 0x7fffffffu && grid.y >= 1 && grid.z >= 1 &&
                           grid.y <= 65535 && grid.z <= 65535;
    if (block_fits && grid_fits && shared_bytes <= kSharedBytes) return true;
    add_report(
        Finding::launch,
        std::string(
            "expected at most 1024 threads of (1024,1024,64), a grid of 1 to "
            "(2147483647,65535,65535) and at most 49152 bytes of shared memory, got block ") +
            text_of(uint3{block.x, block.y, block.z}) + ", grid " +
            text_of(uint3{grid.x, grid.y, grid.z}) + ", " + std::to_string(shared_bytes) +
            " bytes");
    return false;
}

void check_guards() {
    for (const auto& [base, memory] : runtime().allocations) {
        std::byte* const guard = memory.base + memory.bytes;
        const auto broken = std::find_if(guard, guard + kGuardBytes, [](std::byte b) {
            return std::to_integer<int>(b) != kPoison;
        });
        if (broken == guard + kGuardBytes) continue;
        add_report(Finding::overrun, std::string("a device allocation of ") +
                                         std::to_string(memory.bytes) + " bytes was written " +
                                         std::to_string(broken - guard) + " bytes past its end");
        std::memset(guard, kPoison, kGuardBytes);
    }
}

// After __syncwarp each of its lanes knows what any of them knew, and begins a new clock.
void join_clocks(unsigned mask, unsigned first_thread) {
    Runtime& r = runtime();
    std::uint32_t joined[32] = {};
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        const auto& clocks = r.threads[first_thread + lane]->clocks;
        for (int i = 0; i < 32; ++i) joined[i] = std::max(joined[i], clocks[i]);
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        auto& clocks = r.threads[first_thread + lane]->clocks;
        std::copy(std::begin(joined), std::end(joined), std::begin(clocks));
        ++clocks[lane];
    }
}

// All lanes of `mine.mask` wait for the same operation at the same place.
bool is_complete(const Thread& mine, unsigned first_thread) {
    Runtime& r = runtime();
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(mine.mask >> lane & 1)) continue;
        if (first_thread + lane >= r.count) return false;
        const Thread& t = *r.threads[first_thread + lane];
        if (t.wait != Wait::warp || t.mask != mine.mask || t.operation != mine.operation ||
            !same(t.site, mine.site)) {
            return false;
        }
    }
    return true;
}

}  // namespace

void add_report(Finding finding, std::string text) {
    Runtime& r = runtime();
    if (r.reports.size() < kMaxReports) r.reports.push_back({finding, std::move(text)});
}

std::string name_of_thread(std::uint32_t thread, std::uint32_t block) {
    const Runtime& r = runtime();
    return std::string("thread ") + text_of(unflatten(thread, r.block)) + " of block " +
           text_of(unflatten(block, r.grid));
}

bool running_position(Position& position) {
    const Runtime& r = runtime();
    if (!r.inside) return false;
    const Thread& t = *r.threads[r.running];
    position = {{r.launches, r.block_number, r.epoch, t.clocks[r.running % 32], r.running, nullptr},
                t.clocks};
    return true;
}

Memory* find_memory(const void* p) {
    Runtime& r = runtime();
    const auto* byte = static_cast<const std::byte*>(p);
    if (byte >= r.shared.base && byte < r.shared.base + r.shared.bytes) return &r.shared;
    auto after = r.allocations.upper_bound(byte);
    if (after == r.allocations.begin()) return nullptr;
    Memory& memory = std::prev(after)->second;
    return byte < memory.base + memory.bytes ? &memory : nullptr;
}

void* allocate(std::size_t bytes) {
    constexpr std::size_t kAlignment = 256;
    auto* p =
        static_cast<std::byte*>(::operator new (bytes + kGuardBytes, std::align_val_t{kAlignment}));
    std::memset(p, kPoison, bytes + kGuardBytes);
    runtime().allocations[p] = {p, bytes, false, {}};
    return p;
}

void release(void* p) {
    runtime().allocations.erase(static_cast<std::byte*>(p));
    ::operator delete (p, std::align_val_t{256});
}

void block_barrier(Site site) {
    Thread& t = running_thread();
    t.wait = Wait::barrier;
    t.site = site;
    t.fiber.suspend();
}

void warp_execute(unsigned mask, void* record, WarpOperation operation, bool orders_memory,
                  Site site) {
    Runtime& r = runtime();
    Thread& mine = running_thread();
    const unsigned lane = r.running % 32, first_thread = r.running - lane;
    if (!(mask >> lane & 1)) {
        add_report(Finding::divergence, name_of_thread(r.running, r.block_number) +
                                            " is not in its own mask at " + text_of(site));
        return;
    }
    mine.wait = Wait::warp;
    mine.site = site;
    mine.mask = mask;
    mine.record = record;
    mine.operation = operation;
    if (!is_complete(mine, first_thread)) {
        mine.fiber.suspend();
        return;
    }
    WarpCall call{mask, site, {}};
    for (unsigned i = 0; i < 32; ++i) {
        if (!(mask >> i & 1)) continue;
        call.records[i] = r.threads[first_thread + i]->record;
        r.threads[first_thread + i]->wait = Wait::ready;
    }
    if (operation) operation(call);
    if (orders_memory) join_clocks(mask, first_thread);
}

int shuffle_source(Shuffle kind, const WarpCall& call, int lane, int argument, int width) {
    const int first = lane & ~(width - 1), last = first + width - 1;
    int source = lane;
    switch (kind) {
        case Shuffle::index:
            source = first + (argument & (width - 1));
            break;
        case Shuffle::up:
            source = lane - argument < first ? lane : lane - argument;
            break;
        case Shuffle::down:
            source = lane + argument > last ? lane : lane + argument;
            break;
        case Shuffle::exclusive_or:
            source = (lane ^ argument) > last ? lane : lane ^ argument;
            break;
    }
    if (call.mask >> source & 1) return source;
    add_report(Finding::divergence, std::string("lane ") + std::to_string(lane) + " reads lane " +
                                        std::to_string(source) + ", which takes no part, at " +
                                        text_of(call.site));
    return lane;
}

unsigned ballot(unsigned mask, bool predicate, Site site) {
    struct Vote {
        bool predicate;
        unsigned result;
    } vote{predicate, 0};
    const auto count = [](WarpCall& call) {
        unsigned bits = 0;
        for (int lane = 0; lane < 32; ++lane) {
            const auto* v = static_cast<const Vote*>(call.records[lane]);
            if (v && v->predicate) bits |= 1u << lane;
        }
        for (void* record : call.records) {
            if (record) static_cast<Vote*>(record)->result = bits;
        }
    };
    warp_execute(mask, &vote, count, false, site);
    return vote.result;
}

void* shared_array(const void* tag, std::size_t bytes, std::size_t alignment) {
    Runtime& r = runtime();
    for (const SharedArray& a : r.shared_arrays) {
        if (a.tag == tag) return r.shared.base + a.offset;
    }
    const std::size_t offset = (r.shared_top + alignment - 1) / alignment * alignment;
    r.shared_top = offset + bytes + kSharedGap;
    r.shared_arrays.push_back({tag, offset});
    const std::size_t used = r.shared_top - kSharedGap * (r.shared_arrays.size() + 1);
    if (used > kSharedBytes || r.shared_top > kArenaBytes) {
        add_report(Finding::launch,
                   std::string("expected at most 49152 bytes of shared memory, got ") +
                       std::to_string(used));
        if (r.shared_top > kArenaBytes) std::abort();
    }
    unpoison_region(r.shared.base + offset, bytes);
    std::memset(r.shared.base + offset, kPoison, bytes);
    return r.shared.base + offset;
}

void* dynamic_shared() { return runtime().shared.base; }

bool run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(void*), void* context) {
    if (!is_launchable(grid, block, shared_bytes)) return false;
    Runtime& r = runtime();
    if (!r.shared.base) {
        auto* arena = static_cast<std::byte*>(::operator new (kArenaBytes, std::align_val_t{256}));
        r.shared = {arena, kArenaBytes, true, {}};
    }
    r.grid = gridDim = grid;
    r.block = blockDim = block;
    r.dynamic_bytes = shared_bytes;
    r.body = body;
    r.context = context;
    r.count = block.x * block.y * block.z;
    r.abandoned = false;
    ++r.launches;
    while (r.threads.size() < r.count) r.threads.push_back(std::make_unique<Thread>());
    for (const unsigned number : in_order(grid.x * grid.y * grid.z)) {
        run_block(number);
        if (r.abandoned) break;
    }
    check_guards();
    return true;
}

}  // namespace detail

void set_order(Order order, std::uint64_t seed) {
    detail::runtime().order = order;
    detail::runtime().random.seed(seed);
}

std::vector<Report> take_reports() { return std::exchange(detail::runtime().reports, {}); }

}  // namespace drydock::kernels::simt

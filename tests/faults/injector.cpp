#include "tests/faults/injector.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace drydock::faults {
namespace {

constexpr int kIdle = -1;

// In memory that child processes share.
struct Control {
    std::atomic<int> fault{kIdle};
    std::atomic<long> left{0};
    std::atomic<int> fired{0};
    std::atomic<pid_t> process{0};  // in which
    char call[32] = {};
};

Control* control = nullptr;

// Before main, and before any allocation is counted.
[[gnu::constructor(101)]] void make_control() {
    void* page =
        mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    control = new (page) Control;
}

bool lasting(Fault fault) { return fault == Fault::memory_gone || fault == Fault::disk_full; }

// Whether this call is to fail.
bool strikes(Fault fault, const char* call) {
    if (control == nullptr || control->fault.load() != static_cast<int>(fault)) return false;
    const long left = control->left.fetch_sub(1);
    if (left > 1 || (left < 1 && !lasting(fault))) return false;
    if (control->fired.exchange(1) == 0) {
        control->process = getpid();
        std::strncpy(control->call, call, sizeof control->call - 1);
    }
    return true;
}

bool no_memory(const char* call) {
    if (!strikes(Fault::no_memory, call) && !strikes(Fault::memory_gone, call)) return false;
    errno = ENOMEM;
    return true;
}

// Sets errno when the call is to fail; `takes_space` for those that a full disk fails.
bool io_fails(const char* call, bool takes_space = false) {
    if (strikes(Fault::io_error, call)) {
        errno = EIO;
        return true;
    }
    if (takes_space && strikes(Fault::disk_full, call)) {
        errno = ENOSPC;
        return true;
    }
    return false;
}

// For calls that move bytes: also EINTR, and a smaller count.
bool transfer_fails(const char* call, bool takes_space, std::size_t& count) {
    if (io_fails(call, takes_space)) return true;
    if (strikes(Fault::interrupted, call)) {
        errno = EINTR;
        return true;
    }
    if (count > 1 && strikes(Fault::short_transfer, call)) count /= 2;
    return false;
}

mode_t mode_of(int file) {
    struct stat facts {};
    return syscall(SYS_fstat, file, &facts) == 0 ? facts.st_mode : 0;
}

// A pipe has no disk that could be full.
bool is_file(int file) { return S_ISREG(mode_of(file)); }

template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int open_at(const char* call, int folder, const char* path, int flags, mode_t mode) {
    if (io_fails(call, (flags & O_CREAT) != 0)) return -1;
    return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}

FILE* open_stream(const char* name, const char* path, const char* mode) {
    static auto* const plain = next<FILE*(const char*, const char*)>("fopen64");
    if (io_fails(name, mode[0] != 'r')) return nullptr;
    return plain(path, mode);
}

}  // namespace

const char* name_of(Fault fault) {
    constexpr const char* kNames[] = {"no memory", "memory gone",    "input/output error",
                                      "disk full", "short transfer", "interrupted"};
    return kNames[static_cast<int>(fault)];
}

Injection::Injection(Fault fault, long n) {
    control->left = n;
    control->fired = 0;
    std::memset(control->call, 0, sizeof control->call);
    control->fault = static_cast<int>(fault);
}
Injection::~Injection() { end_injection(); }
void end_injection() { control->fault = kIdle; }

bool Injection::fired() const { return control->fired != 0; }
std::string Injection::call() const { return control->call; }
bool Injection::fired_here() const { return fired() && control->process == getpid(); }

}  // namespace drydock::faults

using drydock::faults::io_fails;
using drydock::faults::is_file;
using drydock::faults::no_memory;
using drydock::faults::transfer_fails;

// --- System calls. Straight to the kernel: a sanitizer's own wrappers need not see them. ---
extern "C" {

int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return drydock::faults::open_at("open", AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return drydock::faults::open_at("open", AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return drydock::faults::open_at("openat", folder, path, flags, mode);
}
FILE* fopen(const char* path, const char* mode) {
    return drydock::faults::open_stream("fopen", path, mode);
}
FILE* fopen64(const char* path, const char* mode) {
    return drydock::faults::open_stream("fopen", path, mode);
}
ssize_t read(int file, void* out, std::size_t n) {
    if (transfer_fails("read", false, n)) return -1;
    return syscall(SYS_read, file, out, n);
}
ssize_t pread(int file, void* out, std::size_t n, off_t at) {
    if (transfer_fails("pread", false, n)) return -1;
    return syscall(SYS_pread64, file, out, n, at);
}
ssize_t write(int file, const void* bytes, std::size_t n) {
    if (transfer_fails("write", is_file(file), n)) return -1;
    return syscall(SYS_write, file, bytes, n);
}
ssize_t pwrite(int file, const void* bytes, std::size_t n, off_t at) {
    if (transfer_fails("pwrite", is_file(file), n)) return -1;
    return syscall(SYS_pwrite64, file, bytes, n, at);
}
ssize_t writev(int file, const iovec* parts, int count) {
    if (io_fails("writev", is_file(file))) return -1;
    return syscall(SYS_writev, file, parts, count);
}
// No power is lost here: thousands of files need not reach the disk.
int fsync(int file) {
    const bool folder = S_ISDIR(drydock::faults::mode_of(file));
    return io_fails(folder ? "fsync of a folder" : "fsync", !folder) ? -1 : 0;
}
int fdatasync(int) { return io_fails("fdatasync", true) ? -1 : 0; }
int ftruncate(int file, off_t size) noexcept {
    if (io_fails("ftruncate", true)) return -1;
    return static_cast<int>(syscall(SYS_ftruncate, file, size));
}
// As the kernel does it: an error is reported, and the descriptor is gone all the same.
int close(int file) {
    const bool fails = io_fails("close");
    const int error = errno;
    const auto result = static_cast<int>(syscall(SYS_close, file));
    if (fails) errno = error;
    return fails ? -1 : result;
}
int fstat(int file, struct stat* facts) noexcept {
    if (io_fails("fstat")) return -1;
    return static_cast<int>(syscall(SYS_fstat, file, facts));
}
int stat(const char* path, struct stat* facts) noexcept {
    if (io_fails("stat")) return -1;
    return static_cast<int>(syscall(SYS_stat, path, facts));
}
int rename(const char* from, const char* to) noexcept {
    if (io_fails("rename")) return -1;
    return static_cast<int>(syscall(SYS_rename, from, to));
}

}  // extern "C"

// --- Memory ---
#if defined(DRYDOCK_OWN_MALLOC)

extern "C" {

// NOLINTBEGIN(readability-identifier-naming): the C library's names.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
// NOLINTEND(readability-identifier-naming)

void* malloc(std::size_t n) { return no_memory("malloc") ? nullptr : __libc_malloc(n); }
void* calloc(std::size_t n, std::size_t size) {
    return no_memory("calloc") ? nullptr : __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
    return no_memory("realloc") ? nullptr : __libc_realloc(p, n);
}
void* memalign(std::size_t alignment, std::size_t n) {
    return no_memory("memalign") ? nullptr : __libc_memalign(alignment, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
    return no_memory("aligned_alloc") ? nullptr : __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
    void* block = no_memory("posix_memalign") ? nullptr : __libc_memalign(alignment, n);
    if (block == nullptr) return ENOMEM;
    *p = block;
    return 0;
}

}  // extern "C"

#else

namespace {

void* allocate(std::size_t n, std::size_t alignment) {
    if (no_memory("operator new")) return nullptr;
    n = (n + alignment - 1) / alignment * alignment;
    return std::aligned_alloc(alignment, n == 0 ? alignment : n);
}
void* allocate_or_throw(std::size_t n, std::size_t alignment) {
    void* block = allocate(n, alignment);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}
constexpr std::size_t kPlain = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

using Alignment = std::align_val_t;
using Quiet = const std::nothrow_t&;

void* operator new(std::size_t n) { return allocate_or_throw(n, kPlain); }
void* operator new[](std::size_t n) { return allocate_or_throw(n, kPlain); }
void* operator new(std::size_t n, Alignment a) {
    return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, Alignment a) {
    return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, Quiet) noexcept { return allocate(n, kPlain); }
void* operator new[](std::size_t n, Quiet) noexcept { return allocate(n, kPlain); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, Alignment) noexcept { std::free(p); }
void operator delete[](void* p, Alignment) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, Alignment) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, Alignment) noexcept { std::free(p); }
void operator delete(void* p, Quiet) noexcept { std::free(p); }
void operator delete[](void* p, Quiet) noexcept { std::free(p); }

#endif

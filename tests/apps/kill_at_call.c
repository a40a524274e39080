/* Preloaded into the program: SIGKILL at the call number DRYDOCK_KILL_AT that changes a file,
 * counted from 1 in the program's own process. A write has a second number: killed with half of it
 * done. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t program;
static long calls, last;

__attribute__((constructor)) static void begin(void) {
    const char* at = getenv("DRYDOCK_KILL_AT");
    program = getpid();
    last = at ? atol(at) : 0;
}

static int now(void) { return getpid() == program && ++calls == last; }

static void point(void) {
    if (now()) kill(program, SIGKILL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void* bytes, size_t size) {
    struct stat facts;
    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && file > 2) {
        point();
        if (now()) {
            NEXT(write)(file, bytes, size / 2);
            kill(program, SIGKILL);
        }
    }
    return NEXT(write)(file, bytes, size);
}

int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) ? (mode_t)va_arg(rest, int) : 0;
    va_end(rest);
    if (flags & O_CREAT) point();
    return NEXT(open)(path, flags, mode);
}

int fsync(int file) {
    point();
    return NEXT(fsync)(file);
}

int fdatasync(int file) {
    point();
    return NEXT(fdatasync)(file);
}

int rename(const char* from, const char* to) {
    point();
    return NEXT(rename)(from, to);
}

int remove(const char* path) {
    point();
    return NEXT(remove)(path);
}

int mkdir(const char* path, mode_t mode) {
    point();
    return NEXT(mkdir)(path, mode);
}

#include "kernels/simt/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace drydock::kernels::simt::detail {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStackBytes = 256 << 10;  // ASan's frames are several times larger
#else
constexpr std::size_t kStackBytes = 64 << 10;
#endif
constexpr std::size_t kGuardBytes = 64 << 10;  // a whole page on every machine

Fiber* g_running = nullptr;

// ASan has to know on which stack the program is. The stack that resumes is learnt on entry.
const void* g_resumer_bottom = nullptr;
std::size_t g_resumer_bytes = 0;

void leave_stack([[maybe_unused]] void** save, [[maybe_unused]] const void* bottom,
                 [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, bottom, bytes);
#endif
}

void enter_stack([[maybe_unused]] void* saved, [[maybe_unused]] const void** old_bottom,
                 [[maybe_unused]] std::size_t* old_bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(saved, old_bottom, old_bytes);
#endif
}

}  // namespace

#if defined(__x86_64__) && !defined(DRYDOCK_SIMT_UCONTEXT)

// Saves the callee-saved registers on the old stack and takes them from the new one: ten times
// faster than swapcontext, which also asks the kernel for the signal mask.
extern "C" void drydock_simt_switch(void** save_stack, void* load_stack);
asm(R"(
.text
.p2align 4
.type drydock_simt_switch, @function
drydock_simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size drydock_simt_switch, .-drydock_simt_switch
)");

void Fiber::start(Entry entry, void* argument) {
    entry_ = entry;
    argument_ = argument;
    finished_ = false;
    fake_stack_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack_, kStackBytes);
#endif
    // Six registers, the address that `ret` takes, and a return address for enter(): the stack
    // pointer is then off 16 by 8, as it is at the start of every function.
    auto** top = reinterpret_cast<void**>(stack_ + kStackBytes) - 8;
    for (int i = 0; i < 8; ++i) top[i] = nullptr;
    top[6] = reinterpret_cast<void*>(&Fiber::enter);
    context_ = top;
}

void Fiber::switch_in() { drydock_simt_switch(&resumer_, context_); }
void Fiber::switch_out() { drydock_simt_switch(&context_, resumer_); }

#else

void Fiber::start(Entry entry, void* argument) {
    entry_ = entry;
    argument_ = argument;
    finished_ = false;
    fake_stack_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack_, kStackBytes);
#endif
    if (!context_) {
        context_ = std::calloc(1, sizeof(ucontext_t));
        resumer_ = std::calloc(1, sizeof(ucontext_t));
    }
    auto* context = static_cast<ucontext_t*>(context_);
    getcontext(context);
    context->uc_stack.ss_sp = stack_;
    context->uc_stack.ss_size = kStackBytes;
    context->uc_link = nullptr;
    makecontext(context, &Fiber::enter, 0);
}

void Fiber::switch_in() {
    swapcontext(static_cast<ucontext_t*>(resumer_), static_cast<ucontext_t*>(context_));
}
void Fiber::switch_out() {
    swapcontext(static_cast<ucontext_t*>(context_), static_cast<ucontext_t*>(resumer_));
}

#endif

Fiber::Fiber() {
    void* p = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p, kGuardBytes, PROT_NONE) != 0) std::abort();
    stack_ = static_cast<std::byte*>(p) + kGuardBytes;
}

Fiber::~Fiber() {
#if !defined(__x86_64__) || defined(DRYDOCK_SIMT_UCONTEXT)
    std::free(context_);
    std::free(resumer_);
#endif
    munmap(stack_ - kGuardBytes, kGuardBytes + kStackBytes);
}

void Fiber::resume() {
    Fiber* const before = g_running;
    g_running = this;
    void* fake_stack = nullptr;
    leave_stack(&fake_stack, stack_, kStackBytes);
    switch_in();
    enter_stack(fake_stack, nullptr, nullptr);
    g_running = before;
}

void Fiber::suspend() {
    // A null place to save tells ASan that this stack is done with.
    leave_stack(finished_ ? nullptr : &fake_stack_, g_resumer_bottom, g_resumer_bytes);
    switch_out();
    enter_stack(fake_stack_, &g_resumer_bottom, &g_resumer_bytes);
}

void Fiber::enter() {
    Fiber& self = *g_running;
    enter_stack(nullptr, &g_resumer_bottom, &g_resumer_bytes);
    self.entry_(self.argument_);
    self.finished_ = true;
    self.suspend();
    std::abort();
}

}  // namespace drydock::kernels::simt::detail

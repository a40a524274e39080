// A stack of its own, entered and left by hand: one thread of a kernel.
#pragma once

#include <cstddef>

namespace drydock::kernels::simt::detail {

class Fiber {
  public:
    using Entry = void (*)(void*);

    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // Makes the next resume() call entry(argument) on a fresh stack. What was on the stack before
    // is forgotten without being unwound.
    void start(Entry entry, void* argument);

    // Runs the fiber until it suspends itself or its entry returns.
    void resume();

    // Called on the fiber's own stack: goes back to where resume() was called.
    void suspend();

  private:
    static void enter();
    void switch_in();
    void switch_out();

    std::byte* stack_;  // above a guard page
    void* context_ = nullptr;
    void* resumer_ = nullptr;
    Entry entry_ = nullptr;
    void* argument_ = nullptr;
    void* fake_stack_ = nullptr;  // ASan's
    bool finished_ = false;
};

}  // namespace drydock::kernels::simt::detail

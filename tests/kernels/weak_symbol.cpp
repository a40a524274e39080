// What scripts/check_isa_symbols must find: a function that the linker may take from here for the
// whole program.
__attribute__((noinline)) inline int weak(int x) { return x + 1; }

int strong(int x);
int strong(int x) { return weak(x); }

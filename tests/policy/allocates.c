/* What check_symbols.sh must refuse. */
#include <stdlib.h>

void* allocates(size_t n);

void* allocates(size_t n) { return malloc(n); }

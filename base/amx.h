// AMX: eight tiles of 16 rows of 64 bytes, and the product of two tiles of bfloat16. Two pages:
// the processor's instructions, and, where DRYDOCK_AMX_MODEL is defined, a model of them in plain
// C++, so that what is written for tiles is tested where there are none.
//
// Tiles belong to a thread. configure() comes before everything else, release() after; between the
// two a thread does not wait for another, or the system would have all tiles to save.
#pragma once

#if defined(DRYDOCK_AMX_MODEL)
#include "base/amx_model.h"
#else
#include "base/amx_native.h"
#endif

// Windows of consecutive steps of an episode, as row numbers for GatherRows.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

// Window i begins at data row starts[i] and covers the next K steps of that row's episode, or as
// many as are left; the rest is padding, behind the steps or, with `left`, before them. Episode e
// is the rows [offsets[e], offsets[e + 1]); offsets begin at 0 and ascend.
//   rows: the data row of a step; offsets[episodes], one past the data, for padding.
//   timesteps: the step's number in its episode, at most last_timestep. It goes on counting into
//     padding behind the steps, and is 0 in padding before them.
// A start that is no row gives rows of -1 and timesteps of 0.
struct WindowRows {
    std::int64_t K;
    bool left;
    std::int64_t last_timestep;
    std::int64_t n;
    const std::int64_t* starts;  // (n)
    std::int64_t episodes;
    const std::int64_t* offsets;  // (episodes + 1)
    std::int64_t* rows;           // (n, K)
    std::int64_t* timesteps;      // (n, K)
};

}  // namespace drydock::kernels

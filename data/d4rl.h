// D4RL's flat HDF5 layout: one array per column at the root of the file, rows in time order.
//
//   observations (N, S)  actions (N, A)  rewards (N) or (N, 1)  terminals (N) or (N, 1)   required
//   next_observations (N, S)  timeouts (N) or (N, 1)                                      optional
//
// Actions that are integers, (N) or (N, 1), are choices among action_count (an attribute of that
// name, else one more than the largest). Other numbers may be of any float or integer type; flags
// may be bool (the enum that h5py writes), integers or floats, and any value but 0 is true.
// Everything else in the file (infos/*, metadata/*) is listed in Dataset::raw_facts and not read.
// Layout and filters are whatever the HDF5 library reads: contiguous, chunked, gzip, shuffle. Known
// quirks of published files: docs/data.md.
//
// The HDF5 library crashes or hangs on some damaged files. So it reads in processes of their own,
// one per core for large files, which may open nothing but the file and send what they read to this
// one. A crash, 5 s on a processor (and 1 s per 4 MiB of the file) or 300 s on the clock without
// any progress, and memory beyond 256 MiB, twice the file and some chunks are errors like any
// other. Calls from several threads are fine. Links to other files, external storage and virtual
// arrays are refused where a column is one, and else not followed.
#pragma once

#include <string>

#include "data/dataset.h"

namespace drydock::data {

struct ReadOptions {
    bool next_observations = true;  // false: left on the disk, whatever they are
    // Whether they will be made in memory where none are read: columns that then do not fit into it
    // are refused.
    bool next_observations_made = false;
    int readers = 0;  // processes; 0: as many as pay off
};

// Reads and validates a file; numbers become float32. Throws drydock::Error for a file that is
// missing, cut short, damaged, not HDF5 or larger than memory, that changes meanwhile, a missing
// column, wrong ranks, lengths or types, zero rows, and values that are not finite (a float64
// beyond float32's range counts as such).
Dataset read_d4rl(const std::string& path, const ReadOptions& options = {});

// Writes columns and attributes (path, sha256 and raw_facts are ignored), gzip level 6 with
// shuffle, flags as h5py's bool. The file appears under `path` only when it is complete: it is
// written to a temporary name beside it, synced and renamed. Throws drydock::Error when the data
// set is not valid or the file cannot be written; an existing file at `path` is then untouched.
void write_d4rl(const std::string& path, const Dataset& dataset);

}  // namespace drydock::data

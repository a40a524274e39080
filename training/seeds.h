// Several seeds of one run, trained as one grouped program (core/executable_group.h): small
// networks do not fill the cores alone. Each seed has a whole run folder of its own, OUT/seed-K,
// with the files, bit for bit, of a run of that seed alone, but for the times in them; `resume`
// goes on with one of them or with all.
#pragma once

#include <string>
#include <vector>

#include "training/trainer.h"

namespace drydock::training {

struct SeedResult {
    std::uint64_t seed = 0;
    TrainResult result;
    std::string error;  // "": none; a seed that fails leaves the group and keeps its checkpoint
};

struct SeedsResult {
    std::vector<SeedResult> seeds;
    bool stopped = false;  // by the flag, before all steps were done
    // Over the seeds that were evaluated: of the last score or, where the environment has no
    // scores, of the last mean return. The error is the mean's; absent for one seed.
    std::optional<double> mean, standard_error;
    bool scores = false;  // mean is of scores
    std::string out;
};

// Trains seeds options.seed, options.seed + 1, ... in folders of options.out, and writes
// OUT/seeds.json. The data are read once. Throws what train() throws for a run that cannot begin; a
// seed that fails later is in the result.
SeedsResult train_seeds(const TrainOptions& options, std::int64_t seeds,
                        const TrainCallbacks& callbacks = {});

// Goes on with all seeds of such a folder: those behind catch up, then all go together.
SeedsResult resume_seeds(const ResumeOptions& options, const TrainCallbacks& callbacks = {});

// The run folders in a folder that train_seeds made, by seed; none for another folder.
std::vector<std::string> seed_folders(const std::string& folder);

}  // namespace drydock::training

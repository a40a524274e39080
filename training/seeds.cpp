#include "training/seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/executable_group.h"
#include "training/run.h"

namespace drydock::training {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kPrefix = "seed-";

std::string folder_of(const std::string& out, std::uint64_t seed) {
    return fmt::format("{}/{}{}", out, kPrefix, seed);
}

// The runs of all seeds. The first owns the data's columns, so it stays until the end.
class SeedRuns {
  public:
    explicit SeedRuns(const TrainCallbacks& callbacks) : callbacks_(callbacks) {}

    // `first_only` hears what would be said once for every seed.
    Notice notice(bool first_only) const {
        if (!callbacks_.notice || (first_only && !members_.empty())) return [](const auto&) {};
        return callbacks_.notice;
    }
    const RunParts* sibling() const {
        return members_.empty() ? nullptr : &members_[0].run->parts();
    }
    void add(RunParts parts);
    SeedsResult train(const std::string& out);

  private:
    struct Member {
        std::unique_ptr<Run> run;
        SeedResult result;
        bool failed() const { return !result.error.empty(); }
    };

    bool stopped() const { return callbacks_.stop && callbacks_.stop->load(); }
    // Runs `work` for a member; an error ends that member alone.
    template <class Work>
    void attempt(Member& member, Work work);
    std::vector<Member*> behind();
    void advance(const std::vector<Member*>& group);
    void summarize(SeedsResult& out) const;

    const TrainCallbacks& callbacks_;
    std::vector<Member> members_;
    std::map<std::vector<Member*>, std::unique_ptr<ExecutableGroup>> groups_;
};

void SeedRuns::add(RunParts parts) {
    TrainCallbacks callbacks = callbacks_;
    const std::uint64_t seed = parts.options.seed;
    if (callbacks_.progress) {
        // One seed stands for all between evaluations.
        callbacks.progress = [this, seed](const Progress& progress) {
            const auto lead = std::find_if(members_.begin(), members_.end(),
                                           [](const Member& m) { return !m.failed(); });
            const bool leads = lead != members_.end() && lead->result.seed == seed;
            if (progress.evaluated || leads) callbacks_.progress(progress);
        };
    }
    Member& member = members_.emplace_back();
    member.result.seed = seed;
    member.run = std::make_unique<Run>(std::move(parts), std::move(callbacks));
}

template <class Work>
void SeedRuns::attempt(Member& member, Work work) {
    try {
        work();
    } catch (const Error& error) {
        // A disk that is full is full for all.
        if (error.kind() == ErrorKind::disk) throw;
        member.result.error = error.what();
        if (callbacks_.notice) {
            callbacks_.notice(fmt::format("seed {} ended, the others go on: {}", member.result.seed,
                                          error.what()));
        }
    }
}

// The members that are to run next: all that stand where the last one does.
std::vector<SeedRuns::Member*> SeedRuns::behind() {
    std::vector<Member*> group;
    for (Member& member : members_) {
        if (member.failed() || member.run->over()) continue;
        if (!group.empty() && member.run->step() < group.front()->run->step()) group.clear();
        if (group.empty() || member.run->step() == group.front()->run->step()) {
            group.push_back(&member);
        }
    }
    return group;
}

void SeedRuns::advance(const std::vector<Member*>& group) {
    auto& executables = groups_[group];
    if (!executables) {
        std::vector<Executable*> updates;
        for (Member* member : group) updates.push_back(&member->run->parts().session->updates());
        executables = std::make_unique<ExecutableGroup>(std::move(updates));
    }
    const std::int64_t first = group.front()->run->step();
    std::int64_t n = group.front()->run->next_chunk();
    for (Member* member : group) n = std::min(n, member->run->next_chunk());
    for (const Member& member : members_) {  // those ahead wait to be caught up with
        const std::int64_t ahead = member.run->step() - first;
        if (ahead > 0) n = std::min(n, ahead);
    }
    const Clock::time_point start = Clock::now();
    executables->run(n);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (Member* member : group) {
        attempt(*member, [&] { member->run->after_updates(first, seconds); });
    }
}

SeedsResult SeedRuns::train(const std::string& out) {
    for (Member& member : members_) attempt(member, [&] { member.run->begin(); });
    for (std::vector<Member*> group = behind(); !group.empty(); group = behind()) advance(group);
    SeedsResult result;
    result.out = out;
    for (Member& member : members_) {
        if (!member.failed()) {
            attempt(member, [&] { member.result.result = member.run->finish(); });
        }
        result.stopped = result.stopped || member.result.result.stopped;
        result.seeds.push_back(member.result);
    }
    summarize(result);
    return result;
}

void SeedRuns::summarize(SeedsResult& out) const {
    std::vector<double> values;
    for (const SeedResult& seed : out.seeds) {
        if (!seed.error.empty() || !seed.result.last) continue;
        out.scores = seed.result.last->score_mean.has_value();
        values.push_back(seed.result.last->score_mean.value_or(seed.result.last->return_mean));
    }
    if (values.empty()) return;
    const auto n = static_cast<double>(values.size());
    double sum = 0, square = 0;
    for (const double v : values) sum += v;
    for (const double v : values) square += (v - sum / n) * (v - sum / n);
    out.mean = sum / n;
    if (n > 1) out.standard_error = std::sqrt(square / (n - 1) / n);
}

nlohmann::ordered_json optional(const std::optional<double>& x) {
    return x ? nlohmann::ordered_json(*x) : nlohmann::ordered_json();
}

void write_seeds_file(const SeedsResult& result) {
    nlohmann::ordered_json json;
    json["of"] = result.scores ? "score_last" : "return_last_mean";
    json["mean"] = optional(result.mean);
    json["standard_error"] = optional(result.standard_error);
    json["stopped"] = result.stopped;
    json["seeds"] = nlohmann::ordered_json::array();
    for (const SeedResult& s : result.seeds) {
        nlohmann::ordered_json one;
        one["seed"] = s.seed;
        one["folder"] = fmt::format("{}{}", kPrefix, s.seed);
        if (s.error.empty()) {
            const auto& last = s.result.last;
            one["steps"] = s.result.steps;
            one["score_last"] = optional(last ? last->score_mean : std::nullopt);
            one["score_best"] = optional(s.result.score_best);
            one["return_last_mean"] =
                last ? nlohmann::ordered_json(last->return_mean) : nlohmann::ordered_json();
        } else {
            one["error"] = s.error;
        }
        json["seeds"].push_back(one);
    }
    const std::string text = json.dump(2) + "\n";
    write_atomically(result.out + "/seeds.json", std::as_bytes(std::span(text)));
}

// The folder of seeds is not also a run's, and holds no other seeds.
void check_folder(const TrainOptions& options, std::int64_t seeds) {
    if (fs::exists(fs::path(options.out) / "config.toml")) {
        throw Error(fmt::format("[train] expected a folder for seeds, got '{}', in which a run is; "
                                "choose another --out",
                                options.out),
                    ErrorKind::usage);
    }
    for (const std::string& folder : seed_folders(options.out)) {
        bool replaced = false;
        for (std::int64_t k = 0; k < seeds; ++k) {
            const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(k);
            replaced = replaced || fs::path(folder) == fs::path(folder_of(options.out, seed));
        }
        if (replaced) continue;
        throw Error(fmt::format("[train] expected a folder without other seeds, got '{}'; remove "
                                "it, or choose another --out",
                                folder),
                    ErrorKind::usage);
    }
}

}  // namespace

std::vector<std::string> seed_folders(const std::string& folder) {
    std::map<std::uint64_t, std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(kPrefix) || !fs::exists(entry.path() / "config.toml")) continue;
        std::uint64_t seed = 0;
        const char* begin = name.data() + std::char_traits<char>::length(kPrefix);
        const auto [end, failed] = std::from_chars(begin, name.data() + name.size(), seed);
        if (failed == std::errc() && end == name.data() + name.size()) {
            found[seed] = entry.path().string();
        }
    }
    std::vector<std::string> folders;
    for (const auto& [seed, path] : found) folders.push_back(path);
    return folders;
}

SeedsResult train_seeds(const TrainOptions& options, std::int64_t seeds,
                        const TrainCallbacks& callbacks) {
    if (seeds < 1) {
        throw Error(fmt::format("[train] expected 1 seed or more, got {}", seeds),
                    ErrorKind::usage);
    }
    if (options.check_numerics || !options.profile.empty()) {
        throw Error(
            "[train] expected one seed with check_numerics or a profile, which look at the calls "
            "of one run",
            ErrorKind::usage);
    }
    if (!options.finetune.empty()) {
        throw Error(
            "[train] expected one seed with --finetune: each run collects data of its own; give "
            "--seed K to one run after the other",
            ErrorKind::usage);
    }
    const auto options_of = [&](std::int64_t k) {
        TrainOptions one = options;
        one.seed = options.seed + static_cast<std::uint64_t>(k);
        one.out = folder_of(options.out, one.seed);
        return one;
    };
    check_folder(options, seeds);
    // Nothing begins when one of them could not.
    for (std::int64_t k = 0; k < seeds; ++k) {
        RunFolder::for_new_run(options_of(k).out, options.overwrite);
    }
    SeedRuns runs(callbacks);
    for (std::int64_t k = 0; k < seeds; ++k) {
        runs.add(begin_run(options_of(k), runs.notice(true), callbacks.stop, runs.sibling()));
    }
    const SeedsResult result = runs.train(options.out);
    write_seeds_file(result);
    return result;
}

SeedsResult resume_seeds(const ResumeOptions& options, const TrainCallbacks& callbacks) {
    const std::vector<std::string> folders = seed_folders(options.folder);
    if (folders.empty()) {
        throw Error(fmt::format("[resume] expected folders {}K with runs in '{}', there are none",
                                kPrefix, options.folder),
                    ErrorKind::usage);
    }
    SeedRuns runs(callbacks);
    for (const std::string& folder : folders) {
        ResumeOptions one = options;
        one.folder = folder;
        runs.add(continue_run(one, runs.notice(true), runs.sibling()));
    }
    const SeedsResult result = runs.train(options.folder);
    write_seeds_file(result);
    return result;
}

}  // namespace drydock::training

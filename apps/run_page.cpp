#include "apps/run_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "apps/format.h"
#include "apps/interrupt.h"
#include "apps/progress.h"

namespace drydock::apps {
namespace {

using training::Evaluation;
using training::Progress;
using training::TrainOptions;
using training::TrainResult;

constexpr const char* kStopping =
    "\ndrydock: stopping after the updates in flight and saving; once more to kill\n";

std::string describe(const Evaluation& evaluation) {
    std::string text =
        fmt::format("return {:.2f} ± {:.2f}", evaluation.return_mean, evaluation.return_std);
    if (evaluation.score_mean) {
        text += fmt::format("  score {}",
                            paint(fmt::format("{:.1f}", *evaluation.score_mean), Tone::strong));
    }
    return text + fmt::format("  {} episodes", evaluation.episodes.size());
}

// Scores, critics and losses, those first that must not be cut off at the end of the line.
std::string detail_of(const Progress& progress) {
    std::string detail;
    if (progress.evaluation != nullptr && progress.evaluation->score_mean) {
        detail += fmt::format("  score {:.1f}", *progress.evaluation->score_mean);
    }
    if (progress.online_return) {
        detail += fmt::format("  collected {:.1f}", *progress.online_return);
        if (progress.online_score) detail += fmt::format(" (score {:.1f})", *progress.online_score);
    }
    if (progress.predicted_q) {
        detail += fmt::format("  Q {:.4g}", *progress.predicted_q);
        if (progress.discounted_return) {
            detail += fmt::format(" (seen {:.4g})", *progress.discounted_return);
        }
    }
    for (const auto& [name, value] : progress.metrics) {
        detail += fmt::format("  {} {:.4g}", name, value);
    }
    return detail;
}

// `seed` begins the lines where there are several.
void show(ProgressLine& line, const Progress& progress, const std::string& seed = "") {
    if (progress.evaluated && progress.evaluation != nullptr) {
        line.print_line(fmt::format("  {}update {:>{}}  {}", seed, grouped(progress.step),
                                    grouped(progress.steps).size(),
                                    describe(*progress.evaluation)));
    }
    line.update(progress.step, progress.updates_per_second, progress.remaining_seconds,
                (seed.empty() ? "" : "  " + seed) + detail_of(progress));
}

void print_run_folder(const std::string& out) {
    constexpr std::pair<const char*, const char*> kFiles[] = {
        {"policy.safetensors", "what a program loads"},
        {"config.toml", "every setting: runs it again with --config"},
        {"metrics.csv", "the losses, by update"},
        {"evaluations.csv", "every evaluated episode"},
        {"target_evaluations.csv", "those at further target returns"},
        {"result.json", "scores, speed, and what they were measured on"},
        {"checkpoint.safetensors", "the whole state of the run: what resume goes on from"}};
    print_heading(out + "/");
    Facts facts;
    for (const auto& [name, what] : kFiles) {
        if (std::filesystem::exists(std::filesystem::path(out) / name)) {
            facts.emplace_back(name, what);
        }
    }
    print_facts(facts);
}

void print_next(const TrainOptions& options, bool stopped) {
    print_heading("Next");
    if (stopped) fmt::print("  drydock resume {}\n", options.out);
    if (!options.environment.empty()) {
        fmt::print("  drydock evaluate {} --environment {} --episodes 100 --seed {}\n", options.out,
                   options.environment, options.seed + 1);
    }
    fmt::print("  drydock policy inspect {}/policy.safetensors\n", options.out);
}

void print_summary(const TrainOptions& options, const TrainResult& result) {
    print_heading(result.stopped ? "Stopped early" : "Done");
    Facts facts = {{"updates", result.stopped ? fmt::format("{} of {}", grouped(result.steps),
                                                            grouped(options.steps))
                                              : grouped(result.steps)},
                   {"speed", result.updates_per_second > 0
                                 ? fmt::format("{:.0f} updates/s", result.updates_per_second)
                                 : std::string("no update was left to do")}};
    if (result.last) facts.emplace_back("last", describe(*result.last));
    if (result.return_best) {
        const std::string score =
            result.score_best ? fmt::format("  score {:.1f}", *result.score_best) : "";
        facts.emplace_back("best", fmt::format("return {:.2f}{}  at update {}", *result.return_best,
                                               score, grouped(result.step_best)));
    }
    print_facts(facts);
    print_run_folder(result.out);
    print_next(options, result.stopped);
}

void print_top(const TrainOptions& options, const std::string& seeds) {
    print_heading(fmt::format("{} on {}", options.algorithm, options.dataset));
    print_facts({{"updates", fmt::format("{}, {}", grouped(options.steps), seeds)},
                 {"run folder", options.out}});
}

void print_seed(const training::SeedResult& seed) {
    if (!seed.error.empty()) {
        fmt::print("  {:>6}  {}\n", seed.seed, paint(wrap(seed.error, 88, 10), Tone::strong));
        return;
    }
    std::string text =
        fmt::format("  {:>6}  {:>10} updates", seed.seed, grouped(seed.result.steps));
    if (seed.result.last) text += "  " + describe(*seed.result.last);
    fmt::print("{}\n", text);
}

void print_seeds_summary(const training::SeedsResult& result, std::int64_t seeds) {
    print_heading(result.stopped ? "Stopped early" : "Done");
    fmt::print("  {:>6}\n", "seed");
    for (const training::SeedResult& seed : result.seeds) print_seed(seed);
    if (result.mean) {
        const std::string error = result.standard_error ? fmt::format(" ± {:.2f} (standard error)",
                                                                      *result.standard_error)
                                                        : "";
        fmt::print("\n  {} of the last evaluations, mean of {} seeds: {}{}\n",
                   result.scores ? "score" : "return", seeds,
                   paint(fmt::format("{:.2f}", *result.mean), Tone::strong), error);
    }
    print_heading(result.out + "/");
    print_facts({{"seed-K/", "a run folder for each seed, as a run of its own would have left"},
                 {"seeds.json", "what stands above, for programs"}});
    if (!result.stopped) return;
    print_heading("Next");
    fmt::print("  drydock resume {}\n", result.out);
}

// Callbacks that print the heading before the first notice, progress, and stop on Ctrl-C.
training::TrainCallbacks page(ProgressLine& line, const TrainOptions& options,
                              const std::string& seeds, bool several) {
    training::TrainCallbacks callbacks;
    callbacks.progress = [&line, several](const Progress& progress) {
        show(line, progress, several ? fmt::format("seed {}  ", progress.seed) : "");
    };
    // Callbacks are copied, the heading is printed once.
    const auto started = std::make_shared<bool>(false);
    callbacks.notice = [&line, &options, seeds, started](const std::string& text) {
        if (!*started) print_top(options, seeds);
        *started = true;
        line.print_line("  " + wrap(text, 96, 2));
    };
    callbacks.stop = &catch_interrupts(kStopping);
    return callbacks;
}

}  // namespace

int show_run(const TrainOptions& options,
             const std::function<TrainResult(const training::TrainCallbacks&)>& work) {
    ProgressLine line(options.steps, "updates");
    const TrainResult result =
        work(page(line, options, fmt::format("seed {}", options.seed), false));
    line.finish();
    print_summary(options, result);
    return result.stopped ? interrupted_status() : 0;
}

int show_seeds(const TrainOptions& options, std::int64_t seeds,
               const std::function<training::SeedsResult(const training::TrainCallbacks&)>& work) {
    ProgressLine line(options.steps, "updates");
    const std::string text = fmt::format("seeds {} to {}", options.seed,
                                         options.seed + static_cast<std::uint64_t>(seeds) - 1);
    const training::SeedsResult result = work(page(line, options, text, true));
    line.finish();
    print_seeds_summary(result, seeds);
    const bool failed = std::any_of(result.seeds.begin(), result.seeds.end(),
                                    [](const training::SeedResult& s) { return !s.error.empty(); });
    if (failed) return 1;
    return result.stopped ? interrupted_status() : 0;
}

}  // namespace drydock::apps

#include "apps/run_page.h"

#include <fmt/format.h>

#include <filesystem>

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

void show(ProgressLine& line, const Progress& progress) {
    if (progress.evaluated && progress.evaluation != nullptr) {
        line.print_line(fmt::format("  update {:>{}}  {}", grouped(progress.step),
                                    grouped(progress.steps).size(),
                                    describe(*progress.evaluation)));
    }
    std::string detail;
    if (progress.evaluation != nullptr && progress.evaluation->score_mean) {
        detail = fmt::format("  score {:.1f}", *progress.evaluation->score_mean);
    }
    for (const auto& [name, value] : progress.metrics) {
        detail += fmt::format("  {} {:.4g}", name, value);
    }
    line.update(progress.step, progress.updates_per_second, progress.remaining_seconds, detail);
}

void print_run_folder(const std::string& out) {
    constexpr std::pair<const char*, const char*> kFiles[] = {
        {"policy.safetensors", "what a program loads"},
        {"config.toml", "every setting: runs it again with --config"},
        {"metrics.csv", "the losses, by update"},
        {"evaluations.csv", "every evaluated episode"},
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

void print_top(const TrainOptions& options) {
    print_heading(fmt::format("{} on {}", options.algorithm, options.dataset));
    print_facts({{"updates", fmt::format("{}, seed {}", grouped(options.steps), options.seed)},
                 {"run folder", options.out}});
}

}  // namespace

int show_run(const TrainOptions& options,
             const std::function<TrainResult(const training::TrainCallbacks&)>& work) {
    bool started = false;
    ProgressLine line(options.steps, "updates");
    training::TrainCallbacks callbacks;
    callbacks.progress = [&](const Progress& progress) { show(line, progress); };
    callbacks.notice = [&](const std::string& text) {
        if (!started) print_top(options);
        started = true;
        line.print_line("  " + wrap(text, 96, 2));
    };
    callbacks.stop = &catch_interrupts(kStopping);
    const TrainResult result = work(callbacks);
    line.finish();
    print_summary(options, result);
    return result.stopped ? 1 : 0;
}

}  // namespace drydock::apps

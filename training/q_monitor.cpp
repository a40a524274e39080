#include "training/q_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "training/run_tables.h"

namespace drydock::training {
namespace {

constexpr double kDeviations = 3;
constexpr std::uint64_t kStarts = 16;  // as many whatever is evaluated, so that runs compare

// Of a checkpoint's tensors: the return, and of the last warning() the gap, whether they had parted
// and the prediction.
constexpr const char* kSaved = "q_monitor";
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// What to change, in the words of the algorithm that has the setting.
struct Remedy {
    const char* setting;
    const char* overestimated;
    const char* underestimated;
};
constexpr const char* kFaster = "a larger learning rate of the critics";
constexpr Remedy kRemedies[] = {
    {"cql_alpha", "a larger cql_alpha", "a smaller cql_alpha, which penalises unseen actions less"},
    {"expectile", "a smaller expectile or temperature", "a larger expectile"},
    {"alpha", "a smaller alpha", kFaster}};
constexpr Remedy kOther{"", "settings that stay closer to the data", kFaster};

const Remedy& remedy_of(const algorithms::Settings& settings) {
    for (const Remedy& remedy : kRemedies) {
        if (settings.contains(remedy.setting)) return remedy;
    }
    return kOther;
}

}  // namespace

QMonitor::QMonitor(const RunParts& parts) : parts_(parts) {
    algorithms::Settings& settings = parts.recipe->settings();
    if (settings.contains("discount")) {
        discount_ = std::strtod(settings.get("discount").c_str(), nullptr);
    }
    const bool evaluated = parts.environment && parts.options.episodes > 0;
    if (!evaluated || !parts.session->algorithm().predicts_value()) return;
    std::vector<float> observation(static_cast<std::size_t>(parts.session->observation_size()));
    for (std::uint64_t i = 0; i < kStarts; ++i) {
        parts.environment->reset(parts.options.seed, i, observation);
        starts_.insert(starts_.end(), observation.begin(), observation.end());
    }
    parts.data.normalizer.apply(starts_);
}

std::string QMonitor::header() const { return active() ? ",predicted_q,discounted_return" : ""; }

std::string QMonitor::row() const {
    return active() ? metric_cell(predicted_) + metric_cell(observed_) : "";
}

void QMonitor::predict() {
    if (!active() || predicted_at_ == parts_.session->step()) return;
    predicted_at_ = parts_.session->step();
    const std::vector<float> values = parts_.session->value(starts_);
    double sum = 0;
    for (const float v : values) sum += double{v};
    predicted_ = sum / static_cast<double>(values.size());
}

void QMonitor::note(const Evaluation& evaluation) {
    if (!active()) return;
    std::vector<double> returns;
    for (const EpisodeResult& r : evaluation.episodes) {
        returns.push_back(parts_.data.rewards.of_return(r.discounted_return, r.length, discount_));
    }
    const auto n = static_cast<double>(returns.size());
    double sum = 0, square = 0;
    for (const double r : returns) sum += r;
    for (const double r : returns) square += (r - sum / n) * (r - sum / n);
    observed_ = sum / n;
    spread_ = std::sqrt(square / n);
}

Tensors QMonitor::save() const {
    if (!active()) return {};
    const std::vector<double> values{observed_.value_or(kNone), last_gap_.value_or(kNone),
                                     parted_ ? 1.0 : 0.0, last_predicted_.value_or(kNone)};
    return {{kSaved, TensorData::of({4}, std::span<const double>(values))}};
}

void QMonitor::restore(const Tensors& saved) {
    const auto found = saved.find(kSaved);
    if (found == saved.end()) return;
    const std::vector<double> values = found->second.to_f64();
    if (values.size() != 4) return;
    const auto value = [&](std::size_t i) {
        return std::isnan(values[i]) ? std::nullopt : std::optional(values[i]);
    };
    observed_ = value(0);
    last_gap_ = value(1);
    parted_ = values[2] != 0;
    last_predicted_ = value(3);
}

// Critics begin near zero, and take as long to get to the size of the return as their targets take
// to follow: until then they are no further from zero than it, and come closer to it.
bool QMonitor::arriving() const {
    if (!(std::fabs(*predicted_) < std::fabs(*observed_))) return false;
    if (!last_predicted_) return true;
    return *observed_ > 0 ? *predicted_ > *last_predicted_ : *predicted_ < *last_predicted_;
}

std::optional<std::string> QMonitor::warning() {
    if (!predicted_ || !observed_) return {};
    const double gap = *predicted_ - *observed_, size = std::fabs(*observed_);
    const bool near = parted_ || (last_gap_ && std::fabs(gap) > *last_gap_);
    const double limit = std::max(near ? 0.5 * size : size, kDeviations * spread_);
    const bool apart = !(std::fabs(gap) <= limit), said = parted_;
    parted_ = apart && (parted_ || !arriving());
    last_gap_ = std::fabs(gap);
    last_predicted_ = predicted_;
    if (!parted_ || said) return {};
    const bool over = gap > 0;
    const Remedy& remedy = remedy_of(parts_.recipe->settings());
    return fmt::format(
        "the critics expect {:.4g} of the policy where evaluation gives {:.4g} (discounted by "
        "{:g}): they {}, and what the policy learns from them is in doubt. Try {}{}",
        *predicted_, *observed_, discount_, over ? "overestimate it" : "underestimate it",
        over ? "fewer updates, or " : "", over ? remedy.overestimated : remedy.underestimated);
}

}  // namespace drydock::training

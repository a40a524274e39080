#include "training/q_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace drydock::training {
namespace {

constexpr double kDeviations = 3;
constexpr std::uint64_t kStarts = 16;  // as many whatever is evaluated, so that runs compare

// Of a checkpoint's tensors: the return, the gap at the last warning() and whether it was one.
constexpr const char* kSaved = "q_monitor";
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string cell(const std::optional<double>& x) { return x ? fmt::format(",{:.9g}", *x) : ","; }

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

std::string QMonitor::row() const { return active() ? cell(predicted_) + cell(observed_) : ""; }

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
                                     parted_ ? 1.0 : 0.0};
    return {{kSaved, TensorData::of({3}, std::span<const double>(values))}};
}

void QMonitor::restore(const Tensors& saved) {
    const auto found = saved.find(kSaved);
    if (found == saved.end()) return;
    const std::vector<double> values = found->second.to_f64();
    if (values.size() != 3) return;
    const auto value = [&](std::size_t i) {
        return std::isnan(values[i]) ? std::nullopt : std::optional(values[i]);
    };
    observed_ = value(0);
    last_gap_ = value(1);
    parted_ = values[2] != 0;
}

std::optional<std::string> QMonitor::warning() {
    if (!predicted_ || !observed_) return {};
    const double gap = *predicted_ - *observed_, size = std::fabs(*observed_);
    const bool grows = last_gap_ && std::fabs(gap) > *last_gap_;
    const double limit = std::max(grows ? 0.5 * size : size, kDeviations * spread_);
    const bool before = parted_;
    last_gap_ = std::fabs(gap);
    parted_ = !(*last_gap_ <= limit);
    if (!parted_ || before) return {};
    return fmt::format(
        "the critics expect {:.4g} of the policy where evaluation gives {:.4g} (discounted by "
        "{:g}): they {}, and what the policy learns from them is in doubt. {}",
        *predicted_, *observed_, discount_, gap > 0 ? "overestimate it" : "underestimate it",
        gap > 0 ? "Prefer an earlier checkpoint, or settings that stay closer to the data"
                : "Settings that penalise unseen actions less may help");
}

}  // namespace drydock::training

#include "training/online.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "training/run_tables.h"

namespace drydock::training {
namespace {

const std::string kPrefix = "online/";

// The tensor's numbers; throws where it is not there or has another size.
std::vector<double> numbers(const Tensors& saved, const std::string& name, std::int64_t size) {
    const auto found = saved.find(kPrefix + name);
    const bool there = found != saved.end();
    std::vector<double> out;
    if (there) out = found->second.to_f64();
    if (there && std::ssize(out) == size) return out;
    throw Error(
        fmt::format("[resume] expected {} numbers in 'run/{}{}' of the checkpoint, got {}; the "
                    "file is damaged",
                    size, kPrefix, name, there ? std::to_string(out.size()) : "no such tensor"));
}

std::vector<float> take(const Tensors& saved, const std::string& name, std::int64_t size) {
    const std::vector<double> values = numbers(saved, name, size);
    return {values.begin(), values.end()};
}

}  // namespace

OnlineCollection::OnlineCollection(Session& session, std::unique_ptr<envs::Environment> environment,
                                   const TrainingData& data,
                                   const algorithms::OnlineSettings& settings, double action_clip,
                                   std::uint64_t seed)
    : session_(session),
      environment_(std::move(environment)),
      normalizer_(data.normalizer),
      actions_(data.actions),
      rewards_(data.rewards),
      settings_(settings),
      action_clip_(static_cast<float>(action_clip)),
      seed_(seed),
      offline_(session.rows()),
      raw_(static_cast<std::size_t>(session.observation_size())) {}

void OnlineCollection::run(std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        if (session_.step() % settings_.updates_per_step == 0) collect();
        if (settings_.mixing_ratio) draw_batch();
        session_.run(1);
    }
}

void OnlineCollection::begin_episode() {
    // Evaluation's episodes begin from the seed itself.
    const std::uint64_t start = finalise64(seed_ ^ stream_id("online_episodes"));
    environment_->reset(start, static_cast<std::uint64_t>(episode_), raw_);
    length_ = 0;
    return_ = 0;
    playing_ = true;
}

std::vector<float> OnlineCollection::normalized() const {
    std::vector<float> x = raw_;
    if (!normalizer_.is_identity()) normalizer_.apply(std::span(x));
    return x;
}

// Takes a step with an action in [-1, 1]; `next` becomes the normalised observation after it.
envs::StepResult OnlineCollection::advance(std::span<const float> action,
                                           std::vector<float>& next) {
    std::vector<float> applied(action.begin(), action.end());
    for (std::size_t j = 0; j < applied.size(); ++j) {
        applied[j] = std::clamp(actions_.scale[j] * applied[j] + actions_.bias[j], actions_.low[j],
                                actions_.high[j]);
    }
    const envs::StepResult result = environment_->step(applied, raw_);
    next = normalized();
    ++length_;
    return_ += result.reward;
    if (result.terminal || result.timeout) {
        playing_ = false;
        ++episode_;
    }
    return result;
}

std::optional<double> OnlineCollection::mean_return() const {
    if (ended_.episodes == 0) return std::nullopt;
    return ended_.returns / ended_.episodes;
}

std::optional<double> OnlineCollection::latest_return() const {
    const std::optional<double> mean = mean_return();
    return mean ? mean : row_before_;
}

std::optional<double> OnlineCollection::score_of(double mean_return) const {
    return envs::normalized_score(environment_->info(), mean_return);
}

std::string OnlineCollection::row() const {
    const std::optional<double> mean = mean_return();
    return metric_cell(mean) + metric_cell(mean ? score_of(*mean) : std::nullopt);
}

void OnlineCollection::begin_row() {
    row_before_ = latest_return();
    ended_ = {};
}

void OnlineCollection::collect() {
    if (!playing_) begin_episode();
    constexpr std::uint64_t kExploration = stream_id("exploration");
    const std::vector<float> observation = normalized();
    std::vector<float> noise(static_cast<std::size_t>(session_.action_size()));
    for (std::size_t j = 0; j < noise.size(); ++j) {
        noise[j] = normal_f32(seed_, kExploration, static_cast<std::uint64_t>(steps()), j);
    }
    std::vector<float> action = session_.explore(observation, noise);
    for (float& x : action) {
        if (!std::isfinite(x)) {
            throw Error(
                fmt::format("[online] expected finite actions, got {} at online step {}; the "
                            "policy diverged: lower the learning rates",
                            x, steps() + 1));
        }
        x = std::clamp(x, -action_clip_, action_clip_);
    }
    std::vector<float> next;
    const envs::StepResult result = advance(action, next);
    if (!playing_) ended_ = {ended_.returns + return_, ended_.episodes + 1};
    // A time limit ends the episode, but not what the state is worth.
    session_.append({observation, action, next,
                     static_cast<float>(rewards_.scale * result.reward + rewards_.shift),
                     result.terminal ? 1.0f : 0.0f});
}

// floor(ratio * B) rows of the offline data, and the rest of those collected.
void OnlineCollection::draw_batch() {
    constexpr std::uint64_t kBatch = stream_id("batch");
    const std::span<std::int64_t> rows = session_.batch_rows();
    const auto share =
        static_cast<std::size_t>(*settings_.mixing_ratio * static_cast<double>(rows.size()));
    const auto update = static_cast<std::uint64_t>(session_.step());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const bool old = i < share;
        const std::int64_t bound = old ? offline_ : steps();
        const std::uint64_t row =
            random_index(seed_, kBatch, update, i, static_cast<std::uint64_t>(bound));
        rows[i] = static_cast<std::int64_t>(row) + (old ? 0 : offline_);
    }
}

Tensors OnlineCollection::save() const {
    const data::Transitions t = session_.rows_from(offline_);
    const auto matrix = [&](const std::vector<float>& values, std::int64_t width) {
        return TensorData::of({t.count, width}, std::span<const float>(values));
    };
    // An episode of which no step was taken is begun anew.
    const std::vector<std::int64_t> place{t.count, episode_, playing_ ? length_ : 0};
    const std::vector<double> ended{ended_.returns, ended_.episodes};
    return {{kPrefix + "observations", matrix(t.observations, t.observation_size)},
            {kPrefix + "actions", matrix(t.actions, t.action_size)},
            {kPrefix + "rewards", matrix(t.rewards, 1)},
            {kPrefix + "next_observations", matrix(t.next_observations, t.observation_size)},
            {kPrefix + "terminals", matrix(t.terminals, 1)},
            {kPrefix + "place", TensorData::of({3}, std::span<const std::int64_t>(place))},
            {kPrefix + "ended", TensorData::of({2}, std::span<const double>(ended))}};
}

bool OnlineCollection::restore(const Tensors& saved) {
    const auto place = saved.find(kPrefix + "place");
    const std::int64_t due =
        (session_.step() + settings_.updates_per_step - 1) / settings_.updates_per_step;
    std::vector<double> at;
    if (place != saved.end()) at = place->second.to_f64();
    if (at.size() != 3 || at[0] != static_cast<double>(due) || at[1] < 0 || at[2] < 0 ||
        at[2] > at[0]) {
        throw Error(
            fmt::format("[resume] expected {} online steps in the checkpoint at update {}, got "
                        "others in 'run/{}place'; the file is damaged, or updates_per_online_step "
                        "was changed",
                        due, session_.step(), kPrefix));
    }
    data::Transitions t;
    t.count = due;
    const std::int64_t s = session_.observation_size(), a = session_.action_size();
    t.observations = take(saved, "observations", due * s);
    t.actions = take(saved, "actions", due * a);
    t.rewards = take(saved, "rewards", due);
    t.next_observations = take(saved, "next_observations", due * s);
    t.terminals = take(saved, "terminals", due);
    for (std::int64_t i = 0; i < due; ++i) {
        const auto row = [i](const std::vector<float>& values, std::int64_t width) {
            return std::span(values).subspan(static_cast<std::size_t>(i * width),
                                             static_cast<std::size_t>(width));
        };
        session_.append({row(t.observations, s), row(t.actions, a), row(t.next_observations, s),
                         t.rewards[static_cast<std::size_t>(i)],
                         t.terminals[static_cast<std::size_t>(i)]});
    }
    if (saved.contains(kPrefix + "ended")) {  // earlier builds did not write it
        const std::vector<double> ended = numbers(saved, "ended", 2);
        ended_ = {ended[0], ended[1]};
    }
    episode_ = static_cast<std::int64_t>(at[1]);
    const auto length = static_cast<std::int64_t>(at[2]);
    if (length == 0 || replay(t, length)) return true;
    ++episode_;
    playing_ = false;
    return false;
}

// Simulators start and step deterministically: the same actions lead to the same place.
bool OnlineCollection::replay(const data::Transitions& t, std::int64_t length) {
    const std::int64_t s = session_.observation_size(), a = session_.action_size();
    const std::int64_t episode = episode_;
    begin_episode();
    bool same = true;
    for (std::int64_t i = t.count - length; same && i < t.count; ++i) {
        std::vector<float> next;
        advance(std::span(t.actions).subspan(static_cast<std::size_t>(i * a),
                                             static_cast<std::size_t>(a)),
                next);
        same =
            playing_ && std::equal(next.begin(), next.end(), t.next_observations.begin() + i * s);
    }
    episode_ = episode;
    return same;
}

}  // namespace drydock::training

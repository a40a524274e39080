#include "training/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock::training {
namespace {

enum Column { kObservations, kActions, kRewards, kNextObservations, kTerminals };

std::set<int> stored_metrics(const Program& program) {
    std::set<int> columns;
    for (const Node& node : program.nodes) {
        if (node.op == Op::store_metric) columns.insert(static_cast<int>(node.attributes.n));
    }
    return columns;
}

}  // namespace

// The program of act(), for a fixed number of rows.
struct Session::Forward {
    static constexpr std::int64_t kRows = 64;
    BufferId observations;
    Executable executable;
    ValueId actions = kNone;

    explicit Forward(Session& session)
        : observations(session.state().add_buffer("act.observations", session.state().real(),
                                                  {kRows, session.observation_size()})),
          executable(session.state()) {
        executable.add(record(session.state(), [&](Graph& g) {
            const Tensor out = contiguous(session.algorithm().act(g, g.buffer(observations)));
            g.keep(out);
            actions = out.id();
        }));
    }
};

Session::Session(algorithms::Recipe& recipe, std::int64_t observation_size,
                 std::int64_t action_size, const SessionOptions& options)
    : observation_size_(observation_size),
      action_size_(action_size),
      batch_size_(recipe.common().batch_size),
      check_numerics_(options.check_numerics),
      reads_outcomes_(recipe.reads_outcomes()),
      device_(Device::cpu(options.threads, options.isa)),
      windows_(nullptr, nullptr) {
    recipe.fit(observation_size, action_size);
    state_ = std::make_unique<State>(device_, options.real, options.metric_rows);
    state_->counters().seed = options.seed;
    algorithm_ = recipe.make(*state_);
    algorithm_->initialize(options.seed);
}

Session::~Session() = default;

void Session::add_data(data::Transitions t) {
    if (t.observation_size != observation_size_ || t.action_size != action_size_) {
        throw Error(fmt::format("[session] expected {} observations and {} actions, got {} and {}",
                                observation_size_, action_size_, t.observation_size,
                                t.action_size));
    }
    const std::int64_t n = t.count;
    const auto add = [&](Column column, const char* name, const Shape& shape,
                         std::vector<float>& values) {
        columns_[column] = state_->adopt_column(name, shape, std::move(values));
    };
    add(kObservations, "data.observations", {n, observation_size_}, t.observations);
    add(kActions, "data.actions", {n, action_size_}, t.actions);
    state_->counters().dataset_size = n;
    if (!reads_outcomes_) return;
    add(kRewards, "data.rewards", {n}, t.rewards);
    add(kNextObservations, "data.next_observations", {n, observation_size_}, t.next_observations);
    add(kTerminals, "data.terminals", {n}, t.terminals);
}

void Session::record_update() {
    if (columns_[0] < 0) throw Error("[session] no data: call add_data before record_update");
    ExecutableOptions options;
    options.check_numerics = check_numerics_;
    updates_ = std::make_unique<Executable>(*state_, options);
    for (std::size_t variant = 0; variant < algorithm_->variants(); ++variant) {
        Program program = record(*state_, [&](Graph& g) {
            const Tensor rows = g.random_rows("batch", batch_size_);
            const auto column = [&](Column c) {
                return columns_[c] < 0 ? Tensor() : gather_rows(g.buffer(columns_[c]), rows);
            };
            const algorithms::Batch batch{column(kObservations), column(kActions), column(kRewards),
                                          column(kNextObservations), column(kTerminals)};
            algorithm_->record(g, batch, variant);
        });
        metrics_of_variant_.push_back(stored_metrics(program));
        updates_->add(std::move(program));
    }
    updates_->set_schedule([this](std::int64_t k) { return algorithm_->variant_at(k); });
}

std::optional<double> Session::metric(int column, std::int64_t k) const {
    const std::size_t variant = algorithm_->variant_at(k);
    if (!metrics_of_variant_[variant].contains(column)) return std::nullopt;
    return state_->metric(column, k);
}

std::vector<float> Session::act(std::span<const float> observations) {
    if (!forward_) forward_ = std::make_unique<Forward>(*this);
    const auto width = static_cast<std::size_t>(observation_size_);
    const std::size_t rows = observations.size() / width;
    std::vector<float> actions;
    const Buffer& input = state_->buffer(forward_->observations);
    const std::int64_t step = state_->counters().step;
    for (std::size_t first = 0; first < rows; first += Forward::kRows) {
        const std::size_t n = std::min<std::size_t>(Forward::kRows, rows - first);
        const std::span<const float> block = observations.subspan(first * width, n * width);
        if (state_->real() == DType::f32) {
            std::copy(block.begin(), block.end(), static_cast<float*>(input.data));
        } else {
            std::copy(block.begin(), block.end(), static_cast<double*>(input.data));
        }
        state_->counters().step = 0;  // candidates that are drawn do not depend on the update
        forward_->executable.run(1);
        state_->counters().step = step;
        const std::vector<double> out = forward_->executable.read(forward_->actions);
        for (std::size_t i = 0; i < n * static_cast<std::size_t>(action_size_); ++i) {
            actions.push_back(static_cast<float>(out[i]));
        }
    }
    return actions;
}

std::optional<ParameterRef> find_parameter(State& state, const std::string& name) {
    for (ParameterGroup& group : state.groups()) {
        for (int i = 0; i < group.count(); ++i) {
            if (group.spec(i).name == name) return ParameterRef{&group, i};
        }
    }
    return std::nullopt;
}

}  // namespace drydock::training

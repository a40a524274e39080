#include "training/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "core/ops/ops.h"
#include "data/sequences.h"

namespace drydock::training {
namespace {

BufferId add_offsets(State& state, const data::Transitions& s) {
    const std::vector<std::int64_t>& o = s.episode_offsets;
    const bool covers = o.size() >= 2 && o.front() == 0 && o.back() == s.count;
    if (!covers || std::adjacent_find(o.begin(), o.end(), std::greater_equal<>()) != o.end()) {
        throw Error(
            fmt::format("[session] expected episode offsets that ascend from 0 to {} rows, "
                        "got {} from {} to {}",
                        s.count, o.size(), o.empty() ? -1 : o.front(), o.empty() ? -1 : o.back()));
    }
    const BufferId id =
        state.add_buffer("data.episode_offsets", DType::i64, {static_cast<std::int64_t>(o.size())});
    std::copy(o.begin(), o.end(), static_cast<std::int64_t*>(state.buffer(id).data));
    return id;
}

BufferId add_mask(State& state, std::int64_t rows) {
    std::vector<float> mask(static_cast<std::size_t>(rows + 1), 1.0f);
    mask.back() = 0.0f;
    return state.adopt_column("data.mask", {rows + 1}, std::move(mask));
}

}  // namespace

WindowColumns::WindowColumns(State& state, data::Transitions s, const algorithms::WindowSpec& spec)
    : spec_(spec), offsets_(add_offsets(state, s)) {
    data::append_padding(s);
    const std::int64_t rows = s.count + 1;
    observations_ = state.adopt_column("data.observations", {rows, s.observation_size},
                                       std::move(s.observations));
    actions_ = state.adopt_column("data.actions", {rows, s.action_size}, std::move(s.actions));
    returns_to_go_ = state.adopt_column("data.returns_to_go", {rows}, std::move(s.returns_to_go));
    mask_ = add_mask(state, s.count);
    state.counters().dataset_size = s.count;
}

WindowColumns::WindowColumns(State& state, const WindowColumns& other, const State& owner)
    : spec_(other.spec_) {
    const auto share = [&](BufferId id) { return state.share_column(owner.buffer(id)); };
    observations_ = share(other.observations_);
    actions_ = share(other.actions_);
    returns_to_go_ = share(other.returns_to_go_);
    mask_ = share(other.mask_);
    offsets_ = share(other.offsets_);
}

// Each row is the first of a window with the same probability, so that an episode is chosen in
// proportion to its length and a step in it evenly.
algorithms::Batch WindowColumns::record(Graph& g, std::int64_t batch_size) const {
    const std::int64_t B = batch_size, K = spec_.context_length;
    const Tensor starts = g.random_rows("batch", B);
    const Windows windows =
        window_rows(starts, g.buffer(offsets_), {K, spec_.left, spec_.last_timestep});
    const Tensor rows = reshape(windows.rows, {B * K});
    const auto column = [&](BufferId id) {
        const Tensor of_rows = gather_rows(g.buffer(id), rows);
        if (of_rows.shape().rank() == 1) return reshape(of_rows, {B, K});
        return reshape(of_rows, {B, K, of_rows.shape()[1]});
    };
    algorithms::Batch batch{column(observations_), column(actions_), {}, {}, {}};
    batch.returns_to_go = column(returns_to_go_);
    batch.timesteps = windows.timesteps;
    batch.mask = column(mask_);
    return batch;
}

}  // namespace drydock::training

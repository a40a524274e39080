#include "core/executable_group.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace drydock {
namespace {

bool same_pieces(const Piece& a, const Piece& b) {
    return a.first == b.first && a.last == b.last &&
           std::equal(
               a.steps.begin(), a.steps.end(), b.steps.begin(), b.steps.end(),
               [](const Step& x, const Step& y) { return x.run == y.run && x.units == y.units; });
}

bool same_phases(std::span<const Phase> a, std::span<const Phase> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Phase& x, const Phase& y) {
        return std::equal(x.pieces.begin(), x.pieces.end(), y.pieces.begin(), y.pieces.end(),
                          same_pieces);
    });
}

}  // namespace

ExecutableGroup::ExecutableGroup(std::vector<Executable*> members) : members_(std::move(members)) {
    if (members_.empty()) throw Error("[group] expected one executable or more, got none");
    const Executable& first = *members_.front();
    for (const Executable* member : members_) {
        if (&member->state().device().pool() != &first.state().device().pool()) {
            throw Error("[group] expected executables of one device, got several devices");
        }
        if (member->count() != first.count()) {
            throw Error(fmt::format("[group] expected {} programs in every executable, got {}",
                                    first.count(), member->count()));
        }
    }
    for (std::size_t p = 0; p < first.count(); ++p) {
        std::vector<GroupPhase>& phases = programs_.emplace_back();
        for (const Phase& phase : first.phases(p)) {
            phases.push_back({{}, static_cast<std::int64_t>(phase.pieces.size())});
        }
        for (const Executable* member : members_) {
            if (!same_phases(member->phases(p), first.phases(p))) {
                throw Error(fmt::format(
                    "[group] expected the same programs in every executable; program {} differs",
                    p));
            }
            for (std::size_t i = 0; i < phases.size(); ++i) {
                phases[i].members.push_back(&member->phases(p)[i]);
            }
        }
    }
}

void ExecutableGroup::run_phase(const void* phase, std::int64_t first, std::int64_t last) {
    const GroupPhase& group = *static_cast<const GroupPhase*>(phase);
    while (first < last) {
        const std::int64_t member = first / group.pieces, piece = first % group.pieces;
        const std::int64_t end = std::min(group.pieces, piece + last - first);
        run_pieces(group.members[static_cast<std::size_t>(member)], piece, end);
        first += end - piece;
    }
}

void ExecutableGroup::check_steps() const {
    const std::int64_t step = members_.front()->state().counters().step;
    for (const Executable* member : members_) {
        const std::int64_t other = member->state().counters().step;
        if (other == step) continue;
        throw Error(
            fmt::format("[group] expected every member at step {}, got one at {}", step, other));
    }
}

void ExecutableGroup::run(std::int64_t n) {
    check_steps();
    ThreadPool& pool = members_.front()->state().device().pool();
    const auto members = static_cast<std::int64_t>(members_.size());
    for (std::int64_t i = 0; i < n; ++i) {
        const std::size_t program =
            members_.front()->program_at(members_.front()->state().counters().step);
        for (const GroupPhase& phase : programs_[program]) {
            pool.run(phase.pieces * members, run_phase, &phase);
        }
        for (Executable* member : members_) member->last_run_ = program;
    }
}

}  // namespace drydock

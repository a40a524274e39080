#include "core/executable_group.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace drydock {

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
        std::vector<GroupStep>& steps = programs_.emplace_back();
        for (std::size_t s = 0; s < first.steps(p).size(); ++s) {
            GroupStep step{{}, first.steps(p)[s].units};
            for (const Executable* member : members_) {
                const bool same = member->steps(p).size() == first.steps(p).size() &&
                                  member->steps(p)[s].run == first.steps(p)[s].run &&
                                  member->steps(p)[s].units == step.units;
                if (!same) {
                    throw Error(
                        fmt::format("[group] expected the same programs in every "
                                    "executable; they differ in call {} of program {}",
                                    s, p));
                }
                step.members.push_back(&member->steps(p)[s]);
            }
            steps.push_back(std::move(step));
        }
    }
}

void ExecutableGroup::run_units(const void* step, std::int64_t first, std::int64_t last) {
    const GroupStep& group = *static_cast<const GroupStep*>(step);
    while (first < last) {
        const std::int64_t member = first / group.units, unit = first % group.units;
        const std::int64_t end = std::min(group.units, unit + last - first);
        const Step& one = *group.members[static_cast<std::size_t>(member)];
        one.run(one.call, unit, end);
        first += end - unit;
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
        for (const GroupStep& step : programs_[program]) {
            pool.run(step.units * members, run_units, &step);
        }
        for (Executable* member : members_) member->last_run_ = program;
    }
}

}  // namespace drydock

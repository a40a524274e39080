// Recorded updates made ready to run: planned, lowered to kernel calls, and replayed. A replay
// allocates nothing, locks nothing and reads nothing back.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/lowering.h"
#include "core/passes.h"
#include "core/phases.h"

namespace drydock {

struct ExecutableOptions {
    Passes passes{};
    PlanOptions plan{};
    CutOptions cut{};
    // Of the products of linear layers with more than kernels::kNarrowOutputs outputs. bf16 is for
    // states in f32.
    kernels::Precision precision = kernels::Precision::full;
    // After every node, look for NaN and infinity; the first found ends run() with an Error that
    // names the node.
    bool check_numerics = false;
};

class Executable {
  public:
    explicit Executable(State& state, ExecutableOptions options = {});

    // Plans and lowers a program; returns its index. All programs share one arena of temporaries.
    std::size_t add(Program program);

    // Which program runs at step k; by default always the first.
    void set_schedule(std::function<std::size_t(std::int64_t step)> schedule);

    // Replays n updates from where the step counter stands.
    void run(std::int64_t n);

    // Which program runs at a step; the phases of one, and its kernel calls as they run when every
    // node has a clock around it.
    std::size_t program_at(std::int64_t step) const;
    std::span<const Phase> phases(std::size_t index) const { return programs_[index].phases; }
    std::span<const Step> steps(std::size_t index) const { return programs_[index].steps; }
    std::size_t count() const { return programs_.size(); }
    State& state() const { return state_; }

    // The passed program in the order of its schedule, that and its plan, for dumps and tests.
    const Program& program(std::size_t index = 0) const { return programs_[index].program; }
    const Schedule& schedule(std::size_t index = 0) const { return programs_[index].schedule; }
    const Plan& plan(std::size_t index = 0) const { return programs_[index].plan; }
    // Elements of a kept value, row-major, when program `index` was the last to run.
    std::vector<double> read(ValueId id, std::size_t index = 0) const;

    // From now on, notes when each kernel call ran, which then run one after the other; or, by
    // phases, when each phase ran. write_profile then writes what was noted in Chrome's trace
    // format, which Perfetto opens. At most `most` notes are kept; with 0, no more is noted.
    enum class Clock { calls, phases };
    void start_profile(std::size_t most, Clock clock = Clock::calls);
    void write_profile(const std::string& path) const;
    // A kernel call, or phase, of program `program` that was noted, in the order they ran.
    struct ProfiledCall {
        std::size_t program;
        std::int32_t index;  // the node; or which of phases(program)
        std::int64_t begin_ns, end_ns;
    };
    std::vector<ProfiledCall> profile() const;

  private:
    friend class ExecutableGroup;
    struct Entry {
        Program program;
        Schedule schedule;
        Plan plan;
        std::vector<std::byte*> addresses;
        CallStore calls;
        std::vector<Step> steps;              // of every node, whole
        std::deque<std::vector<Step>> parts;  // of pieces that are not units of those
        std::vector<Phase> phases;
    };
    struct Note {
        const Entry* entry;
        std::int32_t index;  // as in ProfiledCall
        std::int64_t begin_ns, end_ns;
    };

    void resolve_addresses(Entry& entry);
    void replay(const Entry& entry);
    void run_phase(const Phase& phase);
    void replay_phases_watched(const Entry& entry);
    void replay_calls_watched(const Entry& entry);
    std::string note_name(const Note& note) const;
    void check_outputs(const Entry& entry, NodeId id) const;

    State& state_;
    ExecutableOptions options_;
    Arena arena_;
    std::byte* planned_;
    std::deque<Entry> programs_;
    std::function<std::size_t(std::int64_t)> schedule_;
    std::vector<Note> notes_;
    Clock clock_ = Clock::calls;
    std::size_t note_count_ = 0;
    std::size_t last_run_ = 0;
};

}  // namespace drydock

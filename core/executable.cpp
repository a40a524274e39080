#include "core/executable.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "core/eager.h"

namespace drydock {
namespace {

constexpr std::size_t kAddressRange = std::size_t{1} << 34;

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

Executable::Executable(State& state, ExecutableOptions options)
    : state_(state),
      options_(options),
      arena_(kAddressRange),
      planned_(static_cast<std::byte*>(arena_.allocate(arena_.capacity()))) {
    if (options_.precision == kernels::Precision::bf16 && state.real() != DType::f32) {
        throw Error(fmt::format(
            "[plan] expected a state in f32 for bf16, which rounds f32's factors, got {}",
            name_of(state.real())));
    }
}

std::size_t Executable::add(Program program) {
    if (program.state != &state_) {
        throw Error("[plan] the program was recorded for another state; record it for this one");
    }
    Entry entry;
    entry.program = std::move(program);
    entry.program.precision = options_.precision;
    apply(options_.passes, entry.program);
    entry.schedule = drydock::schedule(entry.program);
    entry.plan = drydock::plan(entry.program, entry.schedule, options_.plan);
    if (static_cast<std::size_t>(entry.plan.bytes) > arena_.capacity()) {
        throw Error(fmt::format("[plan] the temporaries need {} bytes; lower the batch size",
                                entry.plan.bytes));
    }
    std::memset(planned_, 0xff, static_cast<std::size_t>(entry.plan.bytes));  // NaN until written
    resolve_addresses(entry);
    for (std::size_t n = 0; n < entry.program.nodes.size(); ++n) {
        lower_on_cpu(entry.program, static_cast<NodeId>(n), entry.addresses, entry.calls,
                     entry.steps);
    }
    entry.phases = cut({entry.program, entry.schedule, entry.plan, entry.addresses, entry.steps},
                       state_.device().pool().threads(), options_.cut, entry.calls, entry.parts);
    programs_.push_back(std::move(entry));
    return programs_.size() - 1;
}

void Executable::resolve_addresses(Entry& entry) {
    const auto persistent = [&](const Value& v) {
        return static_cast<std::byte*>(state_.buffer(v.buffer).data) +
               v.offset * static_cast<std::int64_t>(size_of(v.dtype));
    };
    std::vector<std::byte*>& at = entry.addresses;
    for (std::size_t i = 0; i < entry.program.values.size(); ++i) {
        const Value& v = entry.program.values[i];
        const ValueId placed = entry.plan.placed[i];
        const std::int32_t block = entry.plan.block[i];
        std::byte* address = nullptr;
        if (v.storage == Storage::persistent) {
            address = persistent(v);
        } else if (placed != kNone) {
            address = persistent(entry.program.value(placed));
        } else if (v.storage == Storage::view) {
            std::byte* base = at[static_cast<std::size_t>(v.base)];
            if (base) address = base + v.offset * static_cast<std::int64_t>(size_of(v.dtype));
        } else if (block >= 0) {
            address = planned_ + entry.plan.blocks[static_cast<std::size_t>(block)].offset;
        }
        at.push_back(address);
    }
}

void Executable::set_schedule(std::function<std::size_t(std::int64_t)> schedule) {
    schedule_ = std::move(schedule);
}

std::size_t Executable::program_at(std::int64_t step) const {
    const std::size_t index = schedule_ ? schedule_(step) : 0;
    if (index < programs_.size()) return index;
    throw Error(fmt::format("[run] the schedule names program {} at step {}, there are {}", index,
                            step, programs_.size()));
}

void Executable::run(std::int64_t n) {
    if (programs_.empty()) throw Error("[run] no program was added to the executable");
    const kernels::Counters& counters = state_.counters();
    for (std::int64_t i = 0; i < n; ++i) {
        const std::size_t index = program_at(counters.step);
        const Entry& entry = programs_[index];
        last_run_ = index;
        if (options_.check_numerics || (!notes_.empty() && clock_ == Clock::calls)) {
            replay_calls_watched(entry);
        } else if (!notes_.empty()) {
            replay_phases_watched(entry);
        } else {
            replay(entry);
        }
    }
}

void Executable::replay(const Entry& entry) {
    for (const Phase& phase : entry.phases) run_phase(phase);
}

void Executable::run_phase(const Phase& phase) {
    state_.device().pool().run(static_cast<std::int64_t>(phase.pieces.size()), run_pieces, &phase);
}

void Executable::replay_phases_watched(const Entry& entry) {
    for (std::size_t i = 0; i < entry.phases.size(); ++i) {
        const std::int64_t begin = now_ns();
        run_phase(entry.phases[i]);
        if (note_count_ < notes_.size()) {
            notes_[note_count_++] = {&entry, static_cast<std::int32_t>(i), begin, now_ns()};
        }
    }
}

void Executable::replay_calls_watched(const Entry& entry) {
    ThreadPool& pool = state_.device().pool();
    for (std::size_t i = 0; i < entry.steps.size(); ++i) {
        const Step& step = entry.steps[i];
        const std::int64_t begin = now_ns();
        pool.run(step.units, step.run, step.call);
        if (note_count_ < notes_.size())
            notes_[note_count_++] = {&entry, step.node, begin, now_ns()};
        const bool node_done = i + 1 == entry.steps.size() || entry.steps[i + 1].node != step.node;
        if (options_.check_numerics && node_done) check_outputs(entry, step.node);
    }
}

void Executable::check_outputs(const Entry& entry, NodeId id) const {
    const Node& node = entry.program.node(id);
    const auto check = [&](ValueId value) {
        const Value& v = entry.program.value(value);
        if (v.dtype != state_.real()) return;
        for (double x : read_elements(v, entry.addresses[static_cast<std::size_t>(value)])) {
            if (std::isfinite(x)) continue;
            throw Error(fmt::format("[check_numerics] step {}: node {} gave {}: {}",
                                    state_.counters().step, id, x, entry.program.describe(node)));
        }
    };
    for (int i = 0; i < node.output_count; ++i) check(node.outputs[static_cast<std::size_t>(i)]);
    for (int i = 0; i < node.input_count; ++i) {
        const bool written = info(node.op).writes >> i & 1U;
        if (written && node.op != Op::store_metric) check(node.inputs[static_cast<std::size_t>(i)]);
    }
}

std::vector<double> Executable::read(ValueId id, std::size_t index) const {
    if (index != last_run_) {
        throw Error("[read] another program ran since, in the same memory; read before it runs");
    }
    const Entry& entry = programs_.at(index);
    const ValueId root = entry.program.root(id);
    const Value& v = entry.program.value(root);
    if (v.storage == Storage::planned && !v.output) {
        throw Error("[read] the value was not kept, its memory is reused; call Graph::keep on it");
    }
    return read_elements(entry.program.value(id), entry.addresses[static_cast<std::size_t>(id)]);
}

void Executable::start_profile(std::size_t most, Clock clock) {
    notes_.assign(most, Note{});
    clock_ = clock;
    note_count_ = 0;
}

std::vector<Executable::ProfiledCall> Executable::profile() const {
    std::vector<ProfiledCall> calls;
    for (std::size_t i = 0; i < note_count_; ++i) {
        const Note& n = notes_[i];
        std::size_t program = 0;
        while (&programs_[program] != n.entry) ++program;
        calls.push_back({program, n.index, n.begin_ns, n.end_ns});
    }
    return calls;
}

std::string Executable::note_name(const Note& note) const {
    if (clock_ == Clock::phases) return fmt::format("\"name\":\"phase {}\"", note.index);
    const Node& node = note.entry->program.node(note.index);
    return fmt::format("\"name\":\"{}\",\"args\":{{\"node\":{},\"call\":\"{}\"}}",
                       info(node.op).name, note.index, note.entry->program.describe(node));
}

void Executable::write_profile(const std::string& path) const {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (!file) throw Error(fmt::format("[profile] could not write '{}'", path));
    std::string text = "{\"traceEvents\":[";
    for (std::size_t i = 0; i < note_count_; ++i) {
        const Note& n = notes_[i];
        text += fmt::format(
            "{}\n{{{},\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.3f},\"dur\":{:.3f}}}",
            i ? "," : "", note_name(n), static_cast<double>(n.begin_ns - notes_[0].begin_ns) * 1e-3,
            static_cast<double>(n.end_ns - n.begin_ns) * 1e-3);
    }
    text += "\n]}\n";
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) {
        throw Error(fmt::format("[profile] could not write '{}': the disk may be full", path));
    }
}

}  // namespace drydock

#include "training/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "training/session.h"
#include "training/trace_file.h"

namespace drydock::training {
namespace {

using namespace trace;

constexpr std::int64_t kRingRows = 1024;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One replay of all updates in one precision.
class Replay {
  public:
    Replay(Trace& trace, DType real, const TraceOptions& options);
    TraceReplay run();

  private:
    void inject();
    void write_parameters();
    void check_streams();
    std::map<std::string, std::vector<double>> run_updates();
    Deviation compare_metric(const std::string& name, const std::vector<double>& got) const;
    Deviation compare_parameter(const ParameterRef& parameter) const;
    std::vector<std::string> parameter_names();

    Trace& trace_;
    std::string suffix_;  // of expect and final
    Session session_;
    std::map<std::string, BufferId> injected_;
    TraceReplay report_;
};

SessionOptions session_options(DType real, const TraceOptions& options) {
    SessionOptions out;
    out.threads = options.threads;
    out.isa = real == DType::f64 ? "portable" : options.isa;
    out.real = real;
    out.precision = real == DType::f64 ? kernels::Precision::full : options.precision;
    out.metric_rows = kRingRows;
    return out;
}

Replay::Replay(Trace& trace, DType real, const TraceOptions& options)
    : trace_(trace),
      suffix_(real == DType::f64 ? "64/" : "/"),
      session_(*trace.recipe, trace.data.observation_size, trace.data.action_size,
               session_options(real, options)) {
    const bool bf16 = options.precision == kernels::Precision::bf16;
    const double metric_tolerance = options.tolerance.value_or(bf16 ? kBf16Tolerance : 1e-4);
    report_.precision = real == DType::f64 ? "fp64" : bf16 ? "bf16" : "fp32";
    report_.isa = name_of(session_.device().isa());
    report_.metric_tolerance = real == DType::f64 ? 1e-10 : metric_tolerance;
    report_.parameter_tolerance =
        real == DType::f64 ? 1e-6 : (bf16 ? 0.1 : 50.0) * metric_tolerance;
    session_.add_data(trace.data);
    inject();
    write_parameters();
    session_.record_update();
    check_streams();
}

void Replay::inject() {
    State& state = session_.state();
    const std::int64_t size = trace_.recipe->common().batch_size;
    const BufferId batch = state.add_buffer("trace.batch", DType::i64, {trace_.steps, size});
    std::copy(trace_.batch.begin(), trace_.batch.end(),
              static_cast<std::int64_t*>(state.buffer(batch).data));
    state.inject_stream("batch", batch);
    for (const std::string& name : names_under(trace_.file, "noise/")) {
        const std::string full = "noise/" + name;
        const TensorData& noise = trace_.file.tensor(full);
        if (noise.shape.empty() || noise.shape[0] != trace_.steps) {
            refuse(fmt::format("expected '{}' ({}, ...), got {}", full, trace_.steps,
                               show(noise.shape)));
        }
        const std::vector<float> draws = noise.f32(full);
        injected_[name] = state.add_column("trace." + full, to_shape(full, noise.shape),
                                           std::span<const float>(draws));
        state.inject_stream(name, injected_[name]);
    }
}

std::vector<std::string> Replay::parameter_names() {
    std::vector<std::string> names;
    for (ParameterGroup& group : session_.state().groups()) {
        for (int i = 0; i < group.count(); ++i) names.push_back(group.spec(i).name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

void Replay::write_parameters() {
    for (const std::string& name : names_under(trace_.file, "init/")) {
        if (find_parameter(session_.state(), name)) continue;
        refuse(fmt::format("'init/{}' is not a parameter of {}; expected {}", name,
                           trace_.recipe->name(), fmt::join(parameter_names(), ", ")));
    }
    for (const std::string& name : parameter_names()) {
        const ParameterRef p = *find_parameter(session_.state(), name);
        const std::string full = "init/" + name;
        const TensorData& t = demand(trace_.file, full, dims(p.spec().shape), DType::f32);
        p.group->write(p.index, t.to_f64());
    }
}

// Draws that no node reads would mean that something else was replayed than what was recorded.
void Replay::check_streams() {
    std::set<BufferId> read;
    for (std::size_t variant = 0; variant < session_.algorithm().variants(); ++variant) {
        for (const Value& v : session_.updates().program(variant).values) {
            if (v.storage == Storage::persistent) read.insert(v.buffer);
        }
    }
    for (const auto& [name, buffer] : injected_) {
        if (read.contains(buffer)) continue;
        refuse(
            fmt::format("'noise/{}' is not a stream that {} draws from with these hyperparameters",
                        name, trace_.recipe->name()));
    }
}

std::map<std::string, std::vector<double>> Replay::run_updates() {
    const State& state = session_.state();
    std::map<std::string, std::vector<double>> rows;
    for (std::int64_t done = 0; done < trace_.steps;) {
        const std::int64_t n = std::min(kRingRows, trace_.steps - done);
        session_.run(n);
        for (std::size_t c = 0; c < state.metric_names().size(); ++c) {
            for (std::int64_t k = done; k < done + n; ++k) {
                rows[state.metric_names()[c]].push_back(
                    session_.metric(static_cast<int>(c), k).value_or(kNothing));
            }
        }
        done += n;
    }
    return rows;
}

Deviation Replay::compare_metric(const std::string& name, const std::vector<double>& got) const {
    const std::string full = "expect" + suffix_ + name;
    const DType dtype = suffix_ == "/" ? DType::f32 : DType::f64;
    const std::vector<double> want = demand(trace_.file, full, {trace_.steps}, dtype).to_f64();
    double sum = 0, count = 0;
    for (const double w : want) {
        if (std::isnan(w)) continue;  // an update that has no value of this metric
        sum += std::fabs(w);
        ++count;
    }
    Deviation out;
    out.name = name;
    for (std::size_t k = 0; k < want.size(); ++k) {
        if (std::isnan(want[k])) continue;
        const double difference = std::fabs(got[k] - want[k]);
        double deviation = difference / std::max(std::fabs(want[k]), sum / count);
        if (difference == 0) deviation = 0;
        if (std::isnan(deviation)) deviation = kInfinity;
        if (out.row >= 0 && deviation <= out.largest) continue;
        out.largest = deviation;
        out.row = static_cast<std::int64_t>(k);
    }
    out.passed = out.largest <= report_.metric_tolerance;
    return out;
}

Deviation Replay::compare_parameter(const ParameterRef& parameter) const {
    const std::string full = "final" + suffix_ + parameter.spec().name;
    const DType dtype = suffix_ == "/" ? DType::f32 : DType::f64;
    const std::vector<double> want =
        demand(trace_.file, full, dims(parameter.spec().shape), dtype).to_f64();
    const std::vector<double> got = parameter.group->read(parameter.index);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        difference += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    Deviation out;
    out.name = parameter.spec().name;
    out.largest = difference == 0 ? 0 : std::sqrt(difference / norm);
    if (std::isnan(out.largest)) out.largest = kInfinity;
    out.passed = out.largest <= report_.parameter_tolerance;
    return out;
}

TraceReplay Replay::run() {
    const auto got = run_updates();
    for (const std::string& name : names_under(trace_.file, "expect" + suffix_)) {
        const auto found = got.find(name);
        if (found == got.end()) {
            refuse(fmt::format("'expect{}{}' is not a metric of {}; expected {}", suffix_, name,
                               trace_.recipe->name(),
                               fmt::join(session_.state().metric_names(), ", ")));
        }
        report_.metrics.push_back(compare_metric(name, found->second));
    }
    const std::vector<std::string> finals = names_under(trace_.file, "final" + suffix_);
    for (const std::string& name : finals) {
        if (find_parameter(session_.state(), name)) continue;
        refuse(fmt::format("'final{}{}' is not a parameter of {}", suffix_, name,
                           trace_.recipe->name()));
    }
    // The fp64 twin may consist of metrics alone.
    if (suffix_ == "/" || !finals.empty()) {
        for (const std::string& name : parameter_names()) {
            report_.parameters.push_back(
                compare_parameter(*find_parameter(session_.state(), name)));
        }
    }
    const auto passed = [](const Deviation& d) { return d.passed; };
    report_.passed = std::all_of(report_.metrics.begin(), report_.metrics.end(), passed) &&
                     std::all_of(report_.parameters.begin(), report_.parameters.end(), passed);
    return report_;
}

// Rounds the constants that a reference multiplies with masks to fp32; see TraceReplay::note.
void round_mask_constants(algorithms::Recipe& recipe) {
    for (const char* name : {"discount", "expectile"}) {
        algorithms::Settings& settings = recipe.settings();
        if (!settings.contains(name)) continue;
        const auto rounded = static_cast<double>(std::stof(settings.get(name)));
        settings.set(name, fmt::format("{}", rounded));
    }
}

TraceReplay replay_in_fp64(Trace& trace, const TraceOptions& options) {
    TraceReplay exact = Replay(trace, DType::f64, options).run();
    if (exact.passed) return exact;
    Trace rounded(trace.file);
    round_mask_constants(*rounded.recipe);
    TraceReplay second = Replay(rounded, DType::f64, options).run();
    if (!second.passed) return exact;
    second.note = "the recording keeps masks in fp32: discount and expectile are rounded to fp32";
    return second;
}

}  // namespace

TraceReport verify_trace(const TensorFile& file, const TraceOptions& options) {
    Trace trace(file);
    TraceReport report;
    report.algorithm = trace.recipe->name();
    report.preset = file.text("preset");
    report.generator = file.text("generator");
    report.steps = trace.steps;
    report.ignored = trace.ignored;
    report.replays.push_back(Replay(trace, DType::f32, options).run());
    const bool twin =
        options.precision == kernels::Precision::full &&
        (!names_under(file, "expect64/").empty() || !names_under(file, "final64/").empty());
    if (twin) report.replays.push_back(replay_in_fp64(trace, options));
    report.passed = std::all_of(report.replays.begin(), report.replays.end(),
                                [](const TraceReplay& r) { return r.passed; });
    return report;
}

TraceReport verify_trace(const std::string& path, const TraceOptions& options) {
    return verify_trace(read_tensor_file(path), options);
}

}  // namespace drydock::training

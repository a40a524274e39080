#include "training/checkpoint.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "base/error.h"

namespace drydock::training {
namespace {

constexpr const char* kFormat = "drydock.checkpoint";
const std::string kExtra = "run/";

// One piece of the state: its name in the file, and where it lies.
struct Piece {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> shape;
    void* data;
    bool finite;  // must be

    std::size_t bytes() const {
        std::size_t n = size_of(dtype);
        for (const std::int64_t dim : shape) n *= static_cast<std::size_t>(dim);
        return n;
    }
};

std::vector<std::int64_t> dims(const Shape& shape) {
    std::vector<std::int64_t> out;
    for (int i = 0; i < shape.rank(); ++i) out.push_back(shape[i]);
    return out;
}

void add_group(State& state, ParameterGroup& group, std::vector<Piece>& pieces) {
    const auto add = [&](const char* kind, BufferId id, bool finite) {
        const Buffer& buffer = state.buffer(id);
        for (int i = 0; i < group.count(); ++i) {
            const std::int64_t at =
                group.offset(i) * static_cast<std::int64_t>(size_of(buffer.dtype));
            pieces.push_back({fmt::format("{}/{}", kind, group.spec(i).name), buffer.dtype,
                              dims(group.spec(i).shape), static_cast<std::byte*>(buffer.data) + at,
                              finite});
        }
    };
    add("parameters", group.parameters(), true);
    if (!group.trainable()) return;
    add("first_moments", group.first_moments(), false);
    add("second_moments", group.second_moments(), false);
    // The rest of the hyper block follows from the settings, or is made anew in every step.
    auto& hyper = *static_cast<kernels::OptimizerHyper*>(state.buffer(group.hyper()).data);
    const std::string prefix = "optimizer/" + group.name() + "/";
    pieces.push_back({prefix + "step", DType::i64, {}, &hyper.t, false});
    pieces.push_back({prefix + "beta1_power", DType::f64, {}, &hyper.beta1_power, false});
    pieces.push_back({prefix + "beta2_power", DType::f64, {}, &hyper.beta2_power, false});
}

std::vector<Piece> pieces_of(State& state) {
    std::vector<Piece> pieces;
    for (ParameterGroup& group : state.groups()) add_group(state, group, pieces);
    kernels::Counters& counters = state.counters();
    pieces.push_back({"counters/step", DType::i64, {}, &counters.step, false});
    pieces.push_back({"counters/seed", DType::u64, {}, &counters.seed, false});
    return pieces;
}

void check_finite(const TensorData& tensor, const Piece& piece, std::int64_t step) {
    for (const double x : tensor.to_f64()) {
        if (std::isfinite(x)) continue;
        throw Error(
            fmt::format("[checkpoint] expected finite parameters after update {}, got {} in "
                        "'{}'; the run diverged: lower the learning rates, or find the first "
                        "bad node with --check-numerics",
                        step, x, piece.name));
    }
}

void check_matches(const TensorFile& file, const Piece& piece, const std::string& path) {
    const auto found = file.tensors.find(piece.name);
    if (found == file.tensors.end()) {
        throw Error(
            fmt::format("[checkpoint] '{}': expected a tensor '{}', there is none; the "
                        "checkpoint is of other networks",
                        path, piece.name));
    }
    const TensorData& t = found->second;
    if (t.dtype == piece.dtype && t.shape == piece.shape) return;
    throw Error(
        fmt::format("[checkpoint] '{}': expected '{}' as {} ({}), got {} ({}); resume with the "
                    "settings that the run was started with",
                    path, piece.name, name_of(piece.dtype), fmt::join(piece.shape, ", "),
                    name_of(t.dtype), fmt::join(t.shape, ", ")));
}

}  // namespace

void save_checkpoint(const std::string& path, State& state, const Metadata& metadata,
                     const Tensors& extra) {
    TensorFile file;
    file.metadata = metadata;
    file.metadata["format"] = kFormat;
    file.metadata["schema"] = "1.0";
    for (const Piece& piece : pieces_of(state)) {
        TensorData tensor{piece.dtype, piece.shape, std::vector<std::byte>(piece.bytes())};
        std::memcpy(tensor.bytes.data(), piece.data, tensor.bytes.size());
        if (piece.finite) check_finite(tensor, piece, state.counters().step);
        file.tensors[piece.name] = std::move(tensor);
    }
    for (const auto& [name, tensor] : extra) file.tensors[kExtra + name] = tensor;
    write_tensor_file(path, file);
}

TensorFile read_checkpoint(const std::string& path) {
    TensorFile file = read_tensor_file(path);
    if (file.text("format") != kFormat) {
        throw Error(
            fmt::format("[checkpoint] expected the metadata entry format = {} in '{}', got "
                        "'{}'; give the checkpoint.safetensors of a run folder",
                        kFormat, path, file.text("format")));
    }
    return file;
}

Checkpoint restore_checkpoint(const TensorFile& file, const std::string& path, State& state) {
    const std::vector<Piece> pieces = pieces_of(state);
    for (const Piece& piece : pieces) check_matches(file, piece, path);
    Checkpoint out{file.metadata, {}};
    for (const auto& [name, tensor] : file.tensors) {
        if (name.starts_with(kExtra)) out.extra[name.substr(kExtra.size())] = tensor;
    }
    if (file.tensors.size() != pieces.size() + out.extra.size()) {
        throw Error(
            fmt::format("[checkpoint] '{}': expected {} tensors, got {}; the checkpoint is of "
                        "other networks",
                        path, pieces.size(), file.tensors.size() - out.extra.size()));
    }
    // From here on nothing is allocated, so that nothing can fail half way.
    for (const Piece& piece : pieces) {
        const TensorData& tensor = file.tensor(piece.name);
        std::memcpy(piece.data, tensor.bytes.data(), tensor.bytes.size());
    }
    return out;
}

Metadata load_checkpoint(const std::string& path, State& state) {
    return restore_checkpoint(read_checkpoint(path), path, state).metadata;
}

}  // namespace drydock::training

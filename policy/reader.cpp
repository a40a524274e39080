#include "policy/reader.h"

#include <bit>
#include <iterator>

#include "base/sha256.h"
#include "policy/architecture.h"

namespace drydock::policy {
namespace {

static_assert(std::endian::native == std::endian::little,
              "policy files are little-endian and are read as they are");

// A metadata value, decoded. Longer ones are cut: no value that is compared is as long.
struct Value {
    char text[1024];
    std::size_t size = 0;

    explicit Value(const SafetensorsText* from) {
        if (from != nullptr) {
            const std::size_t n = from->decode(text);
            size = n < sizeof text ? n : sizeof text;
        }
    }
    std::string_view view() const { return {text, size}; }
};

// Takes a whole number below 10^6 from the front of the text.
bool take_number(std::string_view& text, std::uint32_t& number) {
    std::size_t digits = 0;
    number = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
        number = number * 10 + static_cast<std::uint32_t>(text[digits] - '0');
        if (++digits > 6) {
            return false;
        }
    }
    text.remove_prefix(digits);
    return digits > 0;
}

}  // namespace

drydock_status PolicyReader::read_header() {
    file_ = read_safetensors(bytes_, tensor_room_, metadata_room_);
    if (file_.status == SafetensorsStatus::no_room) {
        message_ << "the file has " << std::uint64_t{file_.tensor_count} << " tensors and "
                 << std::uint64_t{file_.metadata_count}
                 << " metadata entries; a policy has at most " << std::uint64_t{kMaxTensors}
                 << " and " << std::uint64_t{kMaxMetadata};
        return DRYDOCK_NOT_A_POLICY;
    }
    if (file_.status != SafetensorsStatus::ok) {
        message_ << text_of(file_.status) << " (at byte " << file_.problem_offset << " of "
                 << std::uint64_t{bytes_.size()} << ")";
        return DRYDOCK_NOT_SAFETENSORS;
    }
    drydock_status status = check_metadata();
    if (status == DRYDOCK_OK) {
        status = read_architecture();
    }
    if (status == DRYDOCK_OK) {
        status = find_tensors();
    }
    if (status == DRYDOCK_OK) {
        status = kind_ == Kind::decision_transformer ? find_sequence() : find_layers();
    }
    return status == DRYDOCK_OK ? find_golden() : status;
}

drydock_status PolicyReader::check_metadata() {
    const SafetensorsText* format = file_.find_metadata("format");
    if (format == nullptr || !format->is("drydock.policy")) {
        message_ << "expected the metadata entry format = drydock.policy, got "
                 << (format == nullptr ? "none" : Value(format).view())
                 << "; take the policy.safetensors of a run folder";
        return DRYDOCK_NOT_A_POLICY;
    }
    const drydock_status status = check_schema();
    if (status != DRYDOCK_OK) {
        return status;
    }
    const SafetensorsText* kind = file_.find_metadata("kind");
    if (kind == nullptr || !parse_kind(Value(kind).view(), kind_)) {
        message_ << "expected kind mlp, best_of_n or decision_transformer, got "
                 << (kind == nullptr ? "none" : Value(kind).view());
        return DRYDOCK_UNSUPPORTED_KIND;
    }
    return DRYDOCK_OK;
}

drydock_status PolicyReader::check_schema() {
    const Value schema(file_.find_metadata("schema"));
    std::string_view rest = schema.view();
    std::uint32_t major = 0;
    const bool good = take_number(rest, major) && rest.starts_with('.') &&
                      (rest.remove_prefix(1), take_number(rest, schema_minor_)) && rest.empty();
    if (!good || major != 1) {
        message_ << "expected schema 1.x, got " << (schema.size == 0 ? "none" : schema.view())
                 << "; load the file with the version of drydock that wrote it";
        return DRYDOCK_UNSUPPORTED_SCHEMA;
    }
    const Value features(file_.find_metadata("required_features"));
    if (features.size != 0) {
        message_ << "the policy needs features that this version does not have: "
                 << features.view();
        return DRYDOCK_UNSUPPORTED_SCHEMA;
    }
    return DRYDOCK_OK;
}

drydock_status PolicyReader::read_architecture() {
    const Value text(file_.find_metadata("architecture"));
    message_ << "[architecture] ";
    if (!parse_architecture(text.view(), kind_, architecture_, message_)) {
        return DRYDOCK_BAD_ARCHITECTURE;
    }
    message_.clear();
    return DRYDOCK_OK;
}

drydock_status PolicyReader::find(std::string_view name, std::span<const std::uint64_t> shape,
                                  const SafetensorsTensor*& tensor) {
    tensor = file_.find(name);
    if (tensor == nullptr) {
        message_ << "expected a tensor " << name << " " << shape << ", there is none";
        return DRYDOCK_MISSING_TENSOR;
    }
    const std::span<const std::uint64_t> found(tensor->shape, tensor->rank);
    bool same = found.size() == shape.size();
    for (std::size_t i = 0; same && i < shape.size(); ++i) {
        same = found[i] == shape[i];
    }
    if (!same) {
        message_ << "[" << name << "] expected shape " << shape << ", got " << found;
        return DRYDOCK_WRONG_SHAPE;
    }
    if (tensor->dtype != SafetensorsDType::f32) {
        message_ << "[" << name << "] expected F32, got " << name_of(tensor->dtype);
        return DRYDOCK_WRONG_DTYPE;
    }
    return DRYDOCK_OK;
}

drydock_status PolicyReader::find_tensors() {
    const std::uint64_t observation[] = {architecture_.observation_size};
    const std::uint64_t action[] = {architecture_.action_size};
    const struct {
        std::string_view name;
        std::span<const std::uint64_t> shape;
        const SafetensorsTensor** tensor;
    } wanted[] = {{"observation.mean", observation, &tensors_.mean},
                  {"observation.std", observation, &tensors_.deviation},
                  {"observation.clip", {}, &tensors_.clip},
                  {"action.scale", action, &tensors_.scale},
                  {"action.bias", action, &tensors_.bias},
                  {"action.low", action, &tensors_.low},
                  {"action.high", action, &tensors_.high}};
    for (const auto& want : wanted) {
        const drydock_status status = find(want.name, want.shape, *want.tensor);
        if (status != DRYDOCK_OK) {
            return status;
        }
    }
    return DRYDOCK_OK;
}

drydock_status PolicyReader::find_layers() {
    for (std::uint32_t k = 0; k < architecture_.layers; ++k) {
        const std::uint64_t shape[] = {architecture_.sizes[k + 1], architecture_.sizes[k]};
        char room[32];
        Message name(room);
        name << "layers." << std::uint64_t{k} << ".weight";
        drydock_status status = find(name.text(), shape, tensors_.weights[k]);
        if (status == DRYDOCK_OK) {
            name.clear();
            name << "layers." << std::uint64_t{k} << ".bias";
            status = find(name.text(), std::span(shape, 1), tensors_.biases[k]);
        }
        if (status != DRYDOCK_OK) {
            return status;
        }
    }
    return count_tensors("layers.", 2 * std::uint64_t{architecture_.layers});
}

drydock_status PolicyReader::count_tensors(std::string_view beginning, std::uint64_t wanted) {
    std::uint64_t count = 0;
    for (const SafetensorsTensor& tensor : file_.tensors) {
        char room[8];
        const std::span<char> start(room, beginning.size());
        tensor.name.decode(start);
        count += std::string_view(start.data(), start.size()) == beginning ? 1 : 0;
    }
    if (count != wanted) {
        message_ << "expected " << wanted << " tensors " << beginning << "*, got " << count
                 << "; the architecture does not describe all of the network";
        return DRYDOCK_EXTRA_TENSOR;
    }
    return DRYDOCK_OK;
}

drydock_status PolicyReader::find_golden() {
    const SafetensorsTensor* observations = file_.find("golden.observations");
    const SafetensorsTensor* actions = file_.find("golden.actions");
    if (observations == nullptr && actions == nullptr) {
        return DRYDOCK_OK;
    }
    const SafetensorsTensor* either = observations != nullptr ? observations : actions;
    golden_rows_ = either->rank == 0 ? 0 : either->shape[0];
    const std::uint64_t observation_shape[] = {golden_rows_, architecture_.observation_size};
    const std::uint64_t action_shape[] = {golden_rows_, architecture_.action_size};
    drydock_status status =
        find("golden.observations", observation_shape, tensors_.golden_observations);
    if (status == DRYDOCK_OK) {
        status = find("golden.actions", action_shape, tensors_.golden_actions);
    }
    if (status == DRYDOCK_OK && kind_ == Kind::decision_transformer) {
        status = find("golden.rewards", std::span(action_shape, 1), tensors_.golden_rewards);
    }
    return status;
}

drydock_status PolicyReader::check_sum() {
    const SafetensorsText* wanted = file_.find_metadata("sha256_data");
    if (wanted == nullptr) {
        return DRYDOCK_OK;
    }
    Sha256 sha;
    sha.update(file_.data.data(), file_.data.size());
    char found[Sha256::kHexLength + 1];
    sha.finish_hex(found);
    if (wanted->is(std::string_view(found, Sha256::kHexLength))) {
        return DRYDOCK_OK;
    }
    message_ << "[sha256_data] expected " << Value(wanted).view() << ", got "
             << std::string_view(found, Sha256::kHexLength)
             << "; the file is damaged, copy it again";
    return DRYDOCK_CHECKSUM_MISMATCH;
}

void PolicyReader::say_name(const SafetensorsTensor& tensor) {
    char name[64];
    const std::size_t n = tensor.name.decode(name);
    message_ << std::string_view(name, n < sizeof name ? n : sizeof name);
}

drydock_status PolicyReader::refuse_element(const SafetensorsTensor& tensor, std::uint64_t index,
                                            drydock_status status, std::string_view text) {
    message_ << "[";
    say_name(tensor);
    message_ << "] element " << index << " " << text;
    return status;
}

drydock_status PolicyReader::refuse_value(const SafetensorsTensor& tensor, std::uint64_t index) {
    return refuse_element(tensor, index, DRYDOCK_NOT_FINITE,
                          "is NaN or infinite; expected finite numbers. The training run diverged "
                          "or the file is damaged");
}

}  // namespace drydock::policy

// Writes the generated part of the seed corpora into a folder: valid files of every kind, as small
// as they can be, and files that are refused for one reason each. usage: fuzz_make_corpus
// tests/fuzz/corpus
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/safetensors.h"
#include "tests/fuzz/small_session.h"
#include "tests/policy/kinds.h"
#include "training/checkpoint.h"

namespace drydock::fuzz {
namespace {

namespace fs = std::filesystem;

class Corpus {
  public:
    Corpus(const fs::path& root, const char* target) : folder_(root / target) {
        fs::create_directories(folder_);
    }
    std::string path(const char* name) const { return folder_ / name; }
    template <class Char>
    void add(const char* name, const std::vector<Char>& bytes) const {
        std::ofstream(path(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
    }
    // A file of that header, with its length before it and `data` zeros after it.
    void add_raw(const char* name, const std::string& header, std::size_t data = 0,
                 std::uint64_t longer = 0) const {
        const std::uint64_t length = header.size() + longer;
        std::vector<char> bytes(sizeof length);
        std::copy_n(reinterpret_cast<const char*>(&length), sizeof length, bytes.begin());
        bytes.insert(bytes.end(), header.begin(), header.end());
        bytes.resize(bytes.size() + data);
        add(name, bytes);
    }

  private:
    fs::path folder_;
};

void write_safetensors(const fs::path& root) {
    const Corpus corpus(root, "safetensors");
    const std::vector<float> f32 = {1.5f, -2.0f, 3.0f};
    const std::vector<double> f64 = {0.1};
    const std::vector<std::int64_t> i64 = {-1, 5};
    TensorFile file;
    file.metadata = {{"key", "a \"quoted\"\n\xc3\xa4 text"}, {"", ""}};
    file.tensors["z"] = TensorData::of({1, 3}, std::span(f32));
    file.tensors["scalar"] = TensorData::of({}, std::span(f64));
    file.tensors["i"] = TensorData::of({2, 1}, std::span(i64));
    file.tensors["bytes"] = {DType::u8, {3}, std::vector<std::byte>(3, std::byte{9})};
    file.tensors["empty"] = {DType::f32, {0, 4}, {}};
    corpus.add("every_kind", serialize(file));
    corpus.add("nothing", serialize({}));
    corpus.add_raw("escapes",
                   R"({"\u00e4\ud83d\ude00":{"dtype":"BOOL","shape":[],)"
                   R"("data_offsets":[0,1]},"\n":{"dtype":"BF16","shape":[1],)"
                   R"("data_offsets":[1,3]}})",
                   3);
    corpus.add_raw("duplicate",
                   R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                   R"("\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                   2);
    corpus.add_raw("huge_dims", R"({"a":{"dtype":"F64","shape":[4611686018427387904,4,0],)"
                                R"("data_offsets":[0,0]}})");
    corpus.add_raw("dim_beyond_i64", R"({"a":{"dtype":"U8","shape":[0,9223372036854775808],)"
                                     R"("data_offsets":[0,0]}})");
    corpus.add_raw("claims_2_to_60", R"({"a":{"dtype":"F32","shape":[288230376151711744],)"
                                     R"("data_offsets":[0,1152921504606846976]}})");
    corpus.add_raw("longer_than_file", "{}", 0, 99999000);
}

void write_policies(const fs::path& root) {
    const Corpus corpus(root, "policy");
    TestPolicy relu = make_policy({3, 4, 2});
    relu.add_golden(make_observations(relu, 2));
    relu.describe();
    corpus.add("relu", relu.bytes());
    TestPolicy tanh = make_policy({2, 3, 3, 1}, "tanh", "deterministic_tanh");
    corpus.add("tanh", tanh.bytes());
    TestPolicy wide = make_policy({1, 9}, "relu", "identity");
    corpus.add("one_layer", wide.bytes());
    relu.metadata["required_features"] = "memory";
    corpus.add("unknown_feature", relu.bytes());
    tanh.metadata["architecture"] = R"({"layer_sizes":[65536,65536,1],"head":"identity",)"
                                    R"("hidden_activation":"relu"})";
    corpus.add("claims_large_layers", tanh.bytes());
    corpus.add("argmax", make_choosing({2, 3, 3}).bytes());
    BestOfNShape value;
    value.hidden = {3};
    value.observations = 2;
    value.actions = 1;
    value.samples = 5;
    corpus.add("best_of_n", make_best_of_n(value).bytes());
    TransformerShape shape;
    shape.observations = 2;
    shape.actions = 1;
    shape.layers = 2;
    shape.dim = 2;
    shape.mlp_dim = 3;
    shape.context = 2;
    shape.episode_len = 4;
    TestPolicy transformer = make_transformer(shape);
    add_golden_episode(transformer, shape, episode_observations(2, 5), episode_rewards(5));
    corpus.add("decision_transformer", transformer.bytes());
    transformer.architecture.replace(transformer.architecture.find("\"context_length\":2"), 18,
                                     "\"context_length\":4");
    transformer.architecture.replace(transformer.architecture.find("\"heads\":2"), 9,
                                     "\"heads\":1");
    transformer.describe();
    corpus.add("decision_transformer_relabelled", transformer.bytes());
}

void write_checkpoint(const fs::path& root) {
    const Corpus corpus(root, "checkpoint");
    const SmallSession small;
    small.session->run(3);
    training::save_checkpoint(corpus.path("three_updates"), small.state(), {{"note", "seed"}});
}

// A trace of the right form with values that no implementation would give.
void write_trace(const fs::path& root) {
    const Corpus corpus(root, "trace");
    const SmallSession small;
    const data::Transitions d = SmallSession::data();
    TensorFile file;
    file.metadata = {{"drydock.trace", "1"}, {"algorithm", "iql"},      {"preset", "corl"},
                     {"steps", "2"},         {"generator", "a corpus"}, {"hyperparameters", "{}"}};
    file.tensors["data/observations"] = TensorData::of({3, 2}, std::span(d.observations));
    file.tensors["data/next_observations"] = TensorData::of({3, 2}, std::span(d.next_observations));
    file.tensors["data/actions"] = TensorData::of({3, 1}, std::span(d.actions));
    file.tensors["data/rewards"] = TensorData::of({3}, std::span(d.rewards));
    file.tensors["data/terminals"] = TensorData::of({3}, std::span(d.terminals));
    const std::vector<std::int64_t> rows = {0, 2, 1, 1};
    file.tensors["batch/indices"] = TensorData::of({2, 2}, std::span(rows));
    for (ParameterGroup& group : small.state().groups()) {
        for (int i = 0; i < group.count(); ++i) {
            const ParameterSpec& spec = group.spec(i);
            const std::vector<double> values = group.read(i);
            const std::vector<float> narrow(values.begin(), values.end());
            std::vector<std::int64_t> shape;
            for (int k = 0; k < spec.shape.rank(); ++k) shape.push_back(spec.shape[k]);
            file.tensors["init/" + spec.name] = TensorData::of(shape, std::span(narrow));
            file.tensors["final/" + spec.name] = file.tensors["init/" + spec.name];
        }
    }
    const std::vector<float> losses(2, 0.5f);
    const std::vector<double> losses64(2, 0.5);
    for (const std::string& name : small.state().metric_names()) {
        file.tensors["expect/" + name] = TensorData::of({2}, std::span(losses));
        file.tensors["expect64/" + name] = TensorData::of({2}, std::span(losses64));
    }
    corpus.add("two_updates", serialize(file));
    file.tensors["batch/indices"] = TensorData::of({2, 0}, std::span(rows).first(0));
    corpus.add("empty_batch", serialize(file));
}

}  // namespace
}  // namespace drydock::fuzz

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    drydock::fuzz::write_safetensors(argv[1]);
    drydock::fuzz::write_policies(argv[1]);
    drydock::fuzz::write_checkpoint(argv[1]);
    drydock::fuzz::write_trace(argv[1]);
}

#include "policy/loader.h"

namespace drydock::policy {
namespace {

// Takes the tensors in the order of sequence_tensors().
class Sequence {
  public:
    Sequence(Loader& loader, std::uint32_t dim)
        : loader_(loader), next_(loader.reader().tensors().sequence), dim_(dim) {}

    Norm norm() {
        loader_.count_parameters(2 * std::uint64_t{dim_});
        const float* const weight = loader_.values(*next_++, dim_);
        return {weight, loader_.values(*next_++, dim_)};
    }
    Layer layer(std::uint32_t in, std::uint32_t out, bool last = false) {
        const SafetensorsTensor* const weight = *next_++;
        return loader_.layer(weight, *next_++, in, 0, out, last);
    }
    Block block(std::uint32_t mlp_dim) {
        Block b{};
        b.norm1 = norm();
        const SafetensorsTensor* const weight = *next_++;
        const SafetensorsTensor* const bias = *next_++;
        b.key_value = loader_.layer(weight, bias, dim_, dim_, 2 * dim_);
        b.query = loader_.layer(weight, bias, dim_, 0, dim_);
        b.out = layer(dim_, dim_);
        b.norm2 = norm();
        b.mlp[0] = layer(dim_, mlp_dim);
        b.mlp[1] = layer(mlp_dim, dim_);
        return b;
    }
    const float* table(std::uint32_t rows) {
        loader_.count_parameters(std::uint64_t{rows} * dim_);
        return loader_.values(*next_++, std::uint64_t{rows} * dim_);
    }

  private:
    Loader& loader_;
    const SafetensorsTensor* const* next_;
    std::uint32_t dim_;
};

float scalar(Loader& loader, const SafetensorsTensor* tensor, bool above_0) {
    const float* const value = loader.values(tensor, 1);
    if (loader.counting() || !loader.good()) {
        return 1.0f;
    }
    if (above_0 && !(*value > 0.0f)) {
        loader.refuse(
            loader.reader().refuse_element(*tensor, 0, DRYDOCK_BAD_VALUE, "is not above 0"));
    }
    return *value;
}

}  // namespace

void load_transformer(Loader& loader, drydock_policy& policy) {
    const Architecture& a = loader.reader().architecture();
    const PolicyTensors& tensors = loader.reader().tensors();
    Transformer& t = policy.transformer;
    Sequence sequence(loader, a.embedding_dim);
    t.embed_return = sequence.layer(1, a.embedding_dim);
    t.embed_observation = sequence.layer(a.observation_size, a.embedding_dim);
    t.embed_action = sequence.layer(a.action_size, a.embedding_dim);
    t.embed_norm = sequence.norm();
    for (std::uint32_t b = 0; b < a.blocks; ++b) {
        t.blocks[b] = sequence.block(a.mlp_dim);
    }
    t.final_norm = sequence.norm();
    t.predict = sequence.layer(a.embedding_dim, a.action_size, true);
    t.timesteps = sequence.table(a.episode_len);
    t.epsilon = scalar(loader, tensors.epsilon, true);
    t.return_scale = scalar(loader, tensors.return_scale, true);
    t.target_return = scalar(loader, tensors.return_target, false);
    const std::uint32_t width = a.embedding_dim / a.heads;
    t.attention_scale = 1.0f / __builtin_sqrtf(static_cast<float>(width));
    t.golden_rewards = loader.values(tensors.golden_rewards, loader.reader().golden_rows());
}

}  // namespace drydock::policy

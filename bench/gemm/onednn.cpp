// oneDNN's inner product, its primitives and layouts made before the clock starts.
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "bench/gemm/contest.h"

namespace drydock::gemm {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
using Memory = dnnl::memory;

class ByOneDnn final : public Contestant {
  public:
    ByOneDnn(Product product, const Operands& o, bool packed)
        : product_(product),
          packed_(packed),
          o_(o),
          engine_(dnnl::engine::kind::cpu, 0),
          stream_(engine_) {
        switch (product) {
            case Product::forward:
                forward();
                break;
            case Product::input_gradient:
                input_gradient();
                break;
            case Product::weight_gradient:
                weight_gradient();
        }
        stream_.wait();
    }

    void run() override {
        primitive_.execute(stream_, arguments_);
        stream_.wait();
    }

    std::vector<float> result() override {
        std::vector<float> all = out_;
        all.insert(all.end(), db_.begin(), db_.end());
        return all;
    }

  private:
    static Memory::desc matrix(std::int64_t rows, std::int64_t columns) {
        return {{rows, columns}, Type::f32, Tag::ab};
    }
    Memory::desc weights() const {
        return {{o_.size.O, o_.size.I}, Type::f32, packed_ ? Tag::any : Tag::ab};
    }
    Memory given(const Memory::desc& desc, const std::vector<float>& values) {
        return {desc, engine_, const_cast<float*>(values.data())};
    }
    Memory made(const Memory::desc& desc, std::vector<float>& values) {
        values.resize(desc.get_size() / sizeof(float));
        return {desc, engine_, values.data()};
    }
    // The weights in the layout that was chosen.
    Memory laid_out(const Memory::desc& chosen) {
        Memory plain = given(matrix(o_.size.O, o_.size.I), o_.w);
        if (chosen == plain.get_desc()) return plain;
        Memory packed(chosen, engine_);
        dnnl::reorder(plain, packed).execute(stream_, plain, packed);
        return packed;
    }

    dnnl::inner_product_forward::primitive_desc forward_desc() const {
        dnnl::post_ops after;
        after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
        dnnl::primitive_attr attributes;
        attributes.set_post_ops(after);
        return {{dnnl::prop_kind::forward_inference, matrix(o_.size.N, o_.size.I), weights(),
                 Memory::desc({o_.size.O}, Type::f32, Tag::a), matrix(o_.size.N, o_.size.O)},
                attributes,
                engine_};
    }
    // What the gradients' descriptors ask for as a hint.
    dnnl::inner_product_forward::primitive_desc hint() const {
        return {{dnnl::prop_kind::forward_training, matrix(o_.size.N, o_.size.I), weights(),
                 Memory::desc({o_.size.O}, Type::f32, Tag::a), matrix(o_.size.N, o_.size.O)},
                engine_};
    }

    void forward() {
        const auto desc = forward_desc();
        primitive_ = dnnl::inner_product_forward(desc);
        arguments_ = {{DNNL_ARG_SRC, given(desc.src_desc(), o_.x)},
                      {DNNL_ARG_WEIGHTS, laid_out(desc.weights_desc())},
                      {DNNL_ARG_BIAS, given(desc.bias_desc(), o_.b)},
                      {DNNL_ARG_DST, made(desc.dst_desc(), out_)}};
    }

    void input_gradient() {
        const dnnl::inner_product_backward_data::primitive_desc desc(
            {matrix(o_.size.N, o_.size.I), weights(), matrix(o_.size.N, o_.size.O)}, engine_,
            hint());
        primitive_ = dnnl::inner_product_backward_data(desc);
        arguments_ = {{DNNL_ARG_DIFF_DST, given(desc.diff_dst_desc(), o_.dy)},
                      {DNNL_ARG_WEIGHTS, laid_out(desc.weights_desc())},
                      {DNNL_ARG_DIFF_SRC, made(desc.diff_src_desc(), out_)}};
    }

    void weight_gradient() {
        const dnnl::inner_product_backward_weights::primitive_desc desc(
            {matrix(o_.size.N, o_.size.I), weights(), Memory::desc({o_.size.O}, Type::f32, Tag::a),
             matrix(o_.size.N, o_.size.O)},
            engine_, hint());
        primitive_ = dnnl::inner_product_backward_weights(desc);
        arguments_ = {{DNNL_ARG_SRC, given(desc.src_desc(), o_.x)},
                      {DNNL_ARG_DIFF_DST, given(desc.diff_dst_desc(), o_.dy)},
                      {DNNL_ARG_DIFF_WEIGHTS, made(desc.diff_weights_desc(), out_)},
                      {DNNL_ARG_DIFF_BIAS, made(desc.diff_bias_desc(), db_)}};
    }

    Product product_;
    bool packed_;
    const Operands& o_;
    dnnl::engine engine_;
    dnnl::stream stream_;
    dnnl::primitive primitive_;
    std::unordered_map<int, Memory> arguments_;
    std::vector<float> out_, db_;
};

}  // namespace

std::unique_ptr<Contestant> make_onednn(Product product, const Operands& operands, bool packed) {
    // A gradient of the weights is wanted as the optimizer reads it: there is no other layout.
    if (packed && product == Product::weight_gradient) return nullptr;
    return std::make_unique<ByOneDnn>(product, operands, packed);
}

}  // namespace drydock::gemm

// Eigen, with expressions that take no temporaries.
// GCC 12 warns of the undefined operand inside its own AVX-512 intrinsics.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>

#include "bench/gemm/contest.h"

namespace drydock::gemm {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<const Matrix>;

class ByEigen final : public Contestant {
  public:
    ByEigen(Product product, const Operands& o)
        : product_(product),
          x_(o.x.data(), o.size.N, o.size.I),
          w_(o.w.data(), o.size.O, o.size.I),
          dy_(o.dy.data(), o.size.N, o.size.O),
          b_(o.b.data(), o.size.O) {
        if (product == Product::forward) out_.resize(o.size.N, o.size.O);
        if (product == Product::input_gradient) out_.resize(o.size.N, o.size.I);
        if (product == Product::weight_gradient) {
            out_.resize(o.size.O, o.size.I);
            db_.resize(o.size.O);
        }
    }

    void run() override {
        switch (product_) {
            case Product::forward:
                out_.noalias() = x_ * w_.transpose();
                out_.array() = (out_.array().rowwise() + b_.array()).cwiseMax(0.0f);
                break;
            case Product::input_gradient:
                out_.noalias() = dy_ * w_;
                break;
            case Product::weight_gradient:
                out_.noalias() = dy_.transpose() * x_;
                db_ = dy_.colwise().sum();
        }
    }

    std::vector<float> result() override {
        std::vector<float> all(out_.data(), out_.data() + out_.size());
        all.insert(all.end(), db_.data(), db_.data() + db_.size());
        return all;
    }

  private:
    Product product_;
    Map x_, w_, dy_;
    Eigen::Map<const Eigen::RowVectorXf> b_;
    Matrix out_;
    Eigen::RowVectorXf db_;
};

}  // namespace

std::unique_ptr<Contestant> make_eigen(Product product, const Operands& operands) {
    return std::make_unique<ByEigen>(product, operands);
}

}  // namespace drydock::gemm

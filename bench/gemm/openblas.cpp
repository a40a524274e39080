// OpenBLAS: sgemm, and loops for what it has no name for.
#include <cblas.h>

#include <algorithm>

#include "bench/gemm/contest.h"

namespace drydock::gemm {
namespace {

class ByOpenBlas final : public Contestant {
  public:
    ByOpenBlas(Product product, const Operands& o) : product_(product), o_(o) {
        openblas_set_num_threads(1);
        const auto& [N, I, O] = o.size;
        const std::int64_t out = product == Product::forward          ? N * O
                                 : product == Product::input_gradient ? N * I
                                                                      : O * I;
        out_.resize(static_cast<std::size_t>(out));
        if (product == Product::weight_gradient) db_.resize(static_cast<std::size_t>(O));
        ones_.assign(static_cast<std::size_t>(N), 1.0f);
    }

    void run() override {
        const int N = static_cast<int>(o_.size.N), I = static_cast<int>(o_.size.I),
                  O = static_cast<int>(o_.size.O);
        switch (product_) {
            case Product::forward:
                for (int n = 0; n < N; ++n) {
                    std::copy(o_.b.begin(), o_.b.end(), out_.begin() + std::int64_t{n} * O);
                }
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, O, I, 1.0f, o_.x.data(), I,
                            o_.w.data(), I, 1.0f, out_.data(), O);
                for (float& y : out_) y = y > 0.0f ? y : 0.0f;
                break;
            case Product::input_gradient:
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, I, O, 1.0f, o_.dy.data(),
                            O, o_.w.data(), I, 0.0f, out_.data(), I);
                break;
            case Product::weight_gradient:
                cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, O, I, N, 1.0f, o_.dy.data(), O,
                            o_.x.data(), I, 0.0f, out_.data(), I);
                cblas_sgemv(CblasRowMajor, CblasTrans, N, O, 1.0f, o_.dy.data(), O, ones_.data(), 1,
                            0.0f, db_.data(), 1);
        }
    }

    std::vector<float> result() override {
        std::vector<float> all = out_;
        all.insert(all.end(), db_.begin(), db_.end());
        return all;
    }

  private:
    Product product_;
    const Operands& o_;
    std::vector<float> out_, db_, ones_;
};

}  // namespace

std::unique_ptr<Contestant> make_openblas(Product product, const Operands& operands) {
    return std::make_unique<ByOpenBlas>(product, operands);
}

}  // namespace drydock::gemm

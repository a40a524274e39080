// The products of a linear layer, and who computes them here. All matrices are row-major, weights
// (O, I), as training has them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace drydock::gemm {

enum class Product {
    forward,          // y = relu(x w^T + b)
    input_gradient,   // dx = dy w
    weight_gradient,  // dw = dy^T x, db = sum over rows of dy
};

struct Size {
    std::int64_t N, I, O;
};

// Operands that all contestants share.
struct Operands {
    explicit Operands(const Size& size);
    Size size;
    std::vector<float> x, w, b, dy;  // (N, I), (O, I), (O), (N, O)
};

// Computes one product, again and again, in memory of its own.
class Contestant {
  public:
    virtual ~Contestant() = default;
    virtual void run() = 0;
    // What the last run() left: y, dx, or dw followed by db.
    virtual std::vector<float> result() = 0;
};

using Make = std::function<std::unique_ptr<Contestant>(Product, const Operands&)>;

// "ours", "Eigen", "OpenBLAS", "oneDNN", "oneDNN, packed": the last keeps its weights in the layout
// that it likes best, put there before the clock starts. Null where it has nothing of its own.
std::unique_ptr<Contestant> make_ours(Product product, const Operands& operands,
                                      const std::string& isa);
std::unique_ptr<Contestant> make_eigen(Product product, const Operands& operands);
std::unique_ptr<Contestant> make_openblas(Product product, const Operands& operands);
std::unique_ptr<Contestant> make_onednn(Product product, const Operands& operands, bool packed);

}  // namespace drydock::gemm

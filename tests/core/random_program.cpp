#include "tests/core/random_program.h"

#include <algorithm>
#include <sstream>

namespace drydock::test {
namespace {

using T = std::vector<Tensor>;

constexpr double kLargest = 40.0;  // bound of every value
constexpr double kSmallest = 0.2;  // of divisors and of arguments of log and sqrt
constexpr std::int64_t kMostElements = 60;

class Maker {
  public:
    Maker(std::uint64_t seed, int length) : dice_(seed) {
        program_.seed = seed;
        Shape base;
        const std::int64_t rank = 1 + dice_.below(3);
        for (std::int64_t i = 0; i < rank; ++i) base.push_back(draw_dim());
        for (int i = 0; i < 3; ++i) parameter(i == 0 ? base : related(base));
        // Most draws fit, and those that do not are drawn again.
        for (int made = 0, tries = 0; made < length && tries < 40 * length; ++tries) {
            made += draw_op() ? 1 : 0;
        }
    }
    RandomProgram take() { return std::move(program_); }

  private:
    std::int64_t draw_dim() {
        constexpr std::int64_t kDims[] = {1, 1, 2, 3, 4, 5, 7};
        return kDims[dice_.below(std::size(kDims))];
    }

    // A shape that broadcasts with `shape`: some dimensions 1, some leading ones left out.
    Shape related(const Shape& shape) {
        Shape out;
        for (int axis = static_cast<int>(dice_.below(shape.rank() + 1)) / 2; axis < shape.rank();
             ++axis) {
            out.push_back(dice_.chance(0.3) ? 1 : shape[axis]);
        }
        return out;
    }

    int parameter(const Shape& shape, double low = -1.5, double high = 1.5) {
        if (low == -1.5 && dice_.chance(0.25)) low = 0.3;
        return program_.add({"parameter", {}, shape, low, high, {}});
    }

    // Any value; later ones more often, which makes programs deep.
    int any() {
        const auto n = static_cast<std::int64_t>(program_.steps.size());
        return static_cast<int>(std::max(dice_.below(n), dice_.below(n)));
    }
    // A value of that rank, made by a reshape where chance gives another one.
    int of_rank(int rank) {
        for (int tries = 0; tries < 8; ++tries) {
            const int i = any();
            if (program_[i].shape.rank() == rank) return i;
        }
        return reshaped(any(), rank);
    }

    int reshaped(int x, int rank) {
        std::int64_t rest = program_[x].shape.size();
        if (rest > 1) rank = std::max(rank, 1);
        Shape shape;
        for (int axis = 0; axis + 1 < rank; ++axis) {
            std::int64_t dim = 1 + dice_.below(rest);
            while (rest % dim != 0) --dim;
            shape.push_back(dim);
            rest /= dim;
        }
        if (rank > 0) shape.push_back(rest);
        return op("reshape " + to_string(shape), {x}, shape, program_[x].low, program_[x].high,
                  [shape](Graph&, const T& t) { return reshape(t[0], shape); });
    }

    // Adds a step; -1 when its values might be too large.
    int op(const std::string& name, std::vector<int> inputs, const Shape& shape, double low,
           double high, Builder build) {
        if (low < -kLargest || high > kLargest || shape.size() > kMostElements) return -1;
        return program_.add({name, std::move(inputs), shape, low, high, std::move(build)});
    }

    bool draw_op() {
        switch (dice_.below(12)) {
            case 0:
            case 1:
                return draw_unary() >= 0;
            case 2:
                return draw_scalar() >= 0;
            case 3:
            case 4:
                return draw_binary() >= 0;
            case 5:
                return draw_choice() >= 0;
            case 6:
                return draw_view() >= 0;
            case 7:
                return draw_joined() >= 0;
            case 8:
                return draw_reduction() >= 0;
            case 9:
                return draw_product() >= 0;
            case 10:
                return draw_layer() >= 0;
            default:
                return draw_loss() >= 0;
        }
    }

    int draw_unary();
    int draw_scalar();
    int draw_binary();
    int draw_choice();
    int draw_view();
    int draw_joined();
    int draw_reduction();
    int draw_product();
    int draw_layer();
    int draw_loss();
    int draw_slice(int x, int axis);
    int draw_pad(int x, int axis);
    int draw_gather(int x);

    RandomProgram program_;
    Dice dice_;
    int last_layer_ = -1;
};

double largest(const Step& s) { return std::max(std::fabs(s.low), std::fabs(s.high)); }

int Maker::draw_unary() {
    const int x = any();
    const Shape shape = program_[x].shape;
    const double lo = program_[x].low, hi = program_[x].high;
    const auto unary = [&](const char* name, Tensor (*f)(Tensor), double low, double high) {
        return op(name, {x}, shape, low, high, [f](Graph&, const T& t) { return f(t[0]); });
    };
    const double reach = largest(program_[x]);
    switch (dice_.below(11)) {
        case 0:
            return unary("exp", exp, std::exp(lo), std::exp(hi));
        case 1:
            return lo < kSmallest ? -1 : unary("log", log, std::log(lo), std::log(hi));
        case 2:
            return lo < kSmallest ? -1 : unary("sqrt", sqrt, std::sqrt(lo), std::sqrt(hi));
        case 3:
            return unary("square", square, lo > 0 ? lo * lo : 0.0, reach * reach);
        case 4:
            return unary("abs", abs, lo > 0 ? lo : 0.0, reach);
        case 5:
            return unary("relu", relu, std::max(lo, 0.0), std::max(hi, 0.0));
        case 6:
            return unary("sigmoid", sigmoid, 0.0, 1.0);
        case 7:
            return unary("softplus", softplus, 0.0, std::max(hi, 0.0) + 0.7);
        case 8:
            return unary("copy", copy, lo, hi);
        case 9:
            return op("negate", {x}, shape, -hi, -lo, [](Graph&, const T& t) { return -t[0]; });
        default:
            return unary("tanh", tanh, -1.0, 1.0);
    }
}

int Maker::draw_scalar() {
    const int x = any();
    const Shape shape = program_[x].shape;
    const double lo = program_[x].low, hi = program_[x].high, p = dice_.uniform(-1.5, 1.5);
    const double reach = largest(program_[x]) * std::fabs(p);
    const std::string by = " by " + std::to_string(p);
    switch (dice_.below(8)) {
        case 0:
            return op("add" + by, {x}, shape, lo + p, hi + p,
                      [p](Graph&, const T& t) { return t[0] + p; });
        case 1:
            return op("subtract from" + by, {x}, shape, p - hi, p - lo,
                      [p](Graph&, const T& t) { return p - t[0]; });
        case 2:
            return op("multiply" + by, {x}, shape, -reach, reach,
                      [p](Graph&, const T& t) { return p * t[0]; });
        case 3:
            return lo < kSmallest
                       ? -1
                       : op("divide into" + by, {x}, shape, -std::fabs(p) / lo, std::fabs(p) / lo,
                            [p](Graph&, const T& t) { return p / t[0]; });
        case 4:
            return op("divide" + by, {x}, shape, -largest(program_[x]), largest(program_[x]),
                      [p](Graph&, const T& t) { return t[0] / (1.5 + std::fabs(p)); });
        case 5:
            return op("minimum" + by, {x}, shape, std::min(lo, p), std::min(hi, p),
                      [p](Graph&, const T& t) { return minimum(t[0], p); });
        case 6:
            return op("maximum" + by, {x}, shape, std::max(lo, p), std::max(hi, p),
                      [p](Graph&, const T& t) { return maximum(t[0], p); });
        default:
            return op("clamp" + by, {x}, shape, std::clamp(lo, p, p + 0.8),
                      std::clamp(hi, p, p + 0.8),
                      [p](Graph&, const T& t) { return clamp(t[0], p, p + 0.8); });
    }
}

bool broadcasts(const Shape& a, const Shape& b) {
    for (int i = 1; i <= std::min(a.rank(), b.rank()); ++i) {
        const std::int64_t p = a[a.rank() - i], q = b[b.rank() - i];
        if (p != q && p != 1 && q != 1) return false;
    }
    return true;
}

int Maker::draw_binary() {
    const int a = any();
    int b = any();
    for (int tries = 0; tries < 6 && !broadcasts(program_[a].shape, program_[b].shape); ++tries) {
        b = any();
    }
    if (!broadcasts(program_[a].shape, program_[b].shape))
        b = parameter(related(program_[a].shape));
    const Shape shape = broadcast_shape("test", program_[a].shape, program_[b].shape);
    const double alo = program_[a].low, ahi = program_[a].high;
    const double blo = program_[b].low, bhi = program_[b].high;
    const double product = largest(program_[a]) * largest(program_[b]);
    switch (dice_.below(6)) {
        case 0:
            return op("add", {a, b}, shape, alo + blo, ahi + bhi,
                      [](Graph&, const T& t) { return t[0] + t[1]; });
        case 1:
            return op("subtract", {a, b}, shape, alo - bhi, ahi - blo,
                      [](Graph&, const T& t) { return t[0] - t[1]; });
        case 2:
            return op("multiply", {a, b}, shape, -product, product,
                      [](Graph&, const T& t) { return t[0] * t[1]; });
        case 3: {
            if (blo < kSmallest) return -1;
            const double quotient = largest(program_[a]) / blo;
            return op("divide", {a, b}, shape, -quotient, quotient,
                      [](Graph&, const T& t) { return t[0] / t[1]; });
        }
        case 4:
            return op("minimum", {a, b}, shape, std::min(alo, blo), std::min(ahi, bhi),
                      [](Graph&, const T& t) { return minimum(t[0], t[1]); });
        default:
            return op("maximum", {a, b}, shape, std::max(alo, blo), std::max(ahi, bhi),
                      [](Graph&, const T& t) { return maximum(t[0], t[1]); });
    }
}

// where() under the conditions that there are; a condition has no derivative.
int Maker::draw_choice() {
    const int a = any(), b = any();
    if (!broadcasts(program_[a].shape, program_[b].shape)) return -1;
    const Shape shape = broadcast_shape("test", program_[a].shape, program_[b].shape);
    const double low = std::min(program_[a].low, program_[b].low);
    const double high = std::max(program_[a].high, program_[b].high);
    switch (dice_.below(4)) {
        case 0:
            return op("where less", {a, b}, shape, low, high,
                      [](Graph&, const T& t) { return where(less(t[0], t[1]), t[1], t[0]); });
        case 1:
            return op("where less_equal", {a, b}, shape, low, high,
                      [](Graph&, const T& t) { return where(less_equal(t[1], t[0]), t[0], t[1]); });
        case 2:
            return op("where equal", {a, b}, shape, low, high,
                      [](Graph&, const T& t) { return where(equal(t[0], t[1]), t[0], t[1]); });
        default:
            return op("where positive", {a, b}, shape, low, high,
                      [](Graph&, const T& t) { return where(positive(detach(t[1])), t[0], t[1]); });
    }
}

int Maker::draw_slice(int x, int axis) {
    Shape shape = program_[x].shape;
    const std::int64_t begin = dice_.below(shape[axis]);
    const std::int64_t end = begin + 1 + dice_.below(shape[axis] - begin);
    shape[axis] = end - begin;
    return op("slice axis " + std::to_string(axis) + " [" + std::to_string(begin) + ", " +
                  std::to_string(end) + ")",
              {x}, shape, program_[x].low, program_[x].high,
              [=](Graph&, const T& t) { return slice(t[0], axis, begin, end); });
}

int Maker::draw_pad(int x, int axis) {
    Shape shape = program_[x].shape;
    const std::int64_t begin = dice_.below(3), length = shape[axis] + begin + dice_.below(3);
    shape[axis] = length;
    return op("pad axis " + std::to_string(axis) + " at " + std::to_string(begin) + " of " +
                  std::to_string(length),
              {x}, shape, std::min(program_[x].low, 0.0), std::max(program_[x].high, 0.0),
              [=](Graph&, const T& t) { return pad(t[0], axis, begin, length); });
}

int Maker::draw_view() {
    const int x = any();
    const Shape shape = program_[x].shape;
    if (dice_.chance(0.25)) return reshaped(x, static_cast<int>(dice_.below(kMaxRank + 1)));
    if (shape.rank() == 0) return -1;
    const int axis = static_cast<int>(dice_.below(shape.rank()));
    switch (dice_.below(4)) {
        case 0:
            return draw_pad(x, axis);
        case 1: {
            Shape wide = shape;
            for (int i = 0; i < wide.rank(); ++i) {
                if (wide[i] == 1) wide[i] = 1 + dice_.below(3);
            }
            return op("broadcast " + to_string(wide), {x}, wide, program_[x].low, program_[x].high,
                      [wide](Graph&, const T& t) { return broadcast_to(t[0], wide); });
        }
        case 2: {
            const Shape narrow = related(shape);
            const double n = static_cast<double>(shape.size()) / static_cast<double>(narrow.size());
            return op("sum_to " + to_string(narrow), {x}, narrow, -n * largest(program_[x]),
                      n * largest(program_[x]),
                      [narrow](Graph&, const T& t) { return sum_to(t[0], narrow); });
        }
        default:
            return draw_slice(x, axis);
    }
}

int Maker::draw_gather(int x) {
    Shape shape = program_[x].shape;
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0, n = 1 + dice_.below(5); i < n; ++i)
        rows.push_back(dice_.below(shape[0]));
    shape[0] = static_cast<std::int64_t>(rows.size());
    return op("gather_rows of " + std::to_string(rows.size()), {x}, shape, program_[x].low,
              program_[x].high, [rows](Graph& g, const T& t) {
                  const BufferId id =
                      g.state().add_buffer("rows" + std::to_string(g.state().buffer_count()),
                                           DType::i64, {static_cast<std::int64_t>(rows.size())});
                  std::copy(rows.begin(), rows.end(),
                            static_cast<std::int64_t*>(g.state().buffer(id).data));
                  return gather_rows(t[0], g.buffer(id));
              });
}

int Maker::draw_joined() {
    const int x = any();
    const Shape shape = program_[x].shape;
    if (shape.rank() == 0) return -1;
    if (dice_.chance(0.5)) return draw_gather(x);
    const int axis = static_cast<int>(dice_.below(shape.rank()));
    Shape second = shape;
    second[axis] = draw_dim();
    const int y = dice_.chance(0.3) ? x : parameter(second);
    Shape all = shape;
    all[axis] += program_[y].shape[axis];
    return op("concat axis " + std::to_string(axis), {x, y}, all,
              std::min(program_[x].low, program_[y].low),
              std::max(program_[x].high, program_[y].high), [axis](Graph&, const T& t) {
                  return concat({t[0], t[1]}, axis);
              });
}

int Maker::draw_reduction() {
    const int x = any();
    const Shape shape = program_[x].shape;
    if (shape.rank() == 0) return -1;
    const int axis = static_cast<int>(dice_.below(shape.rank()));
    Shape rest;
    for (int i = 0; i < shape.rank(); ++i) {
        if (i != axis) rest.push_back(shape[i]);
    }
    const double n = static_cast<double>(shape[axis]), all = static_cast<double>(shape.size());
    const double lo = program_[x].low, hi = program_[x].high;
    const auto over = [&](const char* name, Tensor (*f)(Tensor, int), double low, double high) {
        return op(std::string(name) + " axis " + std::to_string(axis), {x}, rest, low, high,
                  [f, axis](Graph&, const T& t) { return f(t[0], axis); });
    };
    switch (dice_.below(7)) {
        case 0:
            return over("sum", sum, n * lo, n * hi);
        case 1:
            return over("mean", mean, lo, hi);
        case 2:
            return over("max", max, lo, hi);
        case 3:
            return over("min", min, lo, hi);
        case 4:
            return op("sum", {x}, {}, all * lo, all * hi,
                      [](Graph&, const T& t) { return sum(t[0]); });
        case 5:
            return op("mean", {x}, {}, lo, hi, [](Graph&, const T& t) { return mean(t[0]); });
        default:
            return over("logsumexp", logsumexp, lo, hi + std::log(n));
    }
}

int Maker::draw_product() {
    const int a = of_rank(2);
    if (a < 0) return -1;
    const bool ta = dice_.chance(0.5), tb = dice_.chance(0.5);
    const Shape left = program_[a].shape;
    const std::int64_t M = left[ta ? 1 : 0], K = left[ta ? 0 : 1];
    int b = -1;
    for (int tries = 0; tries < 6 && b < 0; ++tries) {
        const int i = any();
        const Shape& s = program_[i].shape;
        if (s.rank() == 2 && s[tb ? 1 : 0] == K) b = i;
    }
    const std::int64_t N = b < 0 ? draw_dim() : program_[b].shape[tb ? 0 : 1];
    if (b < 0) b = parameter(tb ? Shape{N, K} : Shape{K, N}, -0.9, 0.9);
    const double bound = static_cast<double>(K) * largest(program_[a]) * largest(program_[b]);
    return op(
        std::string("matmul") + (ta ? " left transposed" : "") + (tb ? " right transposed" : ""),
        {a, b}, {M, N}, -bound, bound,
        [ta, tb](Graph&, const T& t) { return matmul(t[0], t[1], ta, tb); });
}

int Maker::draw_layer() {
    // Often on top of the last one, for there is a pass that rewrites such pairs.
    const int x = last_layer_ >= 0 && dice_.chance(0.5) ? last_layer_ : of_rank(2);
    if (x < 0) return -1;
    const std::int64_t N = program_[x].shape[0], I = program_[x].shape[1], O = draw_dim();
    constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::tanh,
                                           Activation::gelu};
    const std::int64_t kind = dice_.below(4);
    const Activation activation = kActivations[kind];
    const bool bias = dice_.chance(0.7);
    double bound = static_cast<double>(I) * largest(program_[x]) * 0.6 + (bias ? 1.5 : 0.0);
    if (bound > kLargest) return -1;
    if (activation == Activation::tanh) bound = 1.0;
    std::vector<int> inputs{x, parameter({O, I}, -0.6, 0.6)};
    if (bias) inputs.push_back(parameter({O}));
    const char* names[] = {"linear", "linear relu", "linear tanh", "linear gelu"};
    last_layer_ = op(
        names[kind], inputs, {N, O}, activation == Activation::relu ? 0.0 : -bound, bound,
        [=](Graph&, const T& t) { return linear(t[0], t[1], bias ? t[2] : Tensor(), activation); });
    return last_layer_;
}

int Maker::draw_loss() {
    const int x = any();
    const Shape shape = program_[x].shape;
    const double reach = largest(program_[x]);
    switch (dice_.below(3)) {
        case 0:
            return op("mse", {x, parameter(shape)}, {}, 0.0, (reach + 1.5) * (reach + 1.5),
                      [](Graph&, const T& t) { return mse(t[0], t[1]); });
        case 1: {
            const double expectile = dice_.uniform(0.1, 0.9);
            return op("expectile_loss " + std::to_string(expectile), {x}, {}, 0.0, reach * reach,
                      [=](Graph&, const T& t) { return expectile_loss(t[0], expectile); });
        }
        default: {
            if (shape.rank() != 2 || reach > 2.0) return -1;
            const int log_std = parameter({shape[1]}, -0.5, 0.5);
            const int at = parameter(shape, -1.0, 1.0);
            const double bound = static_cast<double>(shape[1]) * 15.0;
            return op("gaussian_log_prob", {x, log_std, at}, {shape[0]}, -bound, bound,
                      [](Graph&, const T& t) { return gaussian_log_prob(t[0], t[1], t[2]); });
        }
    }
}

// concat() of any number of vectors.
Tensor join(T parts) {
    while (parts.size() > 1) {
        const std::size_t n = std::min<std::size_t>(parts.size(), kMaxInputs);
        const Tensor head = concat({parts.begin(), parts.begin() + static_cast<long>(n)}, 0);
        parts.erase(parts.begin(), parts.begin() + static_cast<long>(n));
        parts.insert(parts.begin(), head);
    }
    return parts[0];
}

}  // namespace

RandomProgram make_random_program(std::uint64_t seed, int length) {
    return Maker(seed, length).take();
}

OpCase RandomProgram::as_case() const {
    OpCase c{"program of seed " + std::to_string(seed), {}, {}, {}};
    std::vector<bool> read(steps.size(), false);
    for (const Step& s : steps) {
        if (!s.build) c.inputs.push_back({s.shape, s.low, s.high});
        for (const int i : s.inputs) read[static_cast<std::size_t>(i)] = true;
    }
    c.build = [copy = steps, read](Graph& g, const T& parameters) {
        T values, ends;
        std::size_t next = 0;
        for (std::size_t i = 0; i < copy.size(); ++i) {
            T inputs;
            for (const int k : copy[i].inputs)
                inputs.push_back(values[static_cast<std::size_t>(k)]);
            values.push_back(copy[i].build ? copy[i].build(g, inputs) : parameters[next++]);
            if (read[i] && copy[i].build) continue;
            ends.push_back(reshape(values.back(), {values.back().size()}));
        }
        return join(std::move(ends));
    };
    return c;
}

std::string RandomProgram::listing() const {
    std::ostringstream out;
    out << "seed " << seed << '\n';
    for (std::size_t i = 0; i < steps.size(); ++i) {
        out << "  v" << i << " = " << steps[i].op;
        for (const int k : steps[i].inputs) out << " v" << k;
        out << " : " << to_string(steps[i].shape) << " in [" << steps[i].low << ", "
            << steps[i].high << "]\n";
    }
    return out.str();
}

bool RandomProgram::without(int removed, RandomProgram& out) const {
    bool used = false;
    for (const Step& s : steps) {
        used = used || std::find(s.inputs.begin(), s.inputs.end(), removed) != s.inputs.end();
    }
    int instead = -1;
    for (int i = 0; used && i < removed; ++i) {
        const Step &a = (*this)[i], &b = (*this)[removed];
        // Bounds must hold as well, for the ops that read it rely on them.
        if (a.shape == b.shape && a.low >= b.low && a.high <= b.high) instead = i;
    }
    if (used && instead < 0) return false;
    out = {seed, {}};
    for (int i = 0; i < static_cast<int>(steps.size()); ++i) {
        if (i == removed) continue;
        Step s = (*this)[i];
        for (int& k : s.inputs) {
            if (k == removed) k = instead;
            if (k > removed) --k;
        }
        out.add(std::move(s));
    }
    return !out.steps.empty();
}

}  // namespace drydock::test

// Programs drawn at random: every gradient against central differences, and replay against eager
// execution. What fails is shrunk and listed with its seed.
#include "tests/core/random_program.h"

#include <doctest/doctest.h>

#include <optional>

namespace drydock::test {
namespace {

constexpr std::uint64_t kPrograms = 1000;

int length_of(std::uint64_t seed) { return 4 + static_cast<int>(seed % 20); }

const Device& portable() {
    static const Device device = Device::cpu(1, "portable");
    return device;
}

// sum(output * cotangent) of a recorded program, as a function of the parameters.
class Loss {
  public:
    Loss(const OpCase& c, const std::vector<Values>& values)
        : state_(c, portable(), DType::f64, values),
          exe_(state_.state, {.passes = Passes::none()}) {
        Graph g(state_.state);
        const Tensor loss = weighted_sum(g, state_, state_.build(g));
        g.keep(loss);
        id_ = loss.id();
        exe_.add(g.finish());
    }

    double operator()(std::size_t input, const Values& values) {
        state_.inputs.write(static_cast<int>(input), values);
        exe_.run(1);
        return exe_.read(id_)[0];
    }

  private:
    CaseState state_;
    Executable exe_;
    ValueId id_;
};

// Whether `gradient` is the central difference for some step: a kink may lie within one of them.
bool agrees(Loss& loss, std::size_t input, Values values, std::size_t element, double gradient,
            double scale) {
    const double middle = values[element];
    for (const double h : {1e-5, 1e-4, 1e-6, 1e-7}) {
        values[element] = middle + h;
        const double up = loss(input, values);
        values[element] = middle - h;
        const double difference = (up - loss(input, values)) / (2 * h);
        if (std::fabs(difference - gradient) < 5e-6 * scale) {
            values[element] = middle;
            loss(input, values);
            return true;
        }
    }
    return false;
}

// The first parameter whose gradient is wrong, in words, or "".
std::string wrong_gradient(const RandomProgram& program) {
    const OpCase c = program.as_case();
    const std::vector<Values> values = draw_inputs(c, DType::f64, program.seed);
    const ReplayResult r = replay(c, portable(), DType::f64, values, {});
    Loss loss(c, values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        double scale = 1.0;
        for (const double g : r.gradients[i]) scale = std::max(scale, std::fabs(g));
        for (std::size_t k = 0; k < values[i].size(); ++k) {
            if (agrees(loss, i, values[i], k, r.gradients[i][k], scale)) continue;
            return "parameter " + std::to_string(i) + ", element " + std::to_string(k) + ": got " +
                   std::to_string(r.gradients[i][k]) + ", which is no central difference";
        }
    }
    return "";
}

bool same(const ReplayResult& a, const ReplayResult& b) {
    bool all = same_bits(a.forward, b.forward);
    for (std::size_t i = 0; i < b.gradients.size(); ++i) {
        all = all && same_bits(a.gradients[i], b.gradients[i]);
    }
    return all;
}

double largest_deviation(const ReplayResult& a, const ReplayResult& b) {
    double worst = deviation(a.forward, b.forward);
    for (std::size_t i = 0; i < b.gradients.size(); ++i) {
        worst = std::max(worst, deviation(a.gradients[i], b.gradients[i]));
    }
    return worst;
}

// How replay strays from eager execution, in words, or "". Every node is cut, chains by two rows.
std::string wrong_replay(const RandomProgram& program) {
    static const Device best = Device::cpu(2);
    const CutOptions finely{0, 2};
    const OpCase c = program.as_case();
    for (const DType real : {DType::f32, DType::f64}) {
        const Device& device = real == DType::f32 ? best : portable();
        const std::vector<Values> values = draw_inputs(c, real, program.seed);
        const ReplayResult want = eager(c, device, real, values);
        for (const bool tricks : {false, true}) {
            const ExecutableOptions plain{
                .passes = Passes::none(), .plan = {tricks, tricks}, .cut = finely};
            if (!same(replay(c, device, real, values, plain), want)) {
                return "replay without passes differs from eager execution";
            }
        }
        const ReplayResult passed = replay(c, device, real, values, {.cut = finely});
        const ReplayResult basic = replay(c, device, real, values, {.cut = finely}, false);
        const double bound = real == DType::f32 ? 2e-5 : 1e-12;
        if (!same_bits(passed.forward, want.forward)) return "passes change the forward values";
        if (!(largest_deviation(passed, want) < bound)) return "passes change gradients too much";
        if (!(largest_deviation(basic, want) < bound)) return "compositions differ too much";
    }
    return "";
}

using Check = std::string (*)(const RandomProgram&);

// The smallest program found by leaving out steps that still fails.
RandomProgram shrink(RandomProgram program, Check wrong) {
    for (int i = static_cast<int>(program.steps.size()) - 1; i >= 0; --i) {
        RandomProgram smaller;
        if (program.without(i, smaller) && !wrong(smaller).empty()) program = smaller;
    }
    return program;
}

void check_all(Check wrong) {
    for (std::uint64_t seed = 1; seed <= kPrograms; ++seed) {
        const RandomProgram program = make_random_program(seed, length_of(seed));
        const std::string text = wrong(program);
        if (text.empty()) continue;
        const RandomProgram smallest = shrink(program, wrong);
        FAIL_CHECK(text, "\nof the program of ", program.listing(), "shrunk to ",
                   smallest.listing(), wrong(smallest));
    }
}

TEST_CASE("gradients of random programs agree with central differences, in fp64") {
    check_all(wrong_gradient);
}

TEST_CASE("random programs replay as they run eagerly, to the bit without passes") {
    check_all(wrong_replay);
}

// --- What shows that these checks can fail ---

// x^2 as x * detach(x): the right value with half of the derivative.
int add_wrong_square(RandomProgram& program, int x) {
    return program.add({"wrong square",
                        {x},
                        program[x].shape,
                        0.0,
                        16.0,
                        [](Graph&, const std::vector<Tensor>& t) { return t[0] * detach(t[0]); }});
}

TEST_CASE("a wrong adjoint anywhere in a program is found, and the program shrinks to it") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        RandomProgram program = make_random_program(seed, 6);
        REQUIRE(wrong_gradient(program).empty());
        const int wrong = add_wrong_square(program, static_cast<int>(seed) % 3);
        const Shape shape = program[wrong].shape;
        program.add({"tanh", {wrong}, shape, -1.0, 1.0, [](Graph&, const std::vector<Tensor>& t) {
                         return tanh(t[0]);
                     }});
        CAPTURE(program.listing());
        REQUIRE(!wrong_gradient(program).empty());
        const RandomProgram smallest = shrink(program, wrong_gradient);
        CAPTURE(smallest.listing());
        CHECK(smallest.steps.size() <= 3);
        CHECK(smallest.listing().find("wrong square") != std::string::npos);
    }
}

TEST_CASE("the passes find something to rewrite in random programs") {
    int dead = 0, fused = 0;
    for (std::uint64_t seed = 1; seed <= kPrograms; ++seed) {
        const OpCase c = make_random_program(seed, length_of(seed)).as_case();
        CaseState state(c, portable(), DType::f32, draw_inputs(c, DType::f32));
        Program program = record(state.state, [&](Graph& g) {
            g.gradients(weighted_sum(g, state, state.build(g)), state.inputs);
        });
        dead += remove_dead(program);
        fused += fuse_activation_gradient(program);
    }
    CHECK(dead > 10);
    CHECK(fused > 10);
}

TEST_CASE("random programs hold every op that has an adjoint") {
    std::string all;
    for (std::uint64_t seed = 1; seed <= kPrograms; ++seed) {
        all += make_random_program(seed, length_of(seed)).listing();
    }
    for (const char* op : {"exp ",
                           "log ",
                           "sqrt",
                           "square",
                           "abs",
                           "relu",
                           "sigmoid",
                           "softplus",
                           "copy",
                           "negate",
                           "tanh",
                           "add v",
                           "subtract v",
                           "multiply v",
                           "divide v",
                           "minimum v",
                           "maximum v",
                           "add by",
                           "subtract from",
                           "multiply by",
                           "divide into",
                           "divide by",
                           "minimum by",
                           "maximum by",
                           "clamp",
                           "where less v",
                           "where less_equal",
                           "where equal",
                           "where positive",
                           "slice",
                           "pad",
                           "broadcast",
                           "sum_to",
                           "reshape",
                           "gather_rows",
                           "concat",
                           "sum axis",
                           "mean axis",
                           "max axis",
                           "min axis",
                           "sum v",
                           "mean v",
                           "logsumexp",
                           "matmul v",
                           "left transposed",
                           "right transposed",
                           "linear v",
                           "linear relu",
                           "linear tanh",
                           "mse",
                           "expectile_loss",
                           "gaussian_log_prob"}) {
        CHECK_MESSAGE(all.find(op) != std::string::npos, op);
    }
}

}  // namespace
}  // namespace drydock::test

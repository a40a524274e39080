// RLtools' inner loop on one network: a batch, forward, gradient of the squared error, backward,
// Adam. It answers as the other peers do (bench/peers/common.py): ready, and then updates per
// second for every number of seconds on standard input.
#include <rl_tools/operations/cpu_mux.h>

#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>

#include <rl_tools/nn/loss_functions/mse/operations_generic.h>
#include <rl_tools/nn/operations_cpu_mux.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>

#include <rl_tools/nn/optimizers/adam/operations_generic.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace rlt = rl_tools;

using Device = rlt::devices::DEVICE_FACTORY<>;
using Real = rlt::numeric_types::Policy<float>;
using Index = Device::index_t;

constexpr Index kObservations = DRYDOCK_OBSERVATIONS, kActions = DRYDOCK_ACTIONS;
constexpr Index kBatch = 256, kHidden = 256, kLayers = 3, kTransitions = 100'000;

using Network = rlt::nn_models::mlp::NeuralNetwork<
    rlt::nn_models::mlp::Configuration<Real, Index, kActions, kLayers, kHidden,
                                       rlt::nn::activation_functions::RELU,
                                       rlt::nn::activation_functions::TANH>,
    rlt::nn::capability::Gradient<rlt::nn::parameters::Adam, true>,
    rlt::tensor::Shape<Index, 1, kBatch, kObservations>>;
using Optimizer = rlt::nn::optimizers::Adam<rlt::nn::optimizers::adam::Specification<
    Real, Index, rlt::nn::optimizers::adam::DEFAULT_PARAMETERS_PYTORCH<Real>>>;
template <Index rows, Index columns>
using Matrix = rlt::Matrix<rlt::matrix::Specification<float, Index, rows, columns>>;

struct Loop {
    Device device;
    Network network;
    Optimizer optimizer;
    Network::Buffer<true> buffers;
    Device::SPEC::RANDOM::ENGINE<> rng;
    Matrix<kTransitions, kObservations> observations;
    Matrix<kTransitions, kActions> actions;
    Matrix<kBatch, kObservations> x;
    Matrix<kBatch, kActions> target, gradient;
    std::mt19937 rows{1};

    Loop() {
        rlt::malloc(device, network);
        rlt::malloc(device, optimizer);
        rlt::malloc(device, buffers);
        rlt::malloc(device, rng);
        rlt::malloc(device, observations);
        rlt::malloc(device, actions);
        rlt::malloc(device, x);
        rlt::malloc(device, target);
        rlt::malloc(device, gradient);
        rlt::init(device, rng, 1);
        rlt::init(device, optimizer);
        rlt::init_weights(device, network, rng);
        rlt::reset_optimizer_state(device, optimizer, network);
        std::normal_distribution<float> normal;
        std::uniform_real_distribution<float> even(-1.0f, 1.0f);
        for (Index i = 0; i < kTransitions; ++i) {
            for (Index j = 0; j < kObservations; ++j) rlt::set(observations, i, j, normal(rows));
            for (Index j = 0; j < kActions; ++j) rlt::set(actions, i, j, even(rows));
        }
    }

    void update() {
        for (Index i = 0; i < kBatch; ++i) {
            const Index row = rows() % kTransitions;
            for (Index j = 0; j < kObservations; ++j) {
                rlt::set(x, i, j, rlt::get(observations, row, j));
            }
            for (Index j = 0; j < kActions; ++j) rlt::set(target, i, j, rlt::get(actions, row, j));
        }
        rlt::zero_gradient(device, network);
        auto input = rlt::to_tensor(device, x);
        auto input_of_step = rlt::unsqueeze(device, input);
        rlt::forward(device, network, input_of_step, buffers, rng);
        auto output = rlt::output(device, network);
        auto predicted = rlt::matrix_view(device, output);
        rlt::nn::loss_functions::mse::gradient(device, predicted, target, gradient);
        auto d_output = rlt::to_tensor(device, gradient);
        auto d_output_of_step = rlt::unsqueeze(device, d_output);
        rlt::backward(device, network, input_of_step, d_output_of_step, buffers);
        rlt::step(device, optimizer, network);
    }

    double loss() {
        auto output = rlt::output(device, network);
        auto predicted = rlt::matrix_view(device, output);
        return rlt::nn::loss_functions::mse::evaluate(device, predicted, target);
    }
};

int main() {
    static Loop loop;
    const auto seconds_of = [&](long updates) {
        const auto begin = std::chrono::steady_clock::now();
        for (long i = 0; i < updates; ++i) loop.update();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        if (!std::isfinite(loop.loss())) {
            std::fprintf(stderr,
                         "the updates gave a loss that is not finite: nothing was measured\n");
            std::exit(1);
        }
        return took.count();
    };
    const double first = seconds_of(20) / 20;
    double rate = 100 / seconds_of(100);
    if (!(first > 0)) return 1;
    std::printf("{\"ready\": %.6g}\n", rate);
    std::fflush(stdout);
    double seconds = 0;
    while (std::scanf("%lf", &seconds) == 1) {
        const long updates = std::lround(std::fmax(1.0, seconds * rate));
        rate = static_cast<double>(updates) / seconds_of(updates);
        std::printf("{\"updates_per_second\": %.6g}\n", rate);
        std::fflush(stdout);
    }
    return 0;
}

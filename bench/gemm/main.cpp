// Ours and the peers in turn on the products of training, one thread: GF/s, share of the FMA peak
// measured in the same run, and how ours compares with the best peer.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/gemm/contest.h"
#include "core/device.h"
#include "measure/limits.h"
#include "measure/statistics.h"

namespace drydock::gemm {

Operands::Operands(const Size& s) : size(s) {
    const auto fill = [](std::vector<float>& v, std::int64_t n, unsigned seed) {
        v.resize(static_cast<std::size_t>(n));
        for (float& value : v) {
            seed = seed * 1664525U + 1013904223U;
            value = static_cast<float>(seed >> 8) * 0x1p-23f - 1.0f;
        }
    };
    fill(x, s.N * s.I, 1);
    fill(w, s.O * s.I, 2);
    fill(b, s.O, 3);
    fill(dy, s.N * s.O, 4);
}

namespace {

struct Case {
    Product product;
    Size size;
    std::string name;
    std::unique_ptr<Operands> operands;
    std::vector<std::pair<std::string, std::unique_ptr<Contestant>>> contestants;
    double flop() const {
        return 2.0 * static_cast<double>(size.N) * static_cast<double>(size.I) *
               static_cast<double>(size.O);
    }
};

const char* name_of(Product product) {
    if (product == Product::forward) return "forward";
    return product == Product::input_gradient ? "input gradient" : "weight gradient";
}

std::vector<Size> sizes() {
    std::vector<Size> all = {{256, 256, 256}};
    for (const std::int64_t inputs : {11, 17, 23}) all.push_back({256, inputs, 256});
    for (const std::int64_t outputs : {1, 3, 6, 12}) all.push_back({256, 256, outputs});
    for (const Size& s : {Size{3840, 128, 128}, Size{3840, 128, 512}, Size{2560, 256, 256}}) {
        all.push_back(s);
    }
    return all;
}

// A result that differs from Eigen's by more than rounding allows ends the program: a time for
// another product would mean nothing.
void check(const Case& c) {
    const std::vector<float> expected = c.contestants[1].second->result();
    for (const auto& [who, contestant] : c.contestants) {
        const std::vector<float> got = contestant->result();
        double worst = got.size() == expected.size() ? 0 : INFINITY;
        for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
            const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
            // Sums of up to 3840 products of numbers in [-1, 1].
            worst = std::max(worst, difference / (1 + std::abs(expected[i])));
        }
        if (worst <= 1e-3) continue;
        fmt::print(stderr, "gemm: {} of {} differs by {:.1e}; nothing was measured\n", who, c.name,
                   worst);
        std::exit(1);
    }
}

std::vector<Case> make_cases(const std::string& isa) {
    std::vector<Case> cases;
    for (const Size& size : sizes()) {
        for (const Product product :
             {Product::forward, Product::input_gradient, Product::weight_gradient}) {
            Case c{product,
                   size,
                   fmt::format("{} {} x {} -> {}", name_of(product), size.N, size.I, size.O),
                   std::make_unique<Operands>(size),
                   {}};
            const Operands& o = *c.operands;
            c.contestants.emplace_back("ours", make_ours(product, o, isa));
            c.contestants.emplace_back("Eigen", make_eigen(product, o));
            c.contestants.emplace_back("OpenBLAS", make_openblas(product, o));
            c.contestants.emplace_back("oneDNN", make_onednn(product, o, false));
            if (auto packed = make_onednn(product, o, true)) {
                c.contestants.emplace_back("oneDNN, packed", std::move(packed));
            }
            for (auto& contestant : c.contestants) contestant.second->run();
            check(c);
            cases.push_back(std::move(c));
        }
    }
    return cases;
}

// Keeps the time of every round; the table comes when all are there.
class Collector final : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
            seconds[run.run_name.function_name].push_back(run.real_accumulated_time /
                                                          static_cast<double>(run.iterations));
        }
    }
    std::map<std::string, std::vector<double>> seconds;
};

std::string key(const Case& c, const std::string& who) { return c.name + "/" + who; }

const std::vector<std::string>& peers() {
    static const std::vector<std::string> kPeers = {"Eigen", "OpenBLAS", "oneDNN",
                                                    "oneDNN, packed"};
    return kPeers;
}

void print_table(const std::vector<Case>& cases, Collector& collected, double peak,
                 nlohmann::ordered_json& json) {
    fmt::print("| product | ours GF/s | of peak |");
    for (const std::string& peer : peers()) fmt::print(" {} |", peer);
    fmt::print(" ours / best peer |\n|---|---|---|");
    for (std::size_t i = 0; i < peers().size(); ++i) fmt::print("---|");
    fmt::print("---|\n");
    for (const Case& c : cases) {
        const auto speed = [&](const std::string& who) {
            const auto found = collected.seconds.find(key(c, who));
            if (found == collected.seconds.end()) return 0.0;
            return c.flop() / measure::summarize(found->second).median;
        };
        const double ours = speed("ours");
        if (ours == 0) continue;  // filtered out
        double best = 0;
        nlohmann::ordered_json row{
            {"product", c.name}, {"ours", 1e-9 * ours}, {"share_of_peak", ours / peak}};
        std::string line =
            fmt::format("| {} | {:.1f} | {:.1f} % |", c.name, 1e-9 * ours, 100 * ours / peak);
        for (const std::string& peer : peers()) {
            const double of_peer = speed(peer);
            best = std::max(best, of_peer);
            line += of_peer > 0 ? fmt::format(" {:.1f} |", 1e-9 * of_peer) : " |";
            if (of_peer > 0) row[peer] = 1e-9 * of_peer;
        }
        row["ratio"] = ours / best;
        json.push_back(row);
        fmt::print("{} {:.2f} |\n", line, ours / best);
    }
}

// OpenBLAS and OpenMP read these when they are loaded, before main.
void hold_peers_to(const std::string& isa, char** argv) {
    if (std::getenv("DRYDOCK_GEMM_READY")) return;
    setenv("DRYDOCK_GEMM_READY", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    if (isa == "avx2") {
        setenv("OPENBLAS_CORETYPE", "Haswell", 1);
        setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
    }
    execv("/proc/self/exe", argv);
    fmt::print(stderr, "gemm: could not start again with the peers held to one thread\n");
    std::exit(1);
}

// Google Benchmark's own options come after these and win.
std::vector<char*> with_defaults(int argc, char** argv, std::vector<std::string>& texts) {
    texts = {argv[0], "--benchmark_enable_random_interleaving=true", "--benchmark_repetitions=9",
             "--benchmark_min_time=0.01"};
    for (int i = 1; i < argc; ++i) texts.emplace_back(argv[i]);
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    return arguments;
}

int run(int argc, char** argv) {
    const std::string isa = DRYDOCK_GEMM_ISA;
    hold_peers_to(isa, argv);
    std::string json_path;
    std::vector<char*> rest = {argv[0]};
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json_path = argv[++i];
        } else {
            rest.push_back(argv[i]);
        }
    }
    std::vector<std::string> texts;
    std::vector<char*> arguments = with_defaults(static_cast<int>(rest.size()), rest.data(), texts);
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

    const kernels::Isa used = Device::cpu(1, isa).isa();
    measure::Limits limits(used, 1);
    std::vector<Case> cases = make_cases(isa);
    for (const Case& c : cases) {
        for (const auto& [who, contestant] : c.contestants) {
            benchmark::RegisterBenchmark(key(c, who).c_str(), [runs = contestant.get()](
                                                                  benchmark::State& state) {
                for (auto _ : state) runs->run();
            })->UseRealTime();
        }
    }
    Collector collector;
    benchmark::RunSpecifiedBenchmarks(&collector);
    limits.measure_again();
    fmt::print("{}, one thread, FMA peak {:.1f} GF/s; GF/s, medians of interleaved rounds\n\n",
               measure::machine(used), 1e-9 * limits.fma_peak());
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    print_table(cases, collector, limits.fma_peak(), rows);
    if (json_path.empty()) return 0;
    std::ofstream file(json_path);
    file << nlohmann::ordered_json{{"machine", measure::machine(used)},
                                   {"peak_gflops", 1e-9 * limits.fma_peak()},
                                   {"products", rows}}
                .dump(2)
         << '\n';
    if (file.flush()) return 0;
    fmt::print(stderr, "gemm: could not write {}\n", json_path);
    return 1;
}

}  // namespace
}  // namespace drydock::gemm

int main(int argc, char** argv) { return drydock::gemm::run(argc, argv); }

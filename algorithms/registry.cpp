#include <fmt/format.h>

#include "algorithms/algorithm.h"
#include "algorithms/bc.h"
#include "algorithms/cql.h"
#include "algorithms/discrete_cql.h"
#include "algorithms/dt.h"
#include "algorithms/iql.h"
#include "algorithms/td3bc.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

struct Registered {
    const char* name;
    std::unique_ptr<Recipe> (*make)();
};

// One line per algorithm.
constexpr Registered kAlgorithms[] = {
    {"iql", make_iql_recipe},     {"bc", make_bc_recipe},
    {"cql", make_cql_recipe},     {"discrete-cql", make_discrete_cql_recipe},
    {"td3bc", make_td3bc_recipe}, {"dt", make_dt_recipe},
};

}  // namespace

Tensor Algorithm::act_windows(Graph&, const Batch&) {
    throw Error("[algorithm] expected one that reads windows of episodes; call act()");
}

std::vector<std::string> list_algorithms() {
    std::vector<std::string> names;
    for (const Registered& r : kAlgorithms) names.emplace_back(r.name);
    return names;
}

std::unique_ptr<Recipe> make_recipe(const std::string& algorithm) {
    for (const Registered& r : kAlgorithms) {
        if (algorithm == r.name) return r.make();
    }
    throw Error(fmt::format("[algorithm] expected one of {}, got '{}'",
                            fmt::join(list_algorithms(), ", "), algorithm),
                ErrorKind::usage);
}

}  // namespace drydock::algorithms

#include "data/best_trajectories.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "base/error.h"

namespace drydock::data {
namespace {

// Rows [first, end) and their discounted return.
struct Trajectory {
    std::int64_t first, end;
    double value;

    std::int64_t length() const { return end - first; }
};

double discounted_return(const std::vector<float>& rewards, std::int64_t first, std::int64_t end,
                         double discount) {
    double sum = 0, scale = 1;
    for (std::int64_t i = first; i < end; ++i) {
        sum += scale * double{rewards[static_cast<std::size_t>(i)]};
        scale *= discount;
    }
    return sum;
}

// Best first; of equals the later one first, as a reversed stable sort has it.
void rank(std::vector<Trajectory>& trajectories) {
    std::stable_sort(trajectories.begin(), trajectories.end(),
                     [](const Trajectory& a, const Trajectory& b) { return a.value < b.value; });
    std::reverse(trajectories.begin(), trajectories.end());
}

std::vector<Trajectory> cut(const Transitions& t, const BestOptions& options) {
    std::vector<Trajectory> trajectories;
    std::int64_t first = 0;
    const auto end_at = [&](std::int64_t end) {
        trajectories.push_back(
            {first, end, discounted_return(t.rewards, first, end, options.discount)});
        first = end;
    };
    for (std::int64_t i = 0; i < t.count; ++i) {
        const bool terminal = t.terminals[static_cast<std::size_t>(i)] == 1.0f;
        if (terminal || i + 1 - first == options.trajectory_steps) end_at(i + 1);
    }
    if (trajectories.empty()) end_at(t.count);
    return trajectories;
}

// Which row comes where: the rows of `kept` in their order, then all others. In 32 bits, as it is
// the one thing besides the columns that takes memory by the row.
class Order {
  public:
    Order(const std::vector<Trajectory>& kept, std::int64_t rows)
        : source_(static_cast<std::size_t>(rows)), done_(static_cast<std::size_t>(rows)) {
        if (rows > std::numeric_limits<std::uint32_t>::max()) {
            throw Error(
                fmt::format("[data] expected at most 2^32 rows to choose from, got {}; set "
                            "best_fraction=null",
                            rows));
        }
        std::size_t next = 0;
        for (const Trajectory& t : kept) {
            for (std::int64_t i = t.first; i < t.end; ++i) take(i, next);
        }
        kept_ = next;
        for (std::int64_t i = 0; i < rows; ++i) {
            if (!done_[static_cast<std::size_t>(i)]) take(i, next);
        }
    }

    // Brings a column of `width` numbers a row into the order, in place, and drops the others.
    template <class T>
    void apply(std::vector<T>& column, std::int64_t width) {
        if (column.empty()) return;
        const auto w = static_cast<std::size_t>(width);
        const auto row = [&](std::size_t i) {
            return column.begin() + static_cast<std::ptrdiff_t>(i * w);
        };
        std::vector<T> first(w);
        std::fill(done_.begin(), done_.end(), false);
        for (std::size_t begin = 0; begin < kept_; ++begin) {
            if (done_[begin]) continue;
            std::copy_n(row(begin), w, first.begin());
            std::size_t to = begin;
            for (std::size_t from = source_[to]; from != begin; from = source_[to]) {
                std::copy_n(row(from), w, row(to));
                done_[to] = true;
                to = from;
            }
            std::copy_n(first.begin(), w, row(to));
            done_[to] = true;
        }
        column.resize(kept_ * w);
        if (column.size() < column.capacity() / 2) column.shrink_to_fit();
    }

  private:
    void take(std::int64_t row, std::size_t& next) {
        source_[next++] = static_cast<std::uint32_t>(row);
        done_[static_cast<std::size_t>(row)] = true;
    }

    std::vector<std::uint32_t> source_;
    std::vector<bool> done_;
    std::size_t kept_ = 0;
};

BestReport describe(const std::vector<Trajectory>& ranked, std::size_t kept, std::int64_t rows) {
    BestReport report;
    report.trajectories = std::ssize(ranked);
    report.kept_trajectories = static_cast<std::int64_t>(kept);
    report.rows = rows;
    for (std::size_t i = 0; i < kept; ++i) report.kept_rows += ranked[i].length();
    report.highest = ranked.front().value;
    report.lowest_kept = ranked[kept - 1].value;
    return report;
}

void check(const BestOptions& options) {
    if (options.fraction > 0 && options.fraction <= 1) return;
    throw Error(fmt::format("[data] expected a best_fraction above 0 and at most 1, got {}",
                            options.fraction),
                ErrorKind::usage);
}

}  // namespace

const char* name_of(BestBy by) {
    return by == BestBy::trajectories ? "trajectories" : "transitions";
}

BestBy parse_best_by(const std::string& name) {
    for (const BestBy by : {BestBy::trajectories, BestBy::transitions}) {
        if (name == name_of(by)) return by;
    }
    throw Error(
        fmt::format("[data] expected best_by trajectories or transitions, got \"{}\"", name),
        ErrorKind::usage);
}

BestReport keep_best_trajectories(Transitions& t, const BestOptions& options) {
    check(options);
    std::vector<Trajectory> ranked = cut(t, options);
    rank(ranked);
    const auto share =
        static_cast<std::size_t>(options.fraction * static_cast<double>(ranked.size()));
    const BestReport report = describe(ranked, std::max<std::size_t>(1, share), t.count);
    ranked.resize(static_cast<std::size_t>(report.kept_trajectories));
    Order order(ranked, t.count);
    order.apply(t.observations, t.observation_size);
    order.apply(t.actions, t.action_size);
    order.apply(t.rewards, 1);
    order.apply(t.next_observations, t.observation_size);
    order.apply(t.terminals, 1);
    t.count = report.kept_rows;
    return report;
}

BestReport keep_best_episodes(Dataset& d, const BestOptions& options) {
    check(options);
    std::vector<Trajectory> ranked;
    std::int64_t rows = 0;
    for (const Episode& e : cut_episodes(d, options.trajectory_steps)) {
        if (!e.complete) continue;
        ranked.push_back(
            {e.first, e.last_exclusive,
             discounted_return(d.rewards, e.first, e.last_exclusive, options.discount)});
        rows += e.length();
    }
    if (ranked.empty()) {
        throw Error(
            fmt::format("[data] expected a complete episode in '{}', got none; every row lies in "
                        "an episode that the end of the file cuts. Set best_by=trajectories",
                        d.path));
    }
    rank(ranked);
    const auto budget = static_cast<std::int64_t>(options.fraction * static_cast<double>(rows));
    std::size_t kept = 1;
    std::int64_t taken = ranked.front().length();
    while (kept < ranked.size() &&
           taken + ranked[kept].length() < std::max<std::int64_t>(1, budget)) {
        taken += ranked[kept++].length();
    }
    const BestReport report = describe(ranked, kept, d.rows);
    ranked.resize(kept);
    std::sort(ranked.begin(), ranked.end(),
              [](const Trajectory& a, const Trajectory& b) { return a.first < b.first; });
    Order order(ranked, d.rows);
    order.apply(d.observations, d.observation_size);
    order.apply(d.actions, d.action_size);
    order.apply(d.rewards, 1);
    order.apply(d.next_observations, d.observation_size);
    order.apply(d.terminals, 1);
    order.apply(d.timeouts, 1);
    d.rows = report.kept_rows;
    return report;
}

}  // namespace drydock::data

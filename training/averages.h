// Means of metrics between two rows of a table or two reports.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace drydock::training {

class Averages {
  public:
    explicit Averages(std::size_t columns) : sums_(columns, 0.0), counts_(columns, 0.0) {}

    void add(std::size_t column, double value) {
        sums_[column] += value;
        counts_[column] += 1;
    }
    bool empty() const {
        return std::all_of(counts_.begin(), counts_.end(), [](double n) { return n == 0; });
    }
    // NaN where nothing was added.
    double mean(std::size_t column) const { return sums_[column] / counts_[column]; }
    void clear() { *this = Averages(sums_.size()); }

    // For a checkpoint: what was added so far.
    const std::vector<double>& sums() const { return sums_; }
    const std::vector<double>& counts() const { return counts_; }
    // False, and nothing restored, when they are of other columns.
    bool restore(std::vector<double> sums, std::vector<double> counts) {
        if (sums.size() != sums_.size() || counts.size() != counts_.size()) return false;
        sums_ = std::move(sums);
        counts_ = std::move(counts);
        return true;
    }

  private:
    std::vector<double> sums_, counts_;
};

}  // namespace drydock::training

// The one exception type of drydock. For the rooms above kernels and policy, which return a status
// instead; scripts/check_arrows enforces that.
#pragma once

#include <stdexcept>
#include <string>

namespace drydock {

// Whose fault decides the exit status of the command line program: a wrong call ends with 2,
// everything else with 1. A file that could not be written is `disk`: there may be room later.
enum class ErrorKind { failure, usage, disk };

// The text says what was expected, what came and what to do, as in
// "[linear] expected x (N, 256), got (64, 255); pass observations of the size of the first layer".
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& text, ErrorKind kind = ErrorKind::failure)
        : std::runtime_error(text), kind_(kind) {}
    ErrorKind kind() const { return kind_; }

  private:
    ErrorKind kind_;
};

}  // namespace drydock

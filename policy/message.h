// Builds the text of a diagnosis in the caller's array, without the C library's printing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace drydock::policy {

// Always ends in a zero; what does not fit is cut off.
class Message {
  public:
    explicit Message(std::span<char> out) : out_(out) { out_[0] = '\0'; }

    Message& operator<<(std::string_view text);
    Message& operator<<(std::uint64_t number);

    // "(17, 256)", "()" for a scalar.
    Message& operator<<(std::span<const std::uint64_t> shape);

    void clear() {
        size_ = 0;
        out_[0] = '\0';
    }

    std::string_view text() const { return {out_.data(), size_}; }

  private:
    std::span<char> out_;
    std::size_t size_ = 0;
};

}  // namespace drydock::policy

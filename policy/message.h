// Builds the text of a diagnosis in the caller's array, without the C library's printing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace drydock::policy {

// Always ends in a zero; what does not fit is cut off.
class Message {
  public:
    explicit Message(std::span<char> out) : out_(out) { out_[0] = '\0'; }

    Message& operator<<(std::string_view text) {
        const std::size_t room = out_.size() - 1 - size_;
        const std::size_t n = text.size() < room ? text.size() : room;
        std::memcpy(out_.data() + size_, text.data(), n);
        size_ += n;
        out_[size_] = '\0';
        return *this;
    }

    Message& operator<<(std::uint64_t number) {
        char digits[20];
        std::size_t first = sizeof digits;
        do {
            digits[--first] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        return *this << std::string_view(digits + first, sizeof digits - first);
    }

    // "(17, 256)", "()" for a scalar.
    Message& operator<<(std::span<const std::uint64_t> shape) {
        *this << "(";
        for (std::size_t i = 0; i < shape.size(); ++i) {
            *this << (i == 0 ? "" : ", ") << shape[i];
        }
        return *this << ")";
    }

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

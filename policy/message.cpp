#include "policy/message.h"

#include <cstring>

namespace drydock::policy {

Message& Message::operator<<(std::string_view text) {
    const std::size_t room = out_.size() - 1 - size_;
    const std::size_t n = text.size() < room ? text.size() : room;
    std::memcpy(out_.data() + size_, text.data(), n);
    size_ += n;
    out_[size_] = '\0';
    return *this;
}

Message& Message::operator<<(std::uint64_t number) {
    char digits[20];
    std::size_t first = sizeof digits;
    do {
        digits[--first] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return *this << std::string_view(digits + first, sizeof digits - first);
}

Message& Message::operator<<(std::span<const std::uint64_t> shape) {
    *this << "(";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        *this << (i == 0 ? "" : ", ") << shape[i];
    }
    return *this << ")";
}

}  // namespace drydock::policy

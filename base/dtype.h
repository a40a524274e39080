// Element types of everything that drydock stores, computes on or writes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace drydock {

enum class DType : std::uint8_t { f32, f64, i64, u64, u8 };

// Size of one element in bytes.
constexpr std::size_t size_of(DType dtype) {
    return dtype == DType::f32 ? 4 : dtype == DType::u8 ? 1 : 8;
}

constexpr const char* name_of(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return "f32";
        case DType::f64:
            return "f64";
        case DType::i64:
            return "i64";
        case DType::u64:
            return "u64";
        case DType::u8:
            return "u8";
    }
    return "unknown";
}

}  // namespace drydock

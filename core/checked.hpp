// Overflow-safe integer arithmetic for sizes that come from files.
#pragma once

#include <cstdint>

namespace intact {

/// False when the result does not fit; *result is then unspecified.
inline bool checked_multiply(std::int64_t a, std::int64_t b, std::int64_t* result) {
  return !__builtin_mul_overflow(a, b, result);
}
inline bool checked_add(std::int64_t a, std::int64_t b, std::int64_t* result) {
  return !__builtin_add_overflow(a, b, result);
}

}  // namespace intact

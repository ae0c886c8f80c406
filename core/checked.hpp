// Overflow-safe integer arithmetic for sizes that come from files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>

namespace intact {

/// False when the result does not fit; *result is then unspecified.
inline bool checked_multiply(std::int64_t a, std::int64_t b, std::int64_t* result) {
  return !__builtin_mul_overflow(a, b, result);
}
inline bool checked_add(std::int64_t a, std::int64_t b, std::int64_t* result) {
  return !__builtin_add_overflow(a, b, result);
}

/// Counts that are only shown, none of them negative: the greatest number where they do not fit.
inline std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return checked_add(a, b, &result) ? result : std::numeric_limits<std::int64_t>::max();
}
inline std::int64_t saturating_product(std::initializer_list<std::int64_t> factors) {
  std::int64_t result = 1;
  for (const std::int64_t factor : factors) {
    if (factor == 0) return 0;
    if (!checked_multiply(result, factor, &result))
      result = std::numeric_limits<std::int64_t>::max();
  }
  return result;
}

}  // namespace intact

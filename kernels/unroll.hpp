// Loops that are unrolled by the front end. Accumulators in arrays become registers only if every
// index is a constant before the compiler replaces aggregates by scalars, which is earlier than it
// unrolls loops. Plain header with internal linkage only.
#pragma once

namespace intact::kernels {
namespace {

/// body.operator()<begin>(), ... up to end - 1.
template <int begin, int end, class Body>
[[gnu::always_inline]] inline void unroll(const Body& body) {
  if constexpr (begin < end) {
    body.template operator()<begin>();
    unroll<begin + 1, end>(body);
  }
}

}  // namespace
}  // namespace intact::kernels

// Instruction sets that kernels exist for. Plain header: included by files compiled per ISA.
#pragma once

#include <cstdint>

namespace intact {

/// Ordered by preference: a cap of `x` admits every kernel whose ISA is not greater than `x` and
/// which the CPU has. (avx512vnni does not imply avxvnni: the CPU decides.)
enum class Isa : std::uint8_t { scalar, avx2, avxvnni, avx512vnni, amx };

}  // namespace intact

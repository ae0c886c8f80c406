// The most that one core multiplies and adds per second with an instruction set's int8
// instructions, from registers: what kernels are measured against.
#pragma once

#include "intact/isa.hpp"

namespace intact {

/// Multiply-adds per second, the best of several short windows.
double peak_macs(Isa isa);

/// One window: runs `repeats` rounds and returns the multiply-adds done.
double multiply_avx2(long repeats);
double multiply_avx512_vnni(long repeats);

}  // namespace intact

// The most that one core multiplies and adds per second with an instruction set's int8
// instructions, from registers: what kernels are measured against. Plain header.
#pragma once

#include "intact/isa.hpp"

namespace intact::kernels {

/// Multiply-adds per second, the best of many short windows (a few milliseconds in all). 0 where
/// the CPU does not have the instruction set.
double peak_macs(Isa isa);

/// One window: runs `repeats` rounds and returns the multiply-adds done.
double multiply_avx2(long repeats);
double multiply_avxvnni(long repeats);
double multiply_avx512_vnni(long repeats);
double multiply_amx(long repeats);

}  // namespace intact::kernels

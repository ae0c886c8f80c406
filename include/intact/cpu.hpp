// What the machine and the operating system allow this process: instruction sets and CPUs.
#pragma once

#include <string>
#include <string_view>

#include "intact/isa.hpp"

namespace intact {

/// True when CPU and operating system (XCR0) both support the instruction set.
bool cpu_supports(Isa isa);
/// The greatest supported instruction set that kernels exist for.
Isa best_isa();
/// What the operating system keeps this process from although the CPU has it, in words; empty when
/// that is nothing.
std::string withheld_isa();
std::string_view isa_name(Isa isa);
/// Throws Error for an unknown name, naming the known ones, and for an instruction set that this
/// machine lacks.
Isa parse_isa(std::string_view name);
/// "AMD EPYC ..." from CPUID.
std::string cpu_name();
/// Multiply-adds of bytes per second that one core reaches at best with an instruction set, from
/// registers: measured now, in a few milliseconds. 0 where cpu_supports is false.
double peak_macs(Isa isa);
/// CPUs that this process may use: affinity mask and container quota (cgroup v1, v2), at least 1.
int usable_cpus();

}  // namespace intact

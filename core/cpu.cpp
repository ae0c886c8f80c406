// CPUID, XCR0, affinity and cgroup quotas.
#include "intact/cpu.hpp"

#include <cpuid.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "core/isa_support.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

constexpr std::array<std::string_view, 5> names = {"scalar", "avx2", "avxvnni", "avx512vnni",
                                                   "amx"};

std::uint64_t enabled_state() {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return 0;
  std::uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

struct Features {
  bool avx2 = false, avxvnni = false, avx512vnni = false, amx = false;
  bool amx_refused = false;  ///< by the operating system: the CPU has it
};

Features detect() {
  Features result;
  const std::uint64_t state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xe6) == 0xe6;
  const bool tiles = (state & 0x60000) == 0x60000;
  unsigned eax, ebx, ecx, edx;
  unsigned eax1 = 0, ebx1 = 0, ecx1 = 0, edx1 = 0;
  __get_cpuid(1, &eax1, &ebx1, &ecx1, &edx1);
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return result;
  unsigned sub_eax = 0, sub_ebx, sub_ecx, sub_edx;
  if (eax >= 1) __get_cpuid_count(7, 1, &sub_eax, &sub_ebx, &sub_ecx, &sub_edx);
  result.avx2 = ymm && (ebx & bit_AVX2) && (ecx1 & bit_FMA) && (ecx1 & bit_F16C);
  result.avxvnni = result.avx2 && (sub_eax & (1u << 4));
  result.avx512vnni = result.avx2 && zmm && (ebx & bit_AVX512F) && (ebx & bit_AVX512BW) &&
                      (ebx & bit_AVX512VL) && (ebx & bit_AVX512DQ) && (ecx & bit_AVX512VNNI) &&
                      (ecx & bit_AVX512VBMI);
  // Linux hands tiles out on request only: ARCH_REQ_XCOMP_PERM for XFEATURE_XTILEDATA.
  const bool has_amx = (edx & (1u << 24)) && (edx & (1u << 25));
  if (result.avx512vnni && tiles && has_amx) result.amx = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  result.amx_refused = has_amx && !result.amx;
  return result;
}

const Features& features() {
  static const Features detected = detect();
  return detected;
}

/// CPUs granted by the cgroup's quota, or 0 when there is none.
double quota_cpus() {
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file) {
    std::string quota;
    double period = 0;
    if (file >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
    return 0;
  }
  double quota = -1, period = 0;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : 0;
}

}  // namespace

bool cpu_supports(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::avx2:
      return features().avx2;
    case Isa::avxvnni:
      return features().avxvnni;
    case Isa::avx512vnni:
      return features().avx512vnni;
    case Isa::amx:
      return features().amx;
  }
  return false;
}

Isa best_isa() {
  for (const Isa isa : {Isa::amx, Isa::avx512vnni, Isa::avxvnni, Isa::avx2})
    if (cpu_supports(isa)) return isa;
  return Isa::scalar;
}

std::string_view isa_name(Isa isa) {
  return names[static_cast<std::size_t>(isa)];
}

Isa parse_isa(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw Error(fmt::format(
        "unknown instruction set '{}'; known are scalar, avx2, avxvnni, avx512vnni, amx", name));
  const Isa isa = static_cast<Isa>(found - names.begin());
  const IsaSupport support{cpu_supports(isa) || (isa == Isa::amx && features().amx_refused),
                           cpu_supports(isa)};
  if (const std::string why = why_unavailable(isa, support, best_isa()); !why.empty())
    throw Error(why);
  return isa;
}

std::string why_unavailable(Isa isa, IsaSupport support, Isa best) {
  if (!support.cpu)
    return fmt::format("this machine does not have {}; the best it has is {}", isa_name(isa),
                       isa_name(best));
  if (support.system) return "";
  return fmt::format(
      "the CPU has {0}, but the operating system does not hand it out, so that {1} is the best; "
      "Linux hands out tile registers from 5.16 on, unless a virtual machine or a sandbox forbids "
      "it",
      isa_name(isa), isa_name(best));
}

std::string withheld_isa() {
  return features().amx_refused ? why_unavailable(Isa::amx, {true, false}, best_isa()) : "";
}

std::string cpu_name() {
  std::array<unsigned, 13> words{};
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                &words[4 * i + 3]);
  return std::string(reinterpret_cast<const char*>(words.data()));
}

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  if (const double quota = quota_cpus(); quota > 0)
    count = std::min(count, std::max(1, static_cast<int>(quota + 0.5)));
  return std::max(1, count);
}

}  // namespace intact

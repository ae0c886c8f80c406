#include "kernels/peak/peak.hpp"

#include "intact/cpu.hpp"

namespace intact {

double peak_macs(Isa isa) {
  return kernels::peak_macs(isa);
}

}  // namespace intact

// Why an instruction set cannot be used, in words.
#pragma once

#include <string>

#include "intact/isa.hpp"

namespace intact {

/// Who has a say in whether an instruction set can be used.
struct IsaSupport {
  bool cpu = false;     ///< has it
  bool system = false;  ///< lets this process use it
};

/// Empty where both have it. `best`: what can be used instead.
std::string why_unavailable(Isa isa, IsaSupport support, Isa best);

}  // namespace intact

// What each instruction set implements of exact sums. Plain header.
#pragma once

#include "kernels/reduce/exact_sum.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void exact_sum(const ExactSumArgs& args);
}
namespace avx2 {
void exact_sum(const ExactSumArgs& args);
}
/// The scalar definition.
namespace reference {
void exact_sum(const ExactSumArgs& args);
}

}  // namespace intact::kernels

// What each instruction set implements of this family. Plain header.
#pragma once

#include "kernels/float_product/float_product.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void float_product(const FloatProductArgs& args);
}
namespace avx2 {
void float_product(const FloatProductArgs& args);
}
/// The definition, one output after the other.
namespace reference {
void float_product(const FloatProductArgs& args);
}

}  // namespace intact::kernels

// Comparisons, choices and conversions for AVX-512.
#include "kernels/logic/implementations.hpp"

namespace intact::kernels {
namespace isa = avx512_vnni;
}

// In the namespace above.
#include "kernels/logic/vector_kernels.hpp"

// Comparisons, choices and conversions for AVX2.
#include "kernels/logic/implementations.hpp"

namespace intact::kernels {
namespace isa = avx2;
}

// In the namespace above.
#include "kernels/logic/vector_kernels.hpp"

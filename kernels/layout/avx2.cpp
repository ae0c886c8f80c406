// Strided copies and splitting of words for AVX2: the common text over 32 bytes.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/layout/implementations.hpp"

namespace intact::kernels {
namespace isa = avx2;
}

// Over the lanes and the namespace above.
#include "kernels/layout/vector_kernels.hpp"

// Strided copies and splitting of words for AVX-512: the common text over 64 bytes.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/layout/implementations.hpp"

namespace intact::kernels {
namespace isa = avx512_vnni;
}

// Over the lanes and the namespace above.
#include "kernels/layout/vector_kernels.hpp"

// Quantize and dequantize for AVX-512: the common text over 16 floats.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/quantize/implementations.hpp"

namespace intact::kernels {
namespace isa = avx512_vnni;
}

// Over the lanes and the namespace above.
#include "kernels/quantize/vector_kernels.hpp"

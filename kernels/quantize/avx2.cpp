// Quantize and dequantize for AVX2: the common text over 8 floats.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/quantize/implementations.hpp"

namespace intact::kernels {
namespace isa = avx2;
}

// Over the lanes and the namespace above.
#include "kernels/quantize/vector_kernels.hpp"

// Float products for avx512_vnni.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/float_product/implementations.hpp"
// Over the lanes included above.
#include "kernels/float_product/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void float_product(const FloatProductArgs& args) {
  all_panels(args);
}

}  // namespace intact::kernels::avx512_vnni

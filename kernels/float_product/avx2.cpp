// Float products for avx2.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/float_product/implementations.hpp"
// Over the lanes included above.
#include "kernels/float_product/vector_kernels.hpp"

namespace intact::kernels::avx2 {

void float_product(const FloatProductArgs& args) {
  all_panels(args);
}

}  // namespace intact::kernels::avx2

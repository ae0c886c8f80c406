// The scalar definition of float products.
#include <cmath>

#include "kernels/float_product/implementations.hpp"

namespace intact::kernels::reference {

void float_product(const FloatProductArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row)
    for (std::int64_t column = 0; column < args.columns; ++column) {
      const std::int64_t begin = column / product_panel * product_panel;
      const std::int64_t width = panel_width(args.columns, begin);
      const float* const b = args.panels + begin * args.depth + column % product_panel;
      const float* const a = args.a + row * args.a_row;
      float sum = 0;
      for (std::int64_t k = 0; k < args.depth; ++k)
        sum = std::fmaf(a[k * args.a_step], b[k * width], sum);
      args.dst[row * args.dst_pitch + column] = sum;
    }
}

}  // namespace intact::kernels::reference

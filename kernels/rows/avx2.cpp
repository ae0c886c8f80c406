// Row kernels for avx2.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/rows/implementations.hpp"
// Over the lanes included above.
#include "kernels/rows/vector_kernels.hpp"

namespace intact::kernels::avx2 {

void rows(const RowArgs& args) {
  all_rows(args);
}

}  // namespace intact::kernels::avx2

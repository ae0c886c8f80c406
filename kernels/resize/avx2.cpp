// Resize kernels for avx2.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/resize/implementations.hpp"
// Over the lanes included above.
#include "kernels/resize/vector_kernels.hpp"

namespace intact::kernels::avx2 {

void resize_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end) {
  all_rows(args, begin, end);
}

}  // namespace intact::kernels::avx2

// Resize kernels for avx512_vnni.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/resize/implementations.hpp"
// Over the lanes included above.
#include "kernels/resize/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void resize_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end) {
  all_rows(args, begin, end);
}

}  // namespace intact::kernels::avx512_vnni

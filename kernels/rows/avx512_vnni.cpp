// Row kernels for avx512_vnni.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/rows/implementations.hpp"
// Over the lanes included above.
#include "kernels/rows/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void rows(const RowArgs& args) {
  all_rows(args);
}

}  // namespace intact::kernels::avx512_vnni

// Reductions of floats for avx2.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/reduce/implementations.hpp"
// Over the lanes included above.
#include "kernels/reduce/vector_kernels.hpp"

namespace intact::kernels::avx2 {

void reduce(const ReduceArgs& args, const ReduceShare& share) {
  reduce_all(args, share);
}

}  // namespace intact::kernels::avx2

// Reductions of floats for avx512_vnni.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/reduce/implementations.hpp"
// Over the lanes included above.
#include "kernels/reduce/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void reduce(const ReduceArgs& args, const ReduceShare& share) {
  reduce_all(args, share);
}

}  // namespace intact::kernels::avx512_vnni

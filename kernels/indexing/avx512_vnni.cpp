// Gathering and positions of extremes for avx512_vnni.
#include "kernels/indexing/implementations.hpp"
#include "kernels/indexing/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void gather(const GatherArgs& args, const IndexShare& share) {
  gather_share(args, share);
}
void arg_extreme(const ArgExtremeArgs& args, const IndexShare& share) {
  arg_extreme_share(args, share);
}

}  // namespace intact::kernels::avx512_vnni

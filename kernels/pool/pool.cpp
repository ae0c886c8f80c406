// The one list of pooling kernels per kind, fastest first.
#include "kernels/pool/pool.hpp"

namespace intact::kernels {

extern const PoolKernel max_pool_avx512_vnni, max_pool_avx2, max_pool_reference;
extern const PoolKernel average_pool_avx512_vnni, average_pool_avx2, average_pool_reference;

std::span<const PoolKernel> max_pool_kernels() {
  static const PoolKernel kernels[] = {max_pool_avx512_vnni, max_pool_avx2, max_pool_reference};
  return kernels;
}

std::span<const PoolKernel> average_pool_kernels() {
  static const PoolKernel kernels[] = {average_pool_avx512_vnni, average_pool_avx2,
                                       average_pool_reference};
  return kernels;
}

}  // namespace intact::kernels

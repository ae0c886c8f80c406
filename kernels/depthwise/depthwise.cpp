// The one list of depthwise kernels, fastest first.
#include "kernels/depthwise/depthwise.hpp"

namespace intact::kernels {

extern const ConvKernel depthwise_avx512_vnni_3x3, depthwise_avx512_vnni_strip,
    depthwise_avx512_vnni, depthwise_avx2, depthwise_reference;

std::span<const ConvKernel> depthwise_kernels() {
  static const ConvKernel kernels[] = {depthwise_avx512_vnni_3x3, depthwise_avx512_vnni_strip,
                                       depthwise_avx512_vnni, depthwise_avx2, depthwise_reference};
  return kernels;
}

}  // namespace intact::kernels

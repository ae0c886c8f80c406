// The one list of depthwise kernels, fastest first.
#include "kernels/depthwise/depthwise.hpp"

#include "kernels/conv/by_lines.hpp"

namespace intact::kernels {

extern const ConvKernel depthwise_avx512_vnni_3x3, depthwise_avx512_vnni_strip,
    depthwise_avx512_vnni, depthwise_avx2_rows, depthwise_avx2, depthwise_reference;

namespace {

/// The kernels write all forms of output but tiles; these come from lines of floats.
template <const ConvKernel& kernel>
ConvKernel with_tiles() {
  ConvKernel extended = kernel;
  extended.scratch_bytes = [](const ConvShape& shape) {
    const LineProduct product{&kernel, &shape, nullptr};
    return by_lines_bytes({&product, 1});
  };
  extended.run = [](const ConvShape& shape, const ConvArgs& args, Part part) {
    const LineProduct product{&kernel, &shape, &args};
    args.epilogue.tiles != nullptr ? run_by_lines({&product, 1}, part)
                                   : kernel.run(shape, args, part);
  };
  return extended;
}

}  // namespace

std::span<const ConvKernel> depthwise_kernels() {
  static const ConvKernel kernels[] = {with_tiles<depthwise_avx512_vnni_3x3>(),
                                       with_tiles<depthwise_avx512_vnni_strip>(),
                                       with_tiles<depthwise_avx512_vnni>(),
                                       with_tiles<depthwise_avx2_rows>(),
                                       with_tiles<depthwise_avx2>(),
                                       with_tiles<depthwise_reference>()};
  return kernels;
}

}  // namespace intact::kernels

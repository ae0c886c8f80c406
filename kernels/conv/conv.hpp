// Integer convolution and matrix product: u8 activations, s8 weights, int32 accumulators,
// epilogue fused. Contract of this family and of kernels/depthwise. Plain header.
//
// Activations are channels-last: pixel p (row-major over batch, depth, height, width), channel c at
// src[p * src_pitch + c]. Readable for 64 bytes beyond the last byte of the last pixel. Any values
// there and between channels and pitch are allowed. Destination likewise (pitch in elements of the
// output type); a kernel writes nothing but [pixel][0, out_channels).
// A matrix product of M rows is a 1x1x1 convolution over M pixels of one image.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"
#include "kernels/epilogue.hpp"

namespace intact::kernels {

/// Spatial values are {depth, height, width}; 1-D and 2-D convolutions have leading extents of 1.
struct ConvShape {
  std::int64_t batch = 1;
  std::array<std::int64_t, 3> in = {1, 1, 1}, out = {1, 1, 1};
  std::array<std::int64_t, 3> kernel = {1, 1, 1}, stride = {1, 1, 1}, dilation = {1, 1, 1};
  std::array<std::int64_t, 3> pad_begin = {0, 0,
                                           0};  ///< what lies beyond `in` on either side is padding
  std::int64_t in_channels = 0, out_channels = 0, groups = 1;

  std::int64_t in_pixels() const { return batch * in[0] * in[1] * in[2]; }
  std::int64_t out_pixels() const { return batch * out[0] * out[1] * out[2]; }
  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t group_in_channels() const { return in_channels / groups; }
  /// Each output pixel reads exactly the input pixel of the same index.
  bool is_matrix_product() const {
    return taps() == 1 && in == out && stride == std::array<std::int64_t, 3>{1, 1, 1} &&
           pad_begin == std::array<std::int64_t, 3>{0, 0, 0};
  }
};

/// A matrix of activations as the second operand of a matrix product: the weight of input k and
/// output channel c is data[k * k_stride + c * column_stride] - 128. One of the strides is 1.
struct ConvMatrix {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t k_stride = 1, column_stride = 1;
};

/// Everything per channel, as it comes from the model.
struct ConvWeights {
  const std::int8_t* data = nullptr;   ///< [out_channels][taps (d,h,w)][in_channels / groups]
  const ConvMatrix* matrix = nullptr;  ///< in place of data, for matrix products without groups
  const std::int32_t* bias = nullptr;  ///< [out_channels] or null: in units of the accumulator
  const float* multiplier = nullptr;   ///< [out_channels]
  const float* float_bias = nullptr;   ///< [out_channels] or null: in units of t (Epilogue)
  const std::int32_t* zero_point = nullptr;  ///< [out_channels] or null: of the weights
  std::int32_t src_zero_point = 0;           ///< of the activations; also the value of padding
};

/// acc[p][c] = bias[c] + sum over taps and inputs of (a - src_zero_point) * (w - zero_point[c]).
struct ConvArgs {
  const std::uint8_t* src = nullptr;
  std::ptrdiff_t src_pitch = 0;
  const void* weights = nullptr;  ///< as `pack` of the same kernel wrote them
  /// A zero point of the activations that is known at run time only, in [0, 255]; null: as packed.
  const std::int32_t* src_zero_point = nullptr;
  /// A factor of all multipliers that is known at run time only, likewise; null: 1.
  const float* src_scale = nullptr;
  void* dst = nullptr;  ///< std::uint8_t or float, by epilogue.output
  std::ptrdiff_t dst_pitch = 0;
  void* scratch = nullptr;  ///< scratch_bytes(shape) bytes of this thread, 64-byte aligned
  Epilogue epilogue;
};

/// One implementation. Lists are ordered from the fastest to the scalar reference, which comes last
/// and supports everything; the plan takes the first whose ISA is allowed and that does not refuse.
struct ConvKernel {
  const char* name;  ///< "conv_avx512vnni_6x64"
  Isa isa;
  /// Null when supported, else the reason in a few words ("in_channels below 16"). Of
  /// conv_kernels(): without looking at ConvWeights::data, which may be null.
  const char* (*refuses)(const ConvShape&, const ConvWeights&);
  std::size_t (*packed_bytes)(const ConvShape&);
  /// `packed` is 64-byte aligned. Pads with zeros; folds -src_zero_point * sum(w) into the bias.
  /// Depends on channels, groups, kernel, stride and dilation of the shape only, so that plans for
  /// all sizes share it.
  void (*pack)(const ConvShape&, const ConvWeights&, void* packed);
  std::size_t (*scratch_bytes)(const ConvShape&);
  /// Computes this thread's share. The shares of all parts together write every output once.
  void (*run)(const ConvShape&, const ConvArgs&, Part part);
  bool packs_spare_room = false;  ///< much of packed_bytes is for the worst case and not written
  std::int64_t row_grain = 6;  ///< who runs a few pixels at a time does best with multiples of it
};

std::span<const ConvKernel> conv_kernels();

/// The kernels of the list that multiply blocks, without preferring one shape of blocks to another:
/// for tests, and to compare the cost model with the clock.
std::span<const ConvKernel> conv_block_kernels();

}  // namespace intact::kernels

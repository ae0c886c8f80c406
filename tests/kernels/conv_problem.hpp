// A convolution with everything it reads and writes, made from a seed, so that a test can run any
// kernel on it and compare all bytes of the destination with those of the reference, the guard
// bytes between and around included. Serves the convolution and depthwise tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "kernels/conv/conv.hpp"

namespace intact::kernels {

/// Uninitialized memory aligned to 64 bytes, filled with a pattern so that nothing relies on zeros.
struct AlignedBytes {
  explicit AlignedBytes(std::size_t size)
      : data(static_cast<std::byte*>(::operator new (size + 1, std::align_val_t{64}))) {
    std::memset(data, 0x5a, size);
  }
  ~AlignedBytes() { ::operator delete (data, std::align_val_t{64}); }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  std::byte* data;
};

/// What fills weights and activations.
enum class Fill { random, extreme, alternating, same_sign, small };
enum class Fused {
  bytes,
  clamp,
  table,
  rounded,
  rounded_table,
  in_place,
  rounded_late,
  floats,
  tiles,
  floats_apart,
  range,
  quotient
};

struct ConvOptions {
  Fill fill = Fill::random;
  Fused fused = Fused::bytes;
  bool bias = true, float_bias = false, weight_zero_points = false;
  std::int64_t src_gap = 0, dst_gap = 0;  ///< pitch - channels
  std::int32_t src_zero_point = 114;
  /// Packed for this zero point instead; src_zero_point is given to the run.
  std::optional<std::int32_t> packed_zero_point;
  float src_scale = 1;  ///< given to the run unless it is 1
};

class ConvProblem {
 public:
  ConvProblem(const ConvShape& shape, const ConvOptions& options, unsigned seed);

  /// Packs and runs all of `parts`; the destination's memory afterwards, guards included, and
  /// behind it the range of the results where the epilogue finds it.
  std::vector<std::uint8_t> run(const ConvKernel& kernel, int parts) const;
  /// The kernel's reason to refuse, or null.
  const char* refusal(const ConvKernel& kernel) const { return kernel.refuses(shape_, weights()); }
  std::string describe() const;

 private:
  ConvWeights weights() const;
  void fill_inputs(unsigned seed);

  ConvShape shape_;
  ConvOptions options_;
  std::vector<std::uint8_t> src_, residual_, table_;
  std::vector<std::int8_t> weights_;
  std::vector<std::int32_t> bias_, zero_points_;
  std::vector<float> multiplier_, float_bias_;
};

/// Extents of the output for symmetric padding `pad`; sets pad_begin too.
void set_output(ConvShape& shape, std::array<std::int64_t, 3> pad);

/// Every kernel of the list that this machine runs, on 1 to 3 parts, must give the reference's
/// bytes; a refusal is skipped. Reports the first difference and returns false.
bool matches_reference(std::span<const ConvKernel> kernels, const ConvProblem& problem);

}  // namespace intact::kernels

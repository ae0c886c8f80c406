// What the steps that round to bytes share.
#pragma once

#include "engine/steps/steps.hpp"
#include "kernels/quantize/quantize.hpp"

namespace intact {

/// Where a quantize kernel reads and writes; the grid is not set.
kernels::QuantizeArgs quantize_args(const StoredTensor& from, const StoredTensor& to);

/// A grid found at run time by a step that prepares: every part leaves the range of its share in
/// its scratch memory, then each joins all of them.
class RunTimeGrid {
 public:
  static constexpr std::size_t scratch_bytes = 64;

  /// `name`: for errors. `scale` (f32) and `zero_point` (u8): where the grid is written, or
  /// no_tensor.
  RunTimeGrid(std::string name, TensorId scale, TensorId zero_point)
      : name_(std::move(name)), scale_(scale), zero_point_(zero_point) {}

  /// At the beginning of the part's scratch memory.
  static kernels::ValueRange& range_of(const Frame& frame, Part part) {
    return *reinterpret_cast<kernels::ValueRange*>(frame.scratch_of(part));
  }
  /// Throws where the values are not finite. Part 0 writes scale and zero point.
  kernels::ByteGrid find(const Frame& frame, Part part) const;

 private:
  std::string name_;
  TensorId scale_, zero_point_;
};

}  // namespace intact

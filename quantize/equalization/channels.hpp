// What calibration says of the channels of one tensor, and the weights that meet each of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "intact/tensor.hpp"
#include "quantize/weights/layout.hpp"

namespace intact {

struct ChannelStatistics {
  double low = 0, high = 0, power = 0;  ///< power: sum of squares

  double largest() const { return std::max(-low, high); }
};

/// Of one tensor, over all samples.
struct TensorChannels {
  std::vector<ChannelStatistics> channels;
  double count = 0;  ///< values of each channel

  /// Takes in a float tensor with channels along `axis`, counted from 0.
  void observe(const Tensor& tensor, int axis);
};

/// Index of the input channel, of `channels`, that row `row` of the weights of `group` multiplies.
inline std::size_t input_channel(const WeightLayout& layout, std::size_t channels,
                                 std::size_t group, std::size_t row) {
  const std::size_t inputs = channels / layout.groups;
  return group * inputs + row / (layout.depth / inputs);
}

}  // namespace intact

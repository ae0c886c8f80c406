// Sums and extremes.
#include "quantize/equalization/channels.hpp"

namespace intact {

void TensorChannels::observe(const Tensor& tensor, int axis) {
  const auto values = tensor.data<float>();
  std::size_t size = 1;  // of a channel's neighbouring values
  for (auto i = static_cast<std::size_t>(axis) + 1; i < tensor.shape().size(); ++i)
    size *= static_cast<std::size_t>(tensor.shape()[i]);
  for (std::size_t i = 0; i < values.size(); i += size) {
    ChannelStatistics& channel = channels[i / size % channels.size()];
    for (const float number : values.subspan(i, size)) {
      const auto value = static_cast<double>(number);
      channel.low = std::min(channel.low, value);
      channel.high = std::max(channel.high, value);
      channel.power += value * value;
    }
  }
  count += static_cast<double>(values.size() / channels.size());
}

}  // namespace intact

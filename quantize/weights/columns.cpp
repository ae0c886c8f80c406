// Windows, pixels and rows at positions of a sequence of low discrepancy.
#include "quantize/weights/columns.hpp"

#include <algorithm>

#include "graph/ops/spatial.hpp"
#include "quantize/weights/layout.hpp"

namespace intact {
namespace {

/// Multiples of the golden ratio, cut to a fraction of [0, total): evenly spread for any number.
std::size_t position(std::uint64_t number, std::size_t total) {
  const std::uint64_t fraction = (number * 0x9E3779B97F4A7C15ULL) >> 32;
  return static_cast<std::size_t>((fraction * static_cast<std::uint64_t>(total)) >> 32);
}

class Windows {
 public:
  Windows(const Node& node, const Shape& weights, const Tensor& input)
      : space_(space_of(conv_geometry(node, input.shape(), weights))),
        image_(input.data<float>()),
        channels_(input.shape()[1]) {}

  std::size_t positions(std::int64_t batch) const {
    return static_cast<std::size_t>(batch * volume(space_.out));
  }

  void append(std::size_t position, std::vector<float>& columns) const {
    const std::int64_t size = volume(space_.in);
    const auto index = static_cast<std::int64_t>(position);
    const std::int64_t batch = index / volume(space_.out), pixel = index % volume(space_.out);
    const Space::Extents out = {pixel / (space_.out[1] * space_.out[2]),
                                pixel / space_.out[2] % space_.out[1], pixel % space_.out[2]};
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      const float* plane = image_.data() + (batch * channels_ + channel) * size;
      for (std::int64_t d = 0; d < space_.kernel[0]; ++d)
        for (std::int64_t h = 0; h < space_.kernel[1]; ++h)
          for (std::int64_t w = 0; w < space_.kernel[2]; ++w)
            columns.push_back(at(plane, out, {d, h, w}));
    }
  }

 private:
  float at(const float* plane, const Space::Extents& out, const Space::Extents& tap) const {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const std::int64_t i = out[axis] * space_.stride[axis] + tap[axis] * space_.dilation[axis] -
                             space_.pad_begin[axis];
      if (i < 0 || i >= space_.in[axis]) return 0;
      offset = offset * space_.in[axis] + i;
    }
    return plane[offset];
  }

  Space space_;
  std::span<const float> image_;
  std::int64_t channels_;
};

}  // namespace

void sample_columns(const Node& node, const Shape& weights, const Tensor& input, std::size_t count,
                    std::uint64_t first, std::vector<float>& columns) {
  const auto each = [&](std::size_t total, auto&& append) {
    const std::size_t taken = std::min(count, total);
    for (std::size_t i = 0; i < taken; ++i) append(taken == total ? i : position(first + i, total));
  };
  const auto values = input.data<float>();
  if (values.empty()) return;
  if (node.is("Conv")) {
    const Windows windows(node, weights, input);
    each(windows.positions(input.shape()[0]), [&](std::size_t at) { windows.append(at, columns); });
    return;
  }
  const std::size_t depth = weight_layout(node, weights).depth;
  if (node.is("ConvTranspose")) {
    std::size_t size = 1;
    for (int axis = 2; axis < input.rank(); ++axis)
      size *= static_cast<std::size_t>(input.shape()[static_cast<std::size_t>(axis)]);
    each(values.size() / depth, [&](std::size_t at) {
      const float* pixel = values.data() + at / size * depth * size + at % size;
      for (std::size_t channel = 0; channel < depth; ++channel)
        columns.push_back(pixel[channel * size]);
    });
    return;
  }
  each(values.size() / depth, [&](std::size_t at) {
    const auto row = values.subspan(at * depth, depth);
    columns.insert(columns.end(), row.begin(), row.end());
  });
}

}  // namespace intact

// Copies input lines for shapes whose windows are read from copies.
#include "kernels/conv/lines.hpp"

#include <algorithm>
#include <cstring>

namespace intact::kernels {
namespace {

/// 16 bytes at a time, while what lies beyond a pixel is overwritten by later ones.
void copy_pixels(const std::uint8_t* from, std::ptrdiff_t step, std::int64_t pixels,
                 std::int64_t channels, std::uint8_t* to) {
  const std::int64_t whole = (channels + 15) / 16 * 16;
  std::uint8_t* const end = to + pixels * channels;
  for (; end - to >= whole && to < end; from += step, to += channels)
    for (std::int64_t c = 0; c < channels; c += 16) std::memcpy(to + c, from + c, 16);
  for (; to < end; from += step, to += channels)
    std::memcpy(to, from, static_cast<std::size_t>(channels));
}

}  // namespace

void copy_line(const ConvShape& shape, const LineCopy& copy, std::int64_t image, std::int64_t z,
               std::int64_t y, std::uint8_t* to) {
  const std::int64_t total = copy.pixels, channels = copy.channels, step = copy.step;
  const bool inside = z >= 0 && z < shape.in[0] && y >= 0 && y < shape.in[1];
  const std::int64_t width = inside ? shape.in[2] : 0;
  const std::int64_t before =
      std::clamp<std::int64_t>(copy.first < 0 ? (step - 1 - copy.first) / step : 0, 0, total);
  const std::int64_t end = std::clamp<std::int64_t>(
      width > copy.first ? (width - copy.first + step - 1) / step : 0, before, total);
  std::fill_n(to, before * channels, copy.padding);
  if (end > before) {
    const std::int64_t column = copy.first + before * step;
    const std::uint8_t* const from =
        copy.src +
        (((image * shape.in[0] + z) * shape.in[1] + y) * shape.in[2] + column) * copy.src_pitch +
        copy.channel;
    std::uint8_t* const first = to + before * channels;
    if (step == 1 && copy.src_pitch == channels)
      std::memcpy(first, from, static_cast<std::size_t>((end - before) * channels));
    else
      copy_pixels(from, step * copy.src_pitch, end - before, channels, first);
  }
  std::fill_n(to + end * channels, (total - end) * channels, copy.padding);
}

}  // namespace intact::kernels

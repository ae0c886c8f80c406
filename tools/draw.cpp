// Terminal drawing; see draw.hpp.
#include "tools/draw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace intact::tools {
namespace {

float grey(const GreyImage& image, int y, int x) {
  if (y >= image.height) return 0;
  const float value =
      image.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) +
                   static_cast<std::size_t>(x)];
  return std::clamp(value, 0.0F, 1.0F);
}

/// Palette entries 232 to 255 are greys.
int palette(float value) {
  return 232 + static_cast<int>(std::lround(value * 23));
}

std::string draw_line(const GreyImage& image, int y, bool colour) {
  constexpr std::string_view ink = " .:-=+*#%@";
  std::string line;
  for (int x = 0; x < image.width; ++x) {
    const float upper = grey(image, y, x), lower = grey(image, y + 1, x);
    if (colour) {
      line += fmt::format("\033[38;5;{}m\033[48;5;{}m\u2580", palette(upper), palette(lower));
    } else {
      line += ink[static_cast<std::size_t>(std::lround((upper + lower) / 2 * 9))];
    }
  }
  if (colour) line += "\033[0m";
  return line;
}

}  // namespace

std::string draw_images(const std::vector<GreyImage>& images, bool colour) {
  int height = 0;
  for (const GreyImage& image : images) height = std::max(height, image.height);
  std::string out;
  for (int y = 0; y < height; y += 2) {
    for (const GreyImage& image : images) out += draw_line(image, y, colour) + "  ";
    out += "\n";
  }
  for (const GreyImage& image : images)
    out += fmt::format("{:<{}}", image.caption, image.width + 2);
  return out + "\n";
}

}  // namespace intact::tools

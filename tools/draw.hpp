// Small grey images as terminal text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace intact::tools {

/// Grey values in 0..1, rows from the top.
struct GreyImage {
  int height = 0, width = 0;
  std::vector<float> values;
  std::string caption;
};

/// The images side by side with their captions below. With `colour`, half blocks in 24 greys of the
/// 256-colour palette (two pixel rows per line); otherwise characters of growing ink.
std::string draw_images(const std::vector<GreyImage>& images, bool colour);

}  // namespace intact::tools

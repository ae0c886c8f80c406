// Image files to pixels, and pixels to model inputs.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "intact/session.hpp"
#include "intact/tensor.hpp"

namespace intact::tools {

/// 8-bit pixels, rows from the top, channels interleaved (1: grey, 3: RGB).
struct Image {
  int height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// JPEG, PNG, BMP, GIF, TGA, PNM through stb, converted to `channels`. Throws Error naming the file
/// when it is missing, broken or larger than 2^28 pixels.
Image read_image(const std::filesystem::path& path, int channels);

/// Bilinear, antialiased when shrinking (the triangle filter grows with the step): the resampling
/// of Pillow, hence of most training pipelines.
Image resize(const Image& image, int height, int width);
/// Resizes so that the shorter side has `side` pixels.
Image resize_shorter_side(const Image& image, int side);
/// Throws Error when the image is smaller.
Image crop_centre(const Image& image, int height, int width);

enum class ChannelLayout { nchw, nhwc };

/// From pixel p in 0..255 to a model input: (p / divisor * scale - mean) / std per channel.
struct Preprocess {
  std::string name = "none";
  /// Shorter side, or {height, width}; without either the image is scaled to cover the model's
  /// size.
  std::vector<int> resize;
  /// Centre crop {height, width}; by default the model's size.
  std::vector<int> crop;
  float divisor = 1;
  std::array<float, 3> scale{1, 1, 1}, mean{0, 0, 0}, std{1, 1, 1};
  bool bgr = false;
  std::optional<ChannelLayout> layout;  ///< by default from the model's shape
  bool raw() const;                     ///< true when pixel values stay what they are
};

/// "none", "unit", "imagenet" or the path of a JSON file (docs: --preprocess). Throws Error naming
/// an unknown word or key.
Preprocess parse_preprocess(const std::string& text);

/// The image as input `info` wants it: f32 or u8, rank 4 with 1 or 3 channels (rank 3 without
/// batch). A fixed first extent is filled with copies of the image. Throws Error when the input is
/// no image.
Tensor image_to_tensor(const Image& image, const TensorInfo& info, const Preprocess& preprocess);
/// Channels (1 or 3) that the input takes; throws Error when it is not an image input.
int image_channels(const TensorInfo& info, const Preprocess& preprocess);

/// A file itself, or the image files of a folder sorted by name. Throws Error when there are none.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& path);
bool is_image_file(const std::filesystem::path& path);

}  // namespace intact::tools

// Decoding through stb, resampling, cropping; see images.hpp.
#include "tools/images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "intact/error.hpp"
#include "tools/files.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 16)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace intact::tools {
namespace {

const std::vector<std::string> extensions = {".jpg", ".jpeg", ".png", ".bmp", ".gif",
                                             ".tga", ".ppm",  ".pgm", ".pnm"};

/// Weights of the source pixels that one target pixel is made of, as fixed point with 22 bits.
struct Window {
  int first = 0;
  std::vector<std::int32_t> weights;
};
constexpr int fraction_bits = 22;

/// Pillow's triangle filter: support one source step (or target step when shrinking), centred.
std::vector<Window> windows(int source, int target) {
  const double step = static_cast<double>(source) / target;
  const double support = std::max(step, 1.0);
  std::vector<Window> result(static_cast<std::size_t>(target));
  for (int i = 0; i < target; ++i) {
    const double centre = (i + 0.5) * step;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), source);
    std::vector<double> weights;
    double sum = 0;
    for (int j = first; j < last; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs((j - centre + 0.5) / support)));
      sum += weights.back();
    }
    Window& window = result[static_cast<std::size_t>(i)];
    window.first = first;
    for (const double weight : weights) {
      window.weights.push_back(
          static_cast<std::int32_t>(0.5 + weight / sum * (1 << fraction_bits)));
    }
  }
  return result;
}

/// Resamples one axis: `outer` lines of `source` groups of `inner` bytes.
std::vector<std::uint8_t> resample(const std::vector<std::uint8_t>& in, int outer, int source,
                                   int target, int inner) {
  const auto all = windows(source, target);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(outer) * static_cast<std::size_t>(target) *
                                static_cast<std::size_t>(inner));
  std::vector<std::int64_t> sums(static_cast<std::size_t>(inner));
  auto* write = out.data();
  for (int line = 0; line < outer; ++line) {
    const auto* row = in.data() + static_cast<std::size_t>(line) *
                                      static_cast<std::size_t>(source) *
                                      static_cast<std::size_t>(inner);
    for (const Window& window : all) {
      std::fill(sums.begin(), sums.end(), std::int64_t{1} << (fraction_bits - 1));
      const auto* read = row + static_cast<std::size_t>(window.first) * sums.size();
      for (const std::int32_t weight : window.weights) {
        for (std::int64_t& sum : sums) sum += std::int64_t{*read++} * weight;
      }
      for (const std::int64_t sum : sums) {
        *write++ =
            static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> fraction_bits, 0, 255));
      }
    }
  }
  return out;
}

}  // namespace

Image read_image(const std::filesystem::path& path, int channels) {
  const auto bytes = read_bytes(path);
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30));
  Image image;
  int in_file = 0;
  if (stbi_info_from_memory(data, size, &image.width, &image.height, &in_file) == 0) {
    throw Error(
        fmt::format("{}: is not a readable image ({}); JPEG, PNG, BMP, GIF, TGA and PNM are",
                    path.string(), stbi_failure_reason()));
  }
  if (std::int64_t{image.width} * image.height > (1 << 28)) {
    throw Error(fmt::format("{}: {} x {} pixels are too many; 2^28 are allowed", path.string(),
                            image.width, image.height));
  }
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(data, size, &image.width, &image.height, &in_file, channels),
      &stbi_image_free);
  if (!pixels) {
    throw Error(fmt::format("{}: the image is broken: {}", path.string(), stbi_failure_reason()));
  }
  image.channels = channels;
  const std::size_t count = static_cast<std::size_t>(image.width) *
                            static_cast<std::size_t>(image.height) *
                            static_cast<std::size_t>(channels);
  image.pixels.assign(pixels.get(), pixels.get() + count);
  return image;
}

Image resize(const Image& image, int height, int width) {
  Image result = image;
  if (width != image.width) {
    result.pixels = resample(image.pixels, image.height, image.width, width, image.channels);
    result.width = width;
  }
  if (height != image.height) {
    result.pixels = resample(result.pixels, 1, image.height, height, width * image.channels);
    result.height = height;
  }
  return result;
}

Image resize_shorter_side(const Image& image, int side) {
  const auto other = [&](int longer, int shorter) {
    return std::max(side, static_cast<int>(std::int64_t{side} * longer / shorter));
  };
  if (image.width <= image.height) return resize(image, other(image.height, image.width), side);
  return resize(image, side, other(image.width, image.height));
}

Image crop_centre(const Image& image, int height, int width) {
  if (height > image.height || width > image.width) {
    throw Error(fmt::format("an image of {} x {} pixels cannot be cropped to {} x {}", image.height,
                            image.width, height, width));
  }
  Image result{height, width, image.channels, {}};
  const auto top = static_cast<int>(std::nearbyint((image.height - height) / 2.0));
  const auto left = static_cast<int>(std::nearbyint((image.width - width) / 2.0));
  for (int y = 0; y < height; ++y) {
    const auto begin =
        image.pixels.begin() + (std::int64_t{top + y} * image.width + left) * image.channels;
    result.pixels.insert(result.pixels.end(), begin, begin + std::int64_t{width} * image.channels);
  }
  return result;
}

bool is_image_file(const std::filesystem::path& path) {
  return std::find(extensions.begin(), extensions.end(), lower_extension(path)) != extensions.end();
}

std::vector<std::filesystem::path> list_images(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  auto files = files_in(path, extensions);
  if (files.empty()) throw Error(fmt::format("{}: the folder holds no image", path.string()));
  return files;
}

}  // namespace intact::tools

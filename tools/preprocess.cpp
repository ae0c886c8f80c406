// From pixels to model inputs: resizing, cropping, scaling, layout; see images.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "intact/error.hpp"
#include "tools/files.hpp"
#include "tools/images.hpp"

namespace intact::tools {
namespace {

using nlohmann::json;

[[noreturn]] void bad_key(const std::string& path, const std::string& key,
                          const std::string& wanted) {
  throw Error(fmt::format("{}: '{}' must be {}", path, key, wanted));
}

std::vector<int> read_size(const json& value, const std::string& path, const std::string& key) {
  std::vector<int> size;
  const json list = value.is_array() ? value : json::array({value});
  for (const json& item : list) {
    if (!item.is_number_integer() || item < 1 || item > 1 << 16)
      size.resize(9);
    else
      size.push_back(item.get<int>());
  }
  if (size.empty() || size.size() > 2) bad_key(path, key, "a number of pixels or [height, width]");
  return size;
}

std::array<float, 3> read_factors(const json& value, const std::string& path,
                                  const std::string& key) {
  const json list = value.is_array() ? value : json::array({value});
  const bool numbers =
      std::all_of(list.begin(), list.end(), [](const json& item) { return item.is_number(); });
  if (!numbers || (list.size() != 1 && list.size() != 3)) {
    bad_key(path, key, "a number or one number per channel");
  }
  std::array<float, 3> factors{};
  for (std::size_t i = 0; i < 3; ++i) factors[i] = list[list.size() == 3 ? i : 0].get<float>();
  return factors;
}

void read_key(const std::string& path, const std::string& key, const json& value,
              Preprocess* result) {
  if (key == "resize") {
    result->resize = read_size(value, path, key);
  } else if (key == "crop") {
    result->crop = read_size(value, path, key);
    if (result->crop.size() == 1) result->crop.push_back(result->crop[0]);
  } else if (key == "scale") {
    result->scale = read_factors(value, path, key);
  } else if (key == "mean") {
    result->mean = read_factors(value, path, key);
  } else if (key == "std") {
    result->std = read_factors(value, path, key);
    if (std::count(result->std.begin(), result->std.end(), 0.0F) > 0) {
      bad_key(path, key, "different from zero");
    }
  } else if (key == "channels") {
    if (value != "rgb" && value != "bgr") bad_key(path, key, "\"rgb\" or \"bgr\"");
    result->bgr = value == "bgr";
  } else if (key == "layout") {
    if (value != "nchw" && value != "nhwc") bad_key(path, key, "\"nchw\" or \"nhwc\"");
    result->layout = value == "nchw" ? ChannelLayout::nchw : ChannelLayout::nhwc;
  } else {
    throw Error(fmt::format(
        "{}: unknown key '{}'; resize, crop, scale, mean, std, channels and layout are known", path,
        key));
  }
}

Preprocess read_preprocess(const std::string& path) {
  const json document = json::parse(read_text(path), nullptr, false);
  if (!document.is_object()) throw Error(fmt::format("{}: is not a JSON object", path));
  Preprocess result;
  result.name = path;
  for (const auto& [key, value] : document.items()) read_key(path, key, value, &result);
  return result;
}

/// Where the extents of an image input lie, and what they are (-1: unknown).
struct ImageInput {
  ChannelLayout layout = ChannelLayout::nchw;
  std::int64_t batch = 1, height = -1, width = -1;
  int channels = 3;
};

ImageInput image_input(const TensorInfo& info, const Preprocess& preprocess) {
  const auto rank = info.shape.size();
  const std::string shape = info.rank_known ? to_string(info.shape) : "of unknown rank";
  if (!info.rank_known || rank < 3 || rank > 4) {
    throw Error(
        fmt::format("input '{}' {} takes no image: 4 extents (or 3 without a batch) are "
                    "expected",
                    info.name, shape));
  }
  const std::size_t first = rank - 3;
  const auto is_channels = [](std::int64_t extent) { return extent == 1 || extent == 3; };
  ImageInput input;
  if (preprocess.layout) {
    input.layout = *preprocess.layout;
  } else if (!is_channels(info.shape[first]) && is_channels(info.shape[first + 2])) {
    input.layout = ChannelLayout::nhwc;
  }
  const bool nchw = input.layout == ChannelLayout::nchw;
  const std::int64_t channels = info.shape[nchw ? first : first + 2];
  if (!is_channels(channels) && channels != -1) {
    throw Error(
        fmt::format("input '{}' {} takes no image: 1 or 3 channels are expected in layout {}",
                    info.name, shape, nchw ? "nchw" : "nhwc"));
  }
  input.channels = channels == 1 ? 1 : 3;
  input.height = info.shape[nchw ? first + 1 : first];
  input.width = info.shape[nchw ? first + 2 : first + 1];
  if (rank == 4) input.batch = info.shape[0] < 0 ? 1 : info.shape[0];
  if (info.type != ElementType::f32 && info.type != ElementType::u8) {
    throw Error(fmt::format("input '{}' takes {}, but images give f32 or u8", info.name,
                            element_name(info.type)));
  }
  if (info.type == ElementType::u8 && !preprocess.raw()) {
    throw Error(
        fmt::format("input '{}' takes u8 pixels, which only --preprocess none leaves as they "
                    "are",
                    info.name));
  }
  return input;
}

/// Scales the image so that it covers height x width, keeping its proportions.
Image cover(const Image& image, int height, int width) {
  const double factor = std::max(static_cast<double>(height) / image.height,
                                 static_cast<double>(width) / image.width);
  return resize(image, std::max(height, static_cast<int>(std::lround(image.height * factor))),
                std::max(width, static_cast<int>(std::lround(image.width * factor))));
}

/// Resize and crop to what preprocessing says and the model accepts.
Image fit(const Image& image, const ImageInput& input, const Preprocess& preprocess) {
  const int height = static_cast<int>(input.height), width = static_cast<int>(input.width);
  const bool fixed = height > 0 && width > 0;
  Image result = image;
  if (preprocess.name == "imagenet") {
    const int crop_height = height > 0 ? height : 224, crop_width = width > 0 ? width : 224;
    const int side = std::max({256, crop_height, crop_width});
    return crop_centre(resize_shorter_side(image, side), crop_height, crop_width);
  }
  if (preprocess.resize.size() == 1) {
    result = resize_shorter_side(image, preprocess.resize[0]);
  } else if (preprocess.resize.size() == 2) {
    result = resize(image, preprocess.resize[0], preprocess.resize[1]);
  } else if (preprocess.crop.empty() && fixed) {
    result = cover(image, height, width);
  }
  if (!preprocess.crop.empty()) {
    result = crop_centre(result, preprocess.crop[0], preprocess.crop[1]);
  } else if (fixed) {
    result = crop_centre(result, height, width);
  }
  return result;
}

}  // namespace

bool Preprocess::raw() const {
  const std::array<float, 3> ones{1, 1, 1}, zeros{0, 0, 0};
  return divisor == 1 && scale == ones && mean == zeros && std == ones;
}

Preprocess parse_preprocess(const std::string& text) {
  Preprocess result;
  result.name = text;
  if (text == "none") return result;
  if (text == "unit" || text == "imagenet") {
    result.divisor = 255;
    if (text == "imagenet") {
      result.mean = {0.485F, 0.456F, 0.406F};
      result.std = {0.229F, 0.224F, 0.225F};
    }
    return result;
  }
  if (lower_extension(text) != ".json" && !std::filesystem::exists(text)) {
    throw Error(fmt::format(
        "--preprocess {}: unknown; none, unit, imagenet or a JSON file are expected", text));
  }
  return read_preprocess(text);
}

int image_channels(const TensorInfo& info, const Preprocess& preprocess) {
  return image_input(info, preprocess).channels;
}

Tensor image_to_tensor(const Image& image, const TensorInfo& info, const Preprocess& preprocess) {
  const ImageInput input = image_input(info, preprocess);
  const Image fitted = fit(image, input, preprocess);
  if ((input.height > 0 && input.height != fitted.height) ||
      (input.width > 0 && input.width != fitted.width)) {
    throw Error(fmt::format("input '{}' takes {} x {} pixels, but preprocessing gives {} x {}",
                            info.name, input.height, input.width, fitted.height, fitted.width));
  }
  const bool nchw = input.layout == ChannelLayout::nchw;
  const std::int64_t channels = fitted.channels,
                     pixels = std::int64_t{fitted.height} * fitted.width;
  Shape shape = nchw ? Shape{channels, fitted.height, fitted.width}
                     : Shape{fitted.height, fitted.width, channels};
  if (info.shape.size() == 4) shape.insert(shape.begin(), input.batch);
  Tensor tensor(info.type, shape);
  const auto fill = [&](auto* out, auto&& convert) {
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      const std::int64_t within = i % (pixels * channels);
      const std::int64_t c = nchw ? within / pixels : within % channels;
      const std::int64_t p = nchw ? within % pixels : within / channels;
      const std::int64_t source = preprocess.bgr ? channels - 1 - c : c;
      out[i] = convert(fitted.pixels[static_cast<std::size_t>(p * channels + source)],
                       static_cast<std::size_t>(c));
    }
  };
  if (info.type == ElementType::u8) {
    fill(tensor.data<std::uint8_t>().data(), [](std::uint8_t pixel, std::size_t) { return pixel; });
  } else {
    fill(tensor.data<float>().data(), [&](std::uint8_t pixel, std::size_t c) {
      const float value = static_cast<float>(pixel) / preprocess.divisor * preprocess.scale[c];
      return (value - preprocess.mean[c]) / preprocess.std[c];
    });
  }
  return tensor;
}

}  // namespace intact::tools

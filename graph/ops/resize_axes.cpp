// Extents, coordinates and taps of Resize; see resize.hpp. Coordinates are computed in float32, as
// the scales are given: positions such as 2 / (2/3) then fall on the integers that they mean.
#include <algorithm>
#include <cmath>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/resize.hpp"

namespace intact {
namespace {

std::vector<float> floats_of(const Node& node, const Tensor& tensor, const char* what) {
  if (tensor.rank() != 1)
    refuse(node, "{} has shape {}; it must have rank 1", what, to_string(tensor.shape()));
  const Tensor wide = convert(tensor, ElementType::f32);
  return {wide.data<float>().begin(), wide.data<float>().end()};
}

/// The axes that scales, sizes and roi speak about.
std::vector<int> resized_axes(const Node& node, int rank) {
  const std::vector<std::int64_t> given = node.attributes.integers("axes");
  if (!given.empty()) return normalize_axes(node, given, rank);
  std::vector<int> all;
  for (int i = 0; i < rank; ++i) all.push_back(i);
  return all;
}

std::int64_t scaled_extent(const Node& node, std::int64_t extent, float scale) {
  const float scaled = std::floor(static_cast<float>(extent) * scale);
  if (!(scale > 0) || !(scaled < 0x1p31F))
    refuse(node,
           "the scale {} of an axis with extent {} is not usable; scales must be positive and "
           "extents below 2^31",
           scale, extent);
  return static_cast<std::int64_t>(scaled);
}

/// Sizes as they will be, after keep_aspect_ratio_policy.
void apply_sizes(const Node& node, const Shape& input, std::span<const std::int64_t> sizes,
                 std::span<const int> axes, ResizeExtents& extents) {
  const std::string policy = node.attributes.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    refuse(node, "keep_aspect_ratio_policy is '{}'; it must be stretch, not_larger or not_smaller",
           policy);
  std::optional<float> common;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    if (sizes[i] < 0 || sizes[i] > INT32_MAX || input[axis] < 1)
      refuse(node,
             "size {} for an axis with extent {} is not usable; sizes must be from 0 to 2^31 - "
             "1 and the input not empty",
             sizes[i], input[axis]);
    const float scale = static_cast<float>(sizes[i]) / static_cast<float>(input[axis]);
    extents.out[axis] = sizes[i];
    extents.scale[axis] = scale;
    const bool smaller = !common || scale < *common;
    if (!common || smaller == (policy == "not_larger")) common = scale;
  }
  if (policy == "stretch" || !common) return;
  for (const int axis : axes) {
    const auto i = static_cast<std::size_t>(axis);
    extents.scale[i] = *common;
    extents.out[i] = std::llround(*common * static_cast<float>(input[i]));
  }
}

enum class Coordinates {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  tf_half_pixel_for_nn,
  tf_crop_and_resize
};

Coordinates coordinates_of(const Node& node) {
  if (node.op == "Upsample" || (node.version > 0 && node.version < 11))
    return Coordinates::asymmetric;
  const std::string text = node.attributes.text("coordinate_transformation_mode", "half_pixel");
  constexpr std::pair<std::string_view, Coordinates> names[] = {
      {"half_pixel", Coordinates::half_pixel},
      {"half_pixel_symmetric", Coordinates::half_pixel_symmetric},
      {"pytorch_half_pixel", Coordinates::pytorch_half_pixel},
      {"align_corners", Coordinates::align_corners},
      {"asymmetric", Coordinates::asymmetric},
      {"tf_half_pixel_for_nn", Coordinates::tf_half_pixel_for_nn},
      {"tf_crop_and_resize", Coordinates::tf_crop_and_resize}};
  for (const auto& [name, mode] : names)
    if (text == name) return mode;
  refuse(node, "coordinate_transformation_mode '{}' is not known", text);
}

/// How output positions of one axis map to input coordinates.
struct Mapping {
  Coordinates mode;
  std::int64_t in, out;
  float scale;
  float start = 0, end = 1;  ///< of the region of interest

  /// Extent of the output before rounding down, which ONNX aligns corners and centres to. A scale
  /// that misses a whole extent by rounding means that extent.
  float length() const {
    const float exact = scale * static_cast<float>(in), whole = static_cast<float>(out);
    return std::fabs(exact - whole) < 1e-3F ? whole : exact;
  }

  float at(std::int64_t position) const {
    const auto x = static_cast<float>(position);
    const auto last_in = static_cast<float>(in - 1), last_out = length() - 1;
    switch (mode) {
      case Coordinates::asymmetric:
        return x / scale;
      case Coordinates::tf_half_pixel_for_nn:
        return (x + 0.5F) / scale;
      case Coordinates::align_corners:
        return out == 1 ? 0 : x * last_in / last_out;
      case Coordinates::pytorch_half_pixel:
        return out > 1 ? (x + 0.5F) / scale - 0.5F : 0;
      case Coordinates::half_pixel_symmetric: {
        const float center = static_cast<float>(in) / 2;
        const float offset = center * (1 - static_cast<float>(out) / length());
        return offset + (x + 0.5F) / scale - 0.5F;
      }
      case Coordinates::tf_crop_and_resize:
        return out > 1 ? start * last_in + x * (end - start) * last_in / last_out
                       : 0.5F * (start + end) * last_in;
      case Coordinates::half_pixel:
        break;
    }
    return (x + 0.5F) / scale - 0.5F;
  }
};

using Nearest = float (*)(float x, float scale);

Nearest nearest_of(const Node& node) {
  // Before operator set 11: down when growing, up when shrinking.
  if (node.op == "Upsample" || (node.version > 0 && node.version < 11))
    return [](float x, float scale) { return scale < 1 ? std::ceil(x) : std::floor(x); };
  const std::string mode = node.attributes.text("nearest_mode", "round_prefer_floor");
  if (mode == "round_prefer_floor") return [](float x, float) { return std::ceil(x - 0.5F); };
  if (mode == "round_prefer_ceil") return [](float x, float) { return std::floor(x + 0.5F); };
  if (mode == "floor") return [](float x, float) { return std::floor(x); };
  if (mode == "ceil") return [](float x, float) { return std::ceil(x); };
  refuse(node, "nearest_mode '{}' is not known", mode);
}

double linear_weight(double distance) {
  return std::max(1 - std::fabs(distance), 0.0);
}

/// Keys' convolution kernel with parameter a.
double cubic_weight(double distance, double a) {
  const double x = std::fabs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Linear and cubic interpolation: a kernel of `radius` around each coordinate, wider by 1 /
/// stretch when anti-aliasing.
struct Filter {
  bool cubic = false;
  double a = -0.75;
  bool exclude_outside = false, antialias = false;

  double radius() const { return cubic ? 2 : 1; }
  double weight(double distance) const {
    return cubic ? cubic_weight(distance, a) : linear_weight(distance);
  }
};

void interpolate(const Filter& filter, const Mapping& mapping, ResizeAxis& axis) {
  const double stretch = filter.antialias ? std::min<double>(mapping.scale, 1) : 1;
  const auto first = static_cast<std::int64_t>(std::floor(-filter.radius() / stretch)) + 1;
  axis.taps = 2 - 2 * first;
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const double x = mapping.at(i), base = std::floor(x);
    const std::size_t begin = axis.weights.size();
    double sum = 0;
    for (std::int64_t k = 0; k < axis.taps; ++k) {
      const double position = base + static_cast<double>(first + k);
      const double inside = std::clamp<double>(position, 0, static_cast<double>(axis.in - 1));
      const bool excluded = filter.exclude_outside && inside != position;
      const double weight = excluded ? 0 : filter.weight((position - x) * stretch);
      axis.indices.push_back(static_cast<std::int64_t>(inside));
      axis.weights.push_back(weight);
      sum += weight;
    }
    if (!filter.exclude_outside && !filter.antialias) continue;
    for (std::size_t k = begin; k < axis.weights.size(); ++k) axis.weights[k] /= sum;
  }
}

void pick_nearest(Nearest nearest, const Mapping& mapping, ResizeAxis& axis) {
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const float position = nearest(mapping.at(i), mapping.scale);
    axis.indices.push_back(static_cast<std::int64_t>(
        std::clamp<double>(position, 0, static_cast<double>(axis.in - 1))));
    axis.weights.push_back(1);
  }
}

Filter filter_of(const Node& node, const std::string& mode) {
  Filter filter;
  filter.cubic = mode == "cubic";
  if (mode != "linear" && mode != "bilinear" && !filter.cubic)
    refuse(node, "mode is '{}'; it must be nearest, linear or cubic", mode);
  filter.a = node.attributes.number("cubic_coeff_a", -0.75F);
  filter.exclude_outside = node.attributes.integer("exclude_outside", 0) != 0;
  filter.antialias = node.attributes.integer("antialias", 0) != 0;
  return filter;
}

/// Start and end per axis of the input.
std::vector<std::pair<float, float>> regions(const Node& node, const Tensor& roi, int rank) {
  std::vector<std::pair<float, float>> result(static_cast<std::size_t>(rank), {0.0F, 1.0F});
  const std::vector<int> axes = resized_axes(node, rank);
  const std::vector<float> values = floats_of(node, roi, "roi");
  if (values.size() != 2 * axes.size())
    refuse(node, "roi has {} entries; it must have {}: starts, then ends, of {} axes",
           values.size(), 2 * axes.size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    result[static_cast<std::size_t>(axes[i])] = {values[i], values[i + axes.size()]};
  return result;
}

}  // namespace

bool ResizeAxis::identity() const {
  if (in != out || !copies() || !outside.empty()) return false;
  for (std::int64_t i = 0; i < out; ++i)
    if (indices[static_cast<std::size_t>(i)] != i) return false;
  return true;
}

ResizeOperands resize_operands(const Node& node, std::span<const Tensor> inputs) {
  const auto get = [&](std::size_t i) {
    return i < inputs.size() && inputs[i].defined() && inputs[i].size() > 0 ? inputs[i] : Tensor();
  };
  const bool old = node.op == "Upsample" || (node.version > 0 && node.version < 11);
  if (old) {
    const std::vector<float> scales = node.attributes.numbers("scales");
    if (scales.empty()) return {{}, get(1), {}};
    return {{}, Tensor::from<float>({static_cast<std::int64_t>(scales.size())}, scales), {}};
  }
  return {get(1), get(2), get(3)};
}

std::optional<ResizeExtents> resize_extents(const Node& node, const Shape& input,
                                            const ResizeOperands& operands) {
  if (!operands.scales.defined() && !operands.sizes.defined()) return std::nullopt;
  if (operands.scales.defined() && operands.sizes.defined())
    refuse(node, "both scales and sizes are given; it takes one of them");
  ResizeExtents extents{input, std::vector<float>(input.size(), 1.0F)};
  const std::vector<int> axes = resized_axes(node, static_cast<int>(input.size()));
  const Tensor& given = operands.scales.defined() ? operands.scales : operands.sizes;
  if (given.size() != static_cast<std::int64_t>(axes.size()))
    refuse(node, "{} has {} entries; it must have {}, one per resized axis of the input {}",
           operands.scales.defined() ? "scales" : "sizes", given.size(), axes.size(),
           to_string(input));
  if (operands.sizes.defined()) {
    apply_sizes(node, input, integers_of(node, given, "sizes"), axes, extents);
    return extents;
  }
  const std::vector<float> scales = floats_of(node, given, "scales");
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    extents.scale[axis] = scales[i];
    extents.out[axis] = scaled_extent(node, input[axis], scales[i]);
  }
  return extents;
}

std::vector<ResizeAxis> resize_axes(const Node& node, const Shape& input,
                                    const ResizeExtents& extents, const ResizeOperands& operands) {
  const std::string mode = node.attributes.text("mode", "nearest");
  const Coordinates coordinates = coordinates_of(node);
  const bool crops = coordinates == Coordinates::tf_crop_and_resize;
  std::vector<std::pair<float, float>> roi(input.size(), {0.0F, 1.0F});
  if (crops) {
    if (!operands.roi.defined()) refuse(node, "tf_crop_and_resize needs the operand roi");
    roi = regions(node, operands.roi, static_cast<int>(input.size()));
  }
  std::vector<ResizeAxis> axes;
  for (std::size_t i = 0; i < input.size(); ++i) {
    ResizeAxis axis{.in = input[i], .out = extents.out[i]};
    if (axis.in < 1 && axis.out > 0) refuse(node, "the input {} is empty", to_string(input));
    const Mapping mapping{coordinates,      axis.in,      axis.out,
                          extents.scale[i], roi[i].first, roi[i].second};
    // An axis that keeps its extent and scale is a copy whatever the mode.
    const bool kept = !crops && axis.in == axis.out && mapping.scale == 1;
    if (kept)
      pick_nearest([](float x, float) { return x; },
                   {Coordinates::asymmetric, axis.in, axis.out, 1}, axis);
    else if (mode == "nearest")
      pick_nearest(nearest_of(node), mapping, axis);
    else
      interpolate(filter_of(node, mode), mapping, axis);
    for (std::int64_t k = 0; crops && k < axis.out; ++k) {
      const float x = mapping.at(k);
      axis.outside.push_back(x < 0 || x > static_cast<float>(axis.in - 1));
    }
    axes.push_back(std::move(axis));
  }
  return axes;
}

}  // namespace intact

// GridSample: an image read at points given by another tensor, in double.
#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

enum class Interpolation { nearest, linear, cubic };
enum class Border { zeros, border, reflection };

struct Sampling {
  Interpolation interpolation;
  Border border;
  bool align_corners;
};

/// The linear modes are called bilinear and bicubic before operator set 20.
Sampling sampling_of(const Node& node) {
  const std::string mode = node.attributes.text("mode", "bilinear");
  const std::string padding = node.attributes.text("padding_mode", "zeros");
  Sampling sampling{Interpolation::linear, Border::zeros,
                    node.attributes.integer("align_corners", 0) != 0};
  if (mode == "nearest")
    sampling.interpolation = Interpolation::nearest;
  else if (mode == "bicubic" || mode == "cubic")
    sampling.interpolation = Interpolation::cubic;
  else if (mode != "bilinear" && mode != "linear")
    refuse(node, "the attribute mode is '{}'; it must be linear, nearest or cubic", mode);
  if (padding == "border")
    sampling.border = Border::border;
  else if (padding == "reflection")
    sampling.border = Border::reflection;
  else if (padding != "zeros")
    refuse(node, "the attribute padding_mode is '{}'; it must be zeros, border or reflection",
           padding);
  return sampling;
}

std::vector<TensorType> infer_grid_sample(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  sampling_of(node);
  const auto &x = context.inputs[0].shape, &grid = context.inputs[1].shape;
  if (!x || !grid) return {{context.inputs[0].type, std::nullopt}};
  if (x->size() != 4)
    refuse_unsupported(node, "the input has shape {}; only [N, C, H, W] is supported",
                       to_string(*x));
  if (grid->size() != 4 || (*grid)[0] != (*x)[0] || (*grid)[3] != 2)
    refuse(node, "the grid has shape {}; it must be [{}, height, width, 2]", to_string(*grid),
           (*x)[0]);
  return {{context.inputs[0].type, Shape{(*x)[0], (*x)[1], (*grid)[1], (*grid)[2]}}};
}

/// From [-1, 1] to element positions.
double to_position(double value, std::int64_t extent, bool align_corners) {
  const auto n = static_cast<double>(extent);
  return align_corners ? (value + 1) / 2 * (n - 1) : ((value + 1) * n - 1) / 2;
}

/// Reflects at the centres (align_corners) or the outer edges of the border elements.
double reflected(double position, std::int64_t extent, bool align_corners) {
  const double low = align_corners ? 0 : -0.5;
  const double range =
      align_corners ? static_cast<double>(extent - 1) : static_cast<double>(extent);
  if (range <= 0) return 0;
  const double distance = std::fabs(position - low);
  const double rest = std::fmod(distance, 2 * range);
  return low + (rest <= range ? rest : 2 * range - rest);
}

/// Elements of an image with their weights, in the order in which they are added up.
struct Footprint {
  double start = 0;  ///< NaN where a weight is not finite
  int count = 0;
  std::array<std::int64_t, 16> element;
  std::array<double, 16> weight;
};

/// An image's extents with its border rule, which reads at any integer position.
struct Image {
  std::int64_t height, width;
  Sampling sampling;

  /// -1 where the element is zero.
  std::int64_t index(double position, std::int64_t extent) const {
    if (!std::isfinite(position)) return -1;
    if (sampling.border == Border::zeros)
      return position < 0 || position >= static_cast<double>(extent)
                 ? -1
                 : static_cast<std::int64_t>(position);
    if (sampling.border == Border::reflection)
      position = reflected(position, extent, sampling.align_corners);
    return static_cast<std::int64_t>(
        std::clamp(std::nearbyint(position), 0.0, static_cast<double>(extent - 1)));
  }
  void add(double y, double x, double weight, Footprint& footprint) const {
    const std::int64_t row = index(y, height), column = index(x, width);
    if (row < 0 || column < 0) {
      footprint.start += weight * 0;
      return;
    }
    footprint.element[static_cast<std::size_t>(footprint.count)] = row * width + column;
    footprint.weight[static_cast<std::size_t>(footprint.count++)] = weight;
  }
};

/// Weights of the neighbours at -1, 0, 1, 2 of a position with the given fraction (a = -0.75).
void cubic_weights(double fraction, double weights[4]) {
  constexpr double a = -0.75;
  const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto outer = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  weights[0] = outer(fraction + 1);
  weights[1] = near(fraction);
  weights[2] = near(1 - fraction);
  weights[3] = outer(2 - fraction);
}

Footprint footprint_at(const Image& image, double y, double x) {
  Footprint footprint;
  if (image.sampling.interpolation == Interpolation::nearest) {
    image.add(std::nearbyint(y), std::nearbyint(x), 1, footprint);
    return footprint;
  }
  const double top = std::floor(y), left = std::floor(x);
  double rows[4] = {0, 1 - (y - top), y - top, 0}, columns[4] = {0, 1 - (x - left), x - left, 0};
  if (image.sampling.interpolation == Interpolation::cubic) {
    cubic_weights(y - top, rows);
    cubic_weights(x - left, columns);
  }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      if (const double weight = rows[i] * columns[j]; weight != 0)
        image.add(top + i - 1, left + j - 1, weight, footprint);
  return footprint;
}

/// Linear and nearest sampling bring the position itself inside; cubic sampling its neighbours.
double inside(double position, std::int64_t extent, const Sampling& sampling) {
  if (sampling.interpolation == Interpolation::cubic || sampling.border == Border::zeros)
    return position;
  if (sampling.border == Border::reflection)
    position = reflected(position, extent, sampling.align_corners);
  return std::clamp(position, 0.0, static_cast<double>(extent - 1));
}

template <class T>
void sample_plane(std::span<const Footprint> points, const T* from, T* to) {
  for (const Footprint& point : points) {
    double sum = point.start;
    for (std::size_t k = 0; k < static_cast<std::size_t>(point.count); ++k)
      sum += point.weight[k] * static_cast<double>(from[point.element[k]]);
    *to++ = static_cast<T>(sum);
  }
}

/// The planes of one image at points [count][2].
template <class T>
void sample_planes(const Image& image, std::int64_t planes, const double* at, std::int64_t count,
                   const T* from, T* to) {
  constexpr std::int64_t block = 256;
  std::vector<Footprint> points(block);
  for (std::int64_t begin = 0; begin < count; begin += block) {
    const std::int64_t size = std::min(block, count - begin);
    for (std::int64_t i = 0; i < size; ++i, at += 2) {
      const double column = to_position(at[0], image.width, image.sampling.align_corners);
      const double row = to_position(at[1], image.height, image.sampling.align_corners);
      points[static_cast<std::size_t>(i)] =
          footprint_at(image, inside(row, image.height, image.sampling),
                       inside(column, image.width, image.sampling));
    }
    for (std::int64_t plane = 0; plane < planes; ++plane)
      sample_plane({points.data(), static_cast<std::size_t>(size)},
                   from + plane * image.height * image.width, to + plane * count + begin);
  }
}

std::vector<Tensor> evaluate_grid_sample(const EvalContext& context) {
  const auto types = output_types(context, infer_grid_sample);
  const bool floats = types[0].type == ElementType::f32;
  const Tensor x = floats ? context.inputs[0] : convert(context.inputs[0], ElementType::f64);
  const Tensor grid = convert(context.inputs[1], ElementType::f64);
  const Shape& out = *types[0].shape;
  Tensor result = allocate(context.node, {x.type(), out});
  const Image image{x.shape()[2], x.shape()[3], sampling_of(context.node)};
  const std::int64_t pixels = image.height * image.width, points = out[2] * out[3];
  if (result.size() == 0 || pixels == 0) return {convert(result, types[0].type)};
  for (std::int64_t n = 0; n < out[0]; ++n) {
    const auto sample = [&]<class T>(T) {
      sample_planes(image, out[1], grid.data<double>().data() + n * points * 2, points,
                    x.data<T>().data() + n * out[1] * pixels,
                    result.data<T>().data() + n * out[1] * points);
    };
    floats ? sample(float{}) : sample(double{});
  }
  return {convert(result, types[0].type)};
}

}  // namespace

std::span<const Definition> grid_sample_definitions() {
  static const Definition definitions[] = {
      {.op = "GridSample", .infer = infer_grid_sample, .evaluate = evaluate_grid_sample},
  };
  return definitions;
}

}  // namespace intact

// Scale and zero-point operands; see quantized.hpp.
#include "graph/ops/quantized.hpp"

#include <algorithm>
#include <cmath>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

bool is_single(const Shape& shape) {
  return shape.empty() || shape == Shape{1};
}

std::vector<double> values_of(const Node& node, const Tensor& tensor, const char* what) {
  if (tensor.size() == 0) refuse(node, "{} is empty; it must have one element at least", what);
  const Tensor wide = convert(tensor, ElementType::f64);
  return {wide.data<double>().begin(), wide.data<double>().end()};
}

/// The entries of a scale or zero point: one, or one per index along `axis`.
std::vector<double> entries(const Node& node, const Tensor& tensor, std::optional<int> axis,
                            const Shape& data, const char* what) {
  if (is_single(tensor.shape())) return values_of(node, tensor, what);
  const Shape wanted = axis ? Shape{data[static_cast<std::size_t>(*axis)]} : Shape{};
  if (axis ? tensor.shape() != wanted : true)
    refuse(node, "{} has shape {}; it must have one element{}", what, to_string(tensor.shape()),
           axis ? fmt::format(", or {} for axis {}", wanted[0], *axis) : "");
  return values_of(node, tensor, what);
}

}  // namespace

void check_per_axis(const InferContext& context, std::size_t operand,
                    const std::optional<Shape>& data, std::optional<int> axis, const char* what) {
  if (!context.has(operand) || !context.inputs[operand].shape) return;
  const Shape& shape = *context.inputs[operand].shape;
  if (is_single(shape)) return;
  if (axis && !data) return;
  if (axis && static_cast<std::size_t>(*axis) >= data->size())
    refuse(context.node, "{} runs along axis {}, but the tensor has shape {}", what, *axis,
           to_string(*data));
  const Shape wanted = axis ? Shape{(*data)[static_cast<std::size_t>(*axis)]} : Shape{};
  if (axis && shape == wanted) return;
  refuse(context.node, "{} (operand {}) has shape {}; it must have one element{}", what, operand,
         to_string(shape), axis ? fmt::format(", or {} for axis {}", wanted[0], *axis) : "");
}

Grid read_grid(const Node& node, ElementType type, const Tensor& scale, const Tensor& zero_point,
               std::optional<int> axis, const Shape& data) {
  const std::vector<double> scales = entries(node, scale, axis, data, "the scale");
  std::vector<double> zero_points = {0};
  if (zero_point.defined()) zero_points = entries(node, zero_point, axis, data, "the zero point");
  Grid grid;
  grid.type = type;
  const std::size_t count = std::max(scales.size(), zero_points.size());
  for (std::size_t i = 0; i < count; ++i) {
    grid.scale.push_back(static_cast<float>(scales[scales.size() == 1 ? 0 : i]));
    grid.zero_point.push_back(
        static_cast<std::int32_t>(zero_points[zero_points.size() == 1 ? 0 : i]));
  }
  if (count != 1) grid.axis = axis;
  check_grid(grid, describe(node));
  return grid;
}

Grid dynamic_grid(float low, float high) {
  const float scale = low == high ? 1 : (high - low) / 255;
  const float zero_point =
      std::isfinite(scale) ? std::nearbyint(std::clamp(-low / scale, 0.0F, 255.0F)) : 0;
  return {ElementType::u8, {scale}, {static_cast<std::int32_t>(zero_point)}, std::nullopt};
}

Tensor without_zero_point(const Node& node, const Tensor& integers, const Tensor& zero_point,
                          std::optional<int> axis) {
  const Tensor one = Tensor::scalar(1.0F);
  return exact_reals(integers,
                     read_grid(node, integers.type(), one, zero_point, axis, integers.shape()));
}

}  // namespace intact

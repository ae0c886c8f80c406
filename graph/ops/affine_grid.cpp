// AffineGrid: the points at which GridSample reads an image that is turned, scaled and moved.
#include <algorithm>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

std::vector<TensorType> infer_affine_grid(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 2);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  const ElementType type = context.inputs[0].type;
  const auto& theta = context.inputs[0].shape;
  if (!theta || !context.constants[1].defined()) return {{type, std::nullopt}};
  const std::vector<std::int64_t> size = integers_of(node, context.constants[1], "size");
  if (size.size() != 4 && size.size() != 5)
    refuse(node, "size has {} entries; it must have 4 (N, C, H, W) or 5 (N, C, D, H, W)",
           size.size());
  const auto axes = static_cast<std::int64_t>(size.size()) - 2;
  if (*theta != Shape{size[0], axes, axes + 1})
    refuse(node, "theta has shape {}; for this size it must be {}", to_string(*theta),
           to_string(Shape{size[0], axes, axes + 1}));
  Shape shape{size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  if (std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 1; }))
    refuse(node, "size is {}; extents must be positive", to_string(size));
  shape.push_back(axes);
  return {sized(node, type, shape)};
}

/// The centre of element i of `extent` in [-1, 1].
double position(std::int64_t i, std::int64_t extent, bool align_corners) {
  const auto at = static_cast<double>(i), n = static_cast<double>(extent);
  if (align_corners) return extent == 1 ? -1 : -1 + 2 * at / (n - 1);
  return (2 * at + 1) / n - 1;
}

std::vector<Tensor> evaluate_affine_grid(const EvalContext& context) {
  const TensorType type = output_types(context, infer_affine_grid)[0];
  const bool align_corners = context.node.attributes.integer("align_corners", 0) != 0;
  const Tensor theta = convert(context.inputs[0], ElementType::f64);
  Tensor result = allocate(context.node, {ElementType::f64, type.shape});
  const Shape& shape = *type.shape;
  const std::size_t axes = shape.size() - 2;
  const auto points = static_cast<std::size_t>(extent_product(shape, 1, axes + 1));
  double* to = result.data<double>().data();
  for (std::size_t image = 0; image < static_cast<std::size_t>(shape[0]); ++image) {
    const double* matrix = theta.data<double>().data() + image * axes * (axes + 1);
    for (std::size_t point = 0; point < points; ++point) {
      // x comes first, and belongs to the last axis.
      double from[3] = {};
      auto rest = static_cast<std::int64_t>(point);
      for (std::size_t i = 0; i < axes; ++i) {
        const std::int64_t extent = shape[axes - i];
        from[i] = position(rest % extent, extent, align_corners);
        rest /= extent;
      }
      for (std::size_t row = 0; row < axes; ++row) {
        const double* m = matrix + row * (axes + 1);
        double sum = m[axes];
        for (std::size_t i = 0; i < axes; ++i) sum += m[i] * from[i];
        *to++ = sum;
      }
    }
  }
  return {convert(result, type.type)};
}

}  // namespace

std::span<const Definition> affine_grid_definitions() {
  static const Definition definitions[] = {
      {.op = "AffineGrid",
       .infer = infer_affine_grid,
       .evaluate = evaluate_affine_grid,
       .shape_operands = {1}},
  };
  return definitions;
}

}  // namespace intact

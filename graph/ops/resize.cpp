// Resize and Upsample: separable, one axis after the other.
#include "graph/ops/resize.hpp"

#include <algorithm>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

std::vector<TensorType> infer_resize(const InferContext& context) {
  check_operands(context.node, 1, 4);
  const TensorType& x = context.inputs[0];
  if (!x.shape) return {{x.type, std::nullopt}};
  const auto extents =
      resize_extents(context.node, *x.shape, resize_operands(context.node, context.constants));
  if (!extents) return {{x.type, std::nullopt}};
  return {sized(context.node, x.type, extents->out)};
}

/// Calls body(first element of the input line, of the output line) for all lines along `axis`, with
/// the distance between neighbours of a line, which is the same in both.
template <class Body>
void for_slabs(const Shape& shape, std::size_t axis, const ResizeAxis& resize, Body body) {
  const std::int64_t inner = extent_product(shape, axis + 1, shape.size());
  const std::int64_t outer = extent_product(shape, 0, axis);
  for (std::int64_t o = 0; o < outer; ++o)
    body(o * resize.in * inner, o * resize.out * inner, inner);
}

template <class T>
void copy_axis(const ResizeAxis& resize, std::size_t axis, const Tensor& x, Tensor& y) {
  const T* in = static_cast<const T*>(x.raw());
  T* out = static_cast<T*>(y.raw());
  for_slabs(x.shape(), axis, resize, [&](std::int64_t from, std::int64_t to, std::int64_t inner) {
    for (std::int64_t i = 0; i < resize.out; ++i)
      std::copy_n(in + from + resize.indices[static_cast<std::size_t>(i)] * inner, inner,
                  out + to + i * inner);
  });
}

void interpolate_axis(const ResizeAxis& resize, std::size_t axis, const Tensor& x, Tensor& y) {
  const double* in = x.data<double>().data();
  double* out = y.data<double>().data();
  for_slabs(x.shape(), axis, resize, [&](std::int64_t from, std::int64_t to, std::int64_t inner) {
    for (std::int64_t i = 0; i < resize.out; ++i)
      for (std::int64_t k = i * resize.taps; k < (i + 1) * resize.taps; ++k) {
        const double weight = resize.weights[static_cast<std::size_t>(k)];
        const double* row = in + from + resize.indices[static_cast<std::size_t>(k)] * inner;
        for (std::int64_t j = 0; j < inner; ++j) out[to + i * inner + j] += weight * row[j];
      }
  });
}

Tensor resize_axis(const Node& node, const ResizeAxis& resize, std::size_t axis, const Tensor& x) {
  if (resize.identity()) return x;
  Shape shape = x.shape();
  shape[axis] = resize.out;
  Tensor y = allocate(node, {x.type(), shape});
  if (resize.copies())
    visit_width(x.type(), [&]<class T>(T) { copy_axis<T>(resize, axis, x, y); });
  else
    interpolate_axis(resize, axis, x, y);
  return y;
}

/// Writes the extrapolation value where any coordinate lies outside the input.
void extrapolate(std::span<const ResizeAxis> axes, double value, Tensor& y) {
  const auto out = y.data<double>();
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    const auto inner = static_cast<std::size_t>(extent_product(y.shape(), axis + 1, axes.size()));
    const auto extent = static_cast<std::size_t>(axes[axis].out);
    for (std::size_t i = 0; i < out.size(); ++i)
      if (axes[axis].outside[i / inner % extent]) out[i] = value;
  }
}

std::vector<Tensor> evaluate_resize(const EvalContext& context) {
  const TensorType type = output_types(context, infer_resize)[0];
  const Shape& shape = context.inputs[0].shape();
  const ResizeOperands operands = resize_operands(context.node, context.inputs);
  const auto extents = resize_extents(context.node, shape, operands);
  allocate(context.node, type);  // refuses hostile sizes before the taps are worked out
  const std::vector<ResizeAxis> axes = resize_axes(context.node, shape, *extents, operands);
  const bool crops = !axes.empty() && !axes[0].outside.empty();
  const bool copies = !crops && std::all_of(axes.begin(), axes.end(),
                                            [](const ResizeAxis& axis) { return axis.copies(); });
  Tensor y = copies ? context.inputs[0] : convert(context.inputs[0], ElementType::f64);
  for (std::size_t i = 0; i < axes.size(); ++i) y = resize_axis(context.node, axes[i], i, y);
  if (crops) {
    y = y.clone();
    extrapolate(axes, context.node.attributes.number("extrapolation_value", 0), y);
  }
  return {convert(y, type.type)};
}

const Definition definitions[] = {
    {.op = "Resize",
     .first = 10,
     .infer = infer_resize,
     .evaluate = evaluate_resize,
     .shape_operands = {1, 2, 3}},
    {.op = "Upsample",
     .first = 7,
     .infer = infer_resize,
     .evaluate = evaluate_resize,
     .shape_operands = {1}},
};

}  // namespace

std::span<const Definition> resize_definitions() {
  return definitions;
}

}  // namespace intact

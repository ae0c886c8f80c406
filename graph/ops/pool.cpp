// MaxPool, AveragePool, LpPool and their global forms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/half.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {
namespace {

/// The taps of one window that lie inside the image, and where the first tap would lie.
struct Window {
  Space::Extents start;
  std::array<Steps, 3> taps;
};

Window window_at(const Space& space, const Space::Extents& at) {
  Window window;
  for (std::size_t i = 0; i < 3; ++i) {
    window.start[i] = at[i] * space.stride[i] - space.pad_begin[i];
    window.taps[i] = steps_inside(space.kernel[i], space.dilation[i], window.start[i], space.in[i]);
  }
  return window;
}

/// Taps that lie in the image or its padding.
std::int64_t padded_taps(const Space& space, const Window& window) {
  std::int64_t count = 1;
  for (std::size_t i = 0; i < 3; ++i)
    count *= steps_inside(space.kernel[i], space.dilation[i], window.start[i] + space.pad_begin[i],
                          space.in[i] + space.pad_begin[i] + space.pad_end[i])
                 .end;
  return count;
}

std::int64_t image_taps(const Window& window) {
  std::int64_t count = 1;
  for (const Steps& steps : window.taps)
    count *= std::max<std::int64_t>(steps.end - steps.begin, 0);
  return count;
}

/// Calls body(position) for the positions of the window inside the image.
template <class Body>
void for_positions(const Space& space, const Window& window, Body body) {
  for (std::int64_t d = window.taps[0].begin; d < window.taps[0].end; ++d)
    for (std::int64_t h = window.taps[1].begin; h < window.taps[1].end; ++h)
      for (std::int64_t w = window.taps[2].begin; w < window.taps[2].end; ++w)
        body(Space::Extents{window.start[0] + d * space.dilation[0],
                            window.start[1] + h * space.dilation[1],
                            window.start[2] + w * space.dilation[2]});
}

std::int64_t row_major(const Space& space, const Space::Extents& at) {
  return (at[0] * space.in[1] + at[1]) * space.in[2] + at[2];
}

/// Calls body(output element, plane, window) for all outputs of all planes.
template <class Body>
void for_windows(const Space& space, std::int64_t planes, Body body) {
  std::size_t element = 0;
  for (std::int64_t plane = 0; plane < planes; ++plane)
    for (std::int64_t d = 0; d < space.out[0]; ++d)
      for (std::int64_t h = 0; h < space.out[1]; ++h)
        for (std::int64_t w = 0; w < space.out[2]; ++w)
          body(element++, plane, window_at(space, {d, h, w}));
}

TensorType pool_type(const InferContext& context) {
  const ElementType type = context.inputs[0].type;
  const auto& x = context.inputs[0].shape;
  if (!x) return {type, std::nullopt};
  const SpatialGeometry geometry = pool_geometry(context.node, *x);
  return sized(context.node, type, spatial_shape(context.node, geometry, (*x)[0], (*x)[1]));
}

std::vector<TensorType> infer_average(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  return {pool_type(context)};
}

std::vector<TensorType> infer_max(const InferContext& context) {
  check_operands(context.node, 1, 1);
  const TensorType type = pool_type(context);
  return {type, {ElementType::s64, type.shape}};
}

/// Runs `value(plane data, space, window)` for every output of an f64 pooling.
template <class Value>
std::vector<Tensor> evaluate_reals(const EvalContext& context, Value value) {
  const TensorType type = output_types(context, infer_average)[0];
  const Tensor x = convert(context.inputs[0], ElementType::f64);
  const Space space = space_of(pool_geometry(context.node, x.shape()));
  Tensor y = allocate(context.node, {ElementType::f64, type.shape});
  const double* in = x.data<double>().data();
  const auto out = y.data<double>();
  for_windows(space, x.shape()[0] * x.shape()[1],
              [&](std::size_t element, std::int64_t plane, const Window& window) {
                out[element] = value(in + plane * volume(space.in), space, window);
              });
  return {convert(y, type.type)};
}

std::vector<Tensor> evaluate_average(const EvalContext& context) {
  const bool with_padding = context.node.attributes.integer("count_include_pad", 0) != 0;
  return evaluate_reals(context, [=](const double* in, const Space& space, const Window& window) {
    double sum = 0;
    for_positions(space, window,
                  [&](const Space::Extents& at) { sum += in[row_major(space, at)]; });
    const std::int64_t count = with_padding ? padded_taps(space, window) : image_taps(window);
    return sum / static_cast<double>(std::max<std::int64_t>(count, 1));
  });
}

std::vector<Tensor> evaluate_lp(const EvalContext& context) {
  const auto p = static_cast<double>(context.node.attributes.integer("p", 2));
  return evaluate_reals(context, [=](const double* in, const Space& space, const Window& window) {
    double sum = 0;
    for_positions(space, window, [&](const Space::Extents& at) {
      sum += std::pow(std::fabs(in[row_major(space, at)]), p);
    });
    return std::pow(sum, 1 / p);
  });
}

/// Index of a position for the output Indices: storage_order 1 counts the first axis fastest.
std::int64_t index_of(const Space& space, const Space::Extents& at, bool column_major) {
  if (!column_major) return row_major(space, at);
  return at[0] + space.in[0] * (at[1] + space.in[1] * at[2]);
}

std::vector<Tensor> evaluate_max(const EvalContext& context) {
  const std::vector<TensorType> types = output_types(context, infer_max);
  const Tensor& x = context.inputs[0];
  if (is_half(x.type())) {
    const Tensor wide[] = {convert(x, ElementType::f32)};
    std::vector<Tensor> results = evaluate_max({context.node, wide});
    return {convert(results[0], x.type()), results[1]};
  }
  const bool column_major = context.node.attributes.integer("storage_order", 0) != 0;
  const Space space = space_of(pool_geometry(context.node, x.shape()));
  Tensor y = allocate(context.node, types[0]), indices = allocate(context.node, types[1]);
  visit_element(x.type(), [&]<class T>(T) {
    const T* in = x.data<T>().data();
    using Limits = std::numeric_limits<T>;
    const T lowest = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    for_windows(space, x.shape()[0] * x.shape()[1],
                [&](std::size_t element, std::int64_t plane, const Window& window) {
                  const std::int64_t base = plane * volume(space.in);
                  T best = lowest;
                  std::int64_t found = -1;
                  for_positions(space, window, [&](const Space::Extents& at) {
                    const T candidate = in[base + row_major(space, at)];
                    if (found >= 0 && !(candidate > best)) return;
                    best = candidate;
                    found = base + index_of(space, at, column_major);
                  });
                  y.data<T>()[element] = best;
                  indices.data<std::int64_t>()[element] = found;
                });
  });
  return {y, indices};
}

// --- MaxUnpool

/// Extents of the image that a MaxPool with these attributes would have read.
Shape unpooled_shape(const Node& node, const Shape& x) {
  const Shape kernel = node.attributes.integers("kernel_shape");
  const std::size_t axes = kernel.size();
  if (axes == 0 || x.size() != axes + 2)
    refuse(node,
           "the input has shape {} and kernel_shape {} entries; [batch, channels, spatial...] "
           "with one entry per spatial axis is needed",
           to_string(x), axes);
  const Shape strides = node.attributes.integers("strides", Shape(axes, 1));
  const Shape pads = node.attributes.integers("pads", Shape(2 * axes, 0));
  if (strides.size() != axes || pads.size() != 2 * axes)
    refuse(node, "strides has {} and pads {} entries; {} and {} are needed", strides.size(),
           pads.size(), axes, 2 * axes);
  Shape shape = x;
  for (std::size_t i = 0; i < axes; ++i) {
    std::int64_t& extent = shape[i + 2];
    const bool fits = extent > 0 && kernel[i] > 0 && strides[i] > 0 && pads[i] >= 0 &&
                      pads[i + axes] >= 0 && checked_multiply(extent - 1, strides[i], &extent) &&
                      checked_add(extent, kernel[i], &extent) &&
                      checked_add(extent, -pads[i], &extent) &&
                      checked_add(extent, -pads[i + axes], &extent) && extent > 0;
    if (!fits)
      refuse(node, "spatial axis {} of {} has no image under these kernel_shape, strides and pads",
             i, to_string(x));
  }
  return shape;
}

/// The operands are the pooled elements, their indices and, optionally, the shape of the output.
std::vector<TensorType> infer_unpool(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 3);
  check_type(context, 1, {ElementType::s64});
  const TensorType& x = context.inputs[0];
  if (!x.shape) return {{x.type, std::nullopt}};
  check_shape(context, 1, *x.shape, "the indices");
  const TensorType type = sized(node, x.type, unpooled_shape(node, *x.shape));
  if (!context.has(2)) return {type};
  if (!context.constants[2].defined()) return {{x.type, std::nullopt}};
  const Shape wanted = integers_of(node, context.constants[2], "the output shape");
  const Shape& least = *type.shape;
  bool fits = wanted.size() == least.size() && wanted[0] == least[0] && wanted[1] == least[1];
  for (std::size_t i = 2; fits && i < least.size(); ++i) fits = wanted[i] >= least[i];
  if (!fits)
    refuse(node, "the output shape is {}; it must contain {}", to_string(wanted), to_string(least));
  return {sized(node, x.type, wanted)};
}

/// Indices count the elements of the whole unpooled tensor, which lies at the origin of the output.
std::vector<Tensor> evaluate_unpool(const EvalContext& context) {
  const TensorType type = output_types(context, infer_unpool)[0];
  const Node& node = context.node;
  const Tensor& x = context.inputs[0];
  const Shape unpooled = unpooled_shape(node, x.shape());
  const std::int64_t bound = element_count(unpooled);
  const auto indices = context.inputs[1].data<std::int64_t>();
  Tensor y = allocate(node, type);
  visit_width(x.type(), [&]<class T>(T) {
    const auto* in = static_cast<const T*>(x.raw());
    auto* out = static_cast<T*>(y.raw());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] < 0 || indices[i] >= bound)
        refuse(node, "index {} is outside of the {} elements of {}", indices[i], bound,
               to_string(unpooled));
      std::int64_t rest = indices[i], at = 0, step = 1;
      for (std::size_t axis = unpooled.size(); axis-- > 0;) {
        at += rest % unpooled[axis] * step;
        rest /= unpooled[axis];
        step *= (*type.shape)[axis];
      }
      out[at] = in[i];
    }
  });
  return {y};
}

const Definition definitions[] = {
    {.op = "AveragePool", .infer = infer_average, .evaluate = evaluate_average},
    {.op = "GlobalAveragePool", .infer = infer_average, .evaluate = evaluate_average},
    {.op = "LpPool", .first = 2, .infer = infer_average, .evaluate = evaluate_lp},
    {.op = "GlobalLpPool", .first = 2, .infer = infer_average, .evaluate = evaluate_lp},
    // The largest of grid points is one of them, and scales are positive.
    {.op = "MaxPool", .infer = infer_max, .evaluate = evaluate_max, .moves_data = true},
    {.op = "GlobalMaxPool", .infer = infer_max, .evaluate = evaluate_max, .moves_data = true},
    {.op = "MaxUnpool", .infer = infer_unpool, .evaluate = evaluate_unpool, .shape_operands = {2}},
};

}  // namespace

std::span<const Definition> pool_definitions() {
  return definitions;
}

}  // namespace intact

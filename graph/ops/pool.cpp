// MaxPool, AveragePool, LpPool and their global forms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ops/checks.hpp"
#include "graph/ops/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/spatial.hpp"
#include "graph/reals.hpp"

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

const Definition definitions[] = {
    {.op = "AveragePool", .infer = infer_average, .evaluate = evaluate_average},
    {.op = "GlobalAveragePool", .infer = infer_average, .evaluate = evaluate_average},
    {.op = "LpPool", .first = 2, .infer = infer_average, .evaluate = evaluate_lp},
    {.op = "GlobalLpPool", .first = 2, .infer = infer_average, .evaluate = evaluate_lp},
    // The largest of grid points is one of them, and scales are positive.
    {.op = "MaxPool", .infer = infer_max, .evaluate = evaluate_max, .moves_data = true},
    {.op = "GlobalMaxPool", .infer = infer_max, .evaluate = evaluate_max, .moves_data = true},
};

}  // namespace

std::span<const Definition> pool_definitions() {
  return definitions;
}

}  // namespace intact

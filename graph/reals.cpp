// Between reals and the integers of a grid.
#include "graph/reals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/dispatch.hpp"
#include "intact/error.hpp"

namespace intact {

double round_to_integer(double x, double scale, std::int32_t zero_point, ElementType type) {
  const double low = lowest(type), high = highest(type);
  const double q = std::nearbyint(x / scale) + zero_point;
  if (std::isnan(q)) return low;
  return q < low ? low : q > high ? high : q;
}

namespace {

/// Calls body(element index, scale, zero point) for each element.
template <class Body>
void for_each_on_grid(const Shape& shape, std::int64_t size, const Grid& grid, Body body) {
  const std::optional<std::int64_t> scales = grid.scales_for(shape);
  if (!scales || *scales != static_cast<std::int64_t>(grid.scale.size()))
    throw Error(fmt::format("a tensor of shape {} cannot lie on the grid {}", to_string(shape),
                            to_string(grid)));
  // Neighbours along the axis are `inner` apart; `run` of them share a scale.
  std::int64_t inner = std::max<std::int64_t>(size, 1), extent = 1;
  if (!grid.per_tensor()) {
    const auto axis = static_cast<std::size_t>(*grid.axis);
    extent = shape[axis];
    inner = 1;
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
  const std::int64_t run = std::max<std::int64_t>(grid.block, 1);
  const std::int64_t blocks = extent / run + (extent % run != 0 ? 1 : 0);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t at = i / inner % extent / run;
    const std::int64_t entry =
        grid.block == 0 ? at : (i / inner / extent * blocks + at) * inner + i % inner;
    const auto k = static_cast<std::size_t>(entry);
    body(static_cast<std::size_t>(i), static_cast<double>(grid.scale[k]), grid.zero_point[k]);
  }
}

}  // namespace

Tensor quantize(const Tensor& reals, const Grid& grid) {
  const Tensor wide = convert(reals, ElementType::f64);
  Tensor result(grid.type, reals.shape());
  const auto in = wide.data<double>();
  // ONNX divides f32 by f32. Rounded to float, the quotient of doubles is that quotient.
  const bool single = reals.type() == ElementType::f32;
  visit_element(grid.type, [&]<class T>(T) {
    const auto out = result.data<T>();
    for_each_on_grid(reals.shape(), reals.size(), grid,
                     [&](std::size_t i, double scale, std::int32_t zero_point) {
                       const double steps = in[i] / scale;
                       out[i] = static_cast<T>(round_to_integer(
                           single ? static_cast<double>(static_cast<float>(steps)) : steps, 1,
                           zero_point, grid.type));
                     });
  });
  return result;
}

Tensor steps_of(const Tensor& reals, const Grid& grid) {
  const Tensor wide = convert(reals, ElementType::f64);
  Tensor result(ElementType::f32, reals.shape());
  const auto in = wide.data<double>();
  const auto out = result.data<float>();
  for_each_on_grid(reals.shape(), reals.size(), grid,
                   [&](std::size_t i, double scale, std::int32_t) {
                     out[i] = static_cast<float>(in[i] / scale);
                   });
  return result;
}

namespace {

template <class Real>
Tensor reals_of(const Tensor& integers, const Grid& grid) {
  Tensor result(element_type_of<Real>(), integers.shape());
  const auto out = result.data<Real>();
  visit_element(integers.type(), [&]<class T>(T) {
    const auto in = integers.data<T>();
    for_each_on_grid(integers.shape(), integers.size(), grid,
                     [&](std::size_t i, double scale, std::int32_t zero_point) {
                       out[i] =
                           static_cast<Real>(scale * (static_cast<double>(in[i]) - zero_point));
                     });
  });
  return result;
}

}  // namespace

Tensor dequantize(const Tensor& integers, const Grid& grid) {
  return reals_of<float>(integers, grid);
}

Tensor exact_reals(const Tensor& integers, const Grid& grid) {
  return reals_of<double>(integers, grid);
}

Tensor real_constant(const Value& value) {
  return value.grid && value.is_constant() ? dequantize(value.constant, *value.grid)
                                           : value.constant;
}

std::vector<double> constant_numbers(const Graph& graph, ValueId id) {
  const Tensor wide = convert(real_constant(graph.value(id)), ElementType::f64);
  return {wide.data<double>().begin(), wide.data<double>().end()};
}

}  // namespace intact

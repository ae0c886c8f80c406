// Convolutions: on integers where activation and weights lie on byte grids, else float.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checked.hpp"
#include "engine/lower/integer_product.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {

std::int64_t multiply_adds(const kernels::ConvShape& shape) {
  return saturating_product(
      {shape.out_pixels(), shape.out_channels, shape.taps(), shape.group_in_channels()});
}

SpatialGeometry long_axes_last(const SpatialGeometry& geometry) {
  std::vector<std::size_t> order(geometry.axes());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_partition(order.begin(), order.end(), [&](std::size_t i) {
    return geometry.in[i] == 1 && geometry.kernel[i] == 1 && geometry.out[i] == 1 &&
           geometry.pad_begin[i] == 0 && geometry.pad_end[i] == 0;
  });
  SpatialGeometry result = geometry;
  for (const auto values :
       {&SpatialGeometry::in, &SpatialGeometry::kernel, &SpatialGeometry::stride,
        &SpatialGeometry::dilation, &SpatialGeometry::pad_begin, &SpatialGeometry::pad_end,
        &SpatialGeometry::out})
    for (std::size_t i = 0; i < order.size(); ++i)
      (result.*values)[i] = (geometry.*values)[order[i]];
  return result;
}

kernels::ConvShape conv_shape(const Shape& input, const Shape& output, std::int64_t groups,
                              const SpatialGeometry& geometry) {
  kernels::ConvShape shape;
  shape.batch = input[0];
  shape.in_channels = input[1];
  shape.out_channels = output[1];
  shape.groups = groups;
  const std::size_t lead = 3 - geometry.axes();
  for (std::size_t i = 0; i < geometry.axes(); ++i) {
    shape.in[lead + i] = geometry.in[i];
    shape.out[lead + i] = geometry.out[i];
    shape.kernel[lead + i] = geometry.kernel[i];
    shape.stride[lead + i] = geometry.stride[i];
    shape.dilation[lead + i] = geometry.dilation[i];
    shape.pad_begin[lead + i] = geometry.pad_begin[i];
  }
  return shape;
}

std::array<std::int64_t, 3> trailing_three(const Shape& values) {
  std::array<std::int64_t, 3> result = {0, 0, 0};
  for (std::size_t i = 0; i < values.size(); ++i) result[3 - values.size() + i] = values[i];
  return result;
}

ProductWeights taps_outside(const ProductWeights& weights, const kernels::ConvShape& shape) {
  const std::int64_t taps = shape.taps(), inner = shape.group_in_channels();
  const std::int64_t channels = shape.out_channels;
  if (taps == 1 || inner == 1) return weights;
  return weights.rearranged(fmt::format("taps outside {}x{}", inner, taps),
                            [taps, inner, channels](const ProductWeights::Values& given) {
                              ProductWeights::Values result(given.size());
                              const std::int8_t* from = given.data();
                              std::int8_t* to = result.data();
                              for (std::int64_t o = 0; o < channels;
                                   ++o, from += taps * inner, to += taps * inner)
                                for (std::int64_t t = 0; t < taps; ++t)
                                  for (std::int64_t i = 0; i < inner; ++i)
                                    to[t * inner + i] = from[i * taps + t];
                              return result;
                            });
}

namespace {

void lower_float_conv(Lowering& lowering, const Node& node, const SpatialGeometry& geometry,
                      const std::string& reason) {
  const ValueId x = node.inputs[0], w = node.inputs[1];
  FloatConvOperation conv;
  conv.shape = conv_shape(lowering.shape(x), lowering.shape(node.outputs[0]),
                          node.attributes.integer("group", 1), geometry);
  conv.pad_end = trailing_three(geometry.pad_end);
  const kernels::ConvShape& s = conv.shape;
  conv.weights = lowering.real_constant_of(w).reshaped(
      {s.out_channels, s.group_in_channels(), s.kernel[0], s.kernel[1], s.kernel[2]});
  if (node.has_input(2)) conv.bias = lowering.real_constant_of(node.inputs[2]);
  const std::int64_t macs = multiply_adds(s);
  if (s.taps() == 1 && s.groups == 1 && s.out_pixels() == s.batch &&
      element_count(lowering.shape(x)) == s.batch * s.in_channels &&
      lower_vector_product(lowering, node,
                           {x, w, s.batch, s.in_channels, s.out_channels, true,
                            node.has_input(2) ? node.inputs[2] : no_value, &node},
                           Layout::channels_last, reason))
    return;
  const TensorId input = lowering.real(x, Layout::channels_last);
  const Tail tail = lowering.take_float_tail(node);
  conv.lower = tail.lower;
  conv.upper = tail.upper;
  const TensorId output = lowering.result_tensor(tail, Layout::channels_last);
  Operation& operation = lowering.emit_float(node, tail, std::move(conv), {input}, output);
  operation.macs = macs;
  if (!reason.empty()) operation.reason = reason;
}

}  // namespace

bool lower_conv(Lowering& lowering, const Node& node) {
  if (!node.is("Conv")) return false;
  const ValueId x = node.inputs[0], w = node.inputs[1];
  const bool constant_bias = !node.has_input(2) || lowering.is_constant(node.inputs[2]);
  if (!lowering.is_constant(w) || !constant_bias || lowering.shape(x).size() > 5) return false;
  if (lowering.value(x).type != ElementType::f32) return false;
  const SpatialGeometry geometry =
      long_axes_last(conv_geometry(node, lowering.shape(x), lowering.shape(w)));
  const std::int64_t groups = node.attributes.integer("group", 1);

  IntegerProduct product;
  product.activation = x;
  product.bias = node.has_input(2) ? node.inputs[2] : no_value;
  product.shape = conv_shape(lowering.shape(x), lowering.shape(node.outputs[0]), groups, geometry);
  std::string reason;
  const std::optional<Grid>& grid = lowering.value(w).grid;
  if (grid && grid->block != 0 && groups == 1 && product.shape.is_matrix_product()) {
    if (!lower_blocked_product(lowering, node, node, product, w, 1, Layout::channels_last, reason))
      lower_float_conv(lowering, node, geometry, reason);
    return true;
  }
  if (!read_weights(lowering, node, w, 0, product, reason)) {
    lower_float_conv(lowering, node, geometry, reason);
    return true;
  }
  product.weights = taps_outside(product.weights, product.shape);
  if (!lower_integer_product(lowering, node, node, product, Layout::channels_last, reason))
    lower_float_conv(lowering, node, geometry, reason);
  return true;
}

}  // namespace intact

// Pools, global pools and ReduceMean over the image.
#include <algorithm>

#include "core/checked.hpp"
#include "engine/lower/integer_product.hpp"
#include "engine/lower/magnitude.hpp"
#include "engine/lower/reduce.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {
namespace {

struct Pool {
  bool average = false, count_include_pad = false;
  SpatialGeometry geometry;
};

/// The whole image as one window.
SpatialGeometry whole_image(const Shape& input) {
  SpatialGeometry geometry;
  geometry.in.assign(input.begin() + 2, input.end());
  geometry.kernel = geometry.in;
  const std::size_t axes = geometry.in.size();
  geometry.stride.assign(axes, 1);
  geometry.dilation.assign(axes, 1);
  geometry.pad_begin.assign(axes, 0);
  geometry.pad_end.assign(axes, 0);
  geometry.out.assign(axes, 1);
  return geometry;
}

/// ReduceMean over exactly the spatial axes of an image tensor.
bool is_image_mean(const Lowering& lowering, const Node& node) {
  const auto axes = reduced_axes(lowering, node);
  const std::size_t rank = lowering.shape(node.inputs[0]).size();
  return rank >= 4 && axes && axes->size() == rank - 2 && axes->front() == 2 &&
         axes->back() == rank - 1;
}

bool read_pool(const Lowering& lowering, const Node& node, Pool& pool) {
  if (node.domain != "" || node.inputs.empty() || !lowering.value(node.inputs[0]).shape)
    return false;
  const Shape& input = lowering.shape(node.inputs[0]);
  if (input.size() < 3 || input.size() > 5 || element_count(input) == 0) return false;
  if (node.op == "ReduceMean") {
    if (!is_image_mean(lowering, node)) return false;
    pool.average = true;
    pool.geometry = long_axes_last(whole_image(input));
    return true;
  }
  if (node.op == "GlobalAveragePool" || node.op == "GlobalMaxPool") {
    pool.average = node.op == "GlobalAveragePool";
    pool.geometry = long_axes_last(whole_image(input));
    return true;
  }
  if (node.op != "AveragePool" && node.op != "MaxPool") return false;
  if (node.outputs.size() > 1 && node.outputs[1] != no_value) return false;
  pool.average = node.op == "AveragePool";
  pool.count_include_pad = pool.average && node.attributes.integer("count_include_pad", 0) != 0;
  pool.geometry = long_axes_last(pool_geometry(node, input));
  return true;
}

kernels::ConvShape pool_shape(const Shape& input, const SpatialGeometry& geometry) {
  Shape output = {input[0], input[1]};
  return conv_shape(input, output, input[1], geometry);
}

/// On bytes and words; averages of words are floats, which the Round behind them makes integers.
bool lower_integer_pool(Lowering& lowering, const Node& node, const Pool& pool) {
  const ValueId x = node.inputs[0];
  const Grid& grid = *lowering.value(x).grid;
  PoolOperation operation;
  operation.average = pool.average;
  if (pool.count_include_pad) operation.divisor = kernels::Divisor::padded;
  operation.shape = pool_shape(lowering.shape(x), pool.geometry);
  operation.pad_end = trailing_three(pool.geometry.pad_end);
  operation.src_zero_point = stored_zero_point(grid);
  std::int64_t window = 0;
  const auto& kernel = operation.shape.kernel;
  if (!checked_multiply(kernel[0], kernel[1], &window) ||
      !checked_multiply(window, kernel[2], &window) || window > largest_window)
    return false;
  if (!pool.average) {
    const TensorId input = lowering.bytes(x, Layout::channels_last);
    const TensorId output =
        lowering.new_tensor(lowering.value(node.outputs[0]).name, stored_type(grid),
                            lowering.shape(node.outputs[0]), Layout::channels_last, grid);
    lowering.bind(node.outputs[0], output);
    lowering.emit(node, std::move(operation), {input}, output);
    return true;
  }
  if (!average_fits(grid, window, 1, average_tail(lowering, node))) return false;
  const TensorId input = lowering.bytes(x, Layout::channels_last);
  const Tail tail = take_average_tail(lowering, node);
  operation.stage = lowering.stage_of(tail);
  operation.ratio = tail.grid ? grid.scale[0] / tail.grid->scale[0] : grid.scale[0];
  const TensorId output = lowering.result_tensor(tail, Layout::channels_last);
  lowering.emit(node, tail, std::move(operation), {input}, output);
  return true;
}

/// The mean of a whole image of floats that were computed from integers: an exact sum, which the
/// product before it can add up.
bool lower_exact_mean(Lowering& lowering, const Node& node, const Pool& pool) {
  const ValueId x = node.inputs[0];
  const Shape& shape = lowering.shape(x);
  const Shape& out = lowering.shape(node.outputs[0]);
  if (node.is("AveragePool") || !pool.average || shape[1] == 1 ||
      element_count(out) != shape[0] * shape[1])
    return false;
  const std::int64_t window = element_count(shape) / element_count(out);
  const double unit = exact_unit(lowering, x, window);
  if (unit == 0) return false;
  const TensorId input = lowering.real(x, Layout::channels_last);
  const TensorId output = lowering.result_tensor(Lowering::no_tail(node), Layout::channels_last);
  lowering.emit_float(
      node, FloatReduceOperation{kernels::Reduction::mean, shape[0], window, shape[1], unit},
      {input}, output);
  return true;
}

/// Where an average's windows lie along one axis, as weights. Nothing for single positions beside
/// the image, which weights cannot make 0.
std::optional<ResizeOperation::Axis> weights_of(const Pool& pool, const kernels::ConvShape& shape,
                                                std::int64_t pad_end, std::size_t i) {
  const std::int64_t taps = shape.kernel[i], in = shape.in[i];
  if (taps == 1 && (shape.pad_begin[i] != 0 || pad_end != 0)) return std::nullopt;
  ResizeOperation::Axis axis{in, shape.out[i], taps, {}, {}, {}};
  for (std::int64_t out = 0; out < shape.out[i]; ++out) {
    const std::int64_t first = out * shape.stride[i] - shape.pad_begin[i];
    std::int64_t inside = 0, padded = 0;
    for (std::int64_t k = 0; k < taps; ++k) {
      const std::int64_t at = first + k * shape.dilation[i];
      inside += at >= 0 && at < in;
      padded += at < in + pad_end;
    }
    const auto count =
        static_cast<float>(std::max<std::int64_t>(pool.count_include_pad ? padded : inside, 1));
    for (std::int64_t k = 0; k < taps; ++k) {
      const std::int64_t at = first + k * shape.dilation[i];
      axis.index.push_back(static_cast<std::int32_t>(std::clamp<std::int64_t>(at, 0, in - 1)));
      axis.weight.push_back(at >= 0 && at < in ? 1 / count : 0);
    }
  }
  return axis;
}

/// An average over windows of floats that were computed from integers: a sum with weights along
/// each axis, which follows the lines of the convolution before it.
bool lower_weighted_average(Lowering& lowering, const Node& node, const Pool& pool) {
  const ValueId x = node.inputs[0];
  if (!pool.average || !Magnitudes(lowering).bound(x)) return false;
  const kernels::ConvShape shape = pool_shape(lowering.shape(x), pool.geometry);
  const auto pad_end = trailing_three(pool.geometry.pad_end);
  constexpr std::int64_t most_taps = std::int64_t{1} << 22;
  ResizeOperation operation;
  operation.batch = shape.batch;
  operation.channels = shape.in_channels;
  for (std::size_t i = 0; i < 3; ++i) {
    std::int64_t taps = 0;
    if (!checked_multiply(shape.out[i], shape.kernel[i], &taps) || taps > most_taps) return false;
    auto axis = weights_of(pool, shape, pad_end[i], i);
    if (!axis) return false;
    operation.axis[i] = std::move(*axis);
  }
  const TensorId input = lowering.real(x, Layout::channels_last);
  const Tail tail = lowering.take_round(node);
  const TensorId output = lowering.result_tensor(tail, Layout::channels_last);
  lowering.emit_float(node, tail, std::move(operation), {input}, output);
  return true;
}

/// A last window of ceil_mode that hangs over the declared padding: oneDNN would count it as
/// padding.
bool reaches_beyond_padding(const FloatPoolOperation& pool) {
  const kernels::ConvShape& s = pool.shape;
  for (std::size_t i = 0; i < 3; ++i)
    if ((s.out[i] - 1) * s.stride[i] + s.kernel[i] > s.in[i] + s.pad_begin[i] + pool.pad_end[i])
      return true;
  return false;
}

}  // namespace

bool lower_pool(Lowering& lowering, const Node& node) {
  Pool pool;
  if (!read_pool(lowering, node, pool)) return false;
  const ValueId x = node.inputs[0];
  const bool grids_fit = pool.average || lowering.on_stored_grid(node.outputs[0]);
  if (lowering.on_stored_grid(x) && grids_fit && lower_integer_pool(lowering, node, pool))
    return true;
  if (lowering.value(x).type != ElementType::f32 || lowering.value(node.outputs[0]).grid)
    return false;
  if (lower_exact_mean(lowering, node, pool) || lower_weighted_average(lowering, node, pool))
    return true;
  FloatPoolOperation operation;
  operation.average = pool.average;
  operation.count_include_pad = pool.count_include_pad;
  operation.shape = pool_shape(lowering.shape(x), pool.geometry);
  operation.pad_end = trailing_three(pool.geometry.pad_end);
  const auto& dilation = operation.shape.dilation;
  if (std::any_of(dilation.begin(), dilation.end(), [](std::int64_t d) { return d != 1; }))
    return false;
  if (operation.count_include_pad && reaches_beyond_padding(operation)) return false;
  const TensorId input = lowering.real(x, Layout::channels_last);
  const TensorId output =
      lowering.new_tensor(lowering.value(node.outputs[0]).name, ElementType::f32,
                          lowering.shape(node.outputs[0]), Layout::channels_last);
  lowering.bind(node.outputs[0], output);
  lowering.emit_float(node, std::move(operation), {input}, output);
  return true;
}

}  // namespace intact

// Reductions over any axes; ReduceMean, ReduceSum, ReduceMax and ReduceMin of bytes and words are a
// pool whose window is everything that is joined. The axes that stay are the images before it and
// the channels behind it in memory, where a copy puts them if they do not lie so.
#include "engine/lower/reduce.hpp"

#include <algorithm>
#include <cmath>

#include "engine/lower/magnitude.hpp"
#include "graph/checks.hpp"

namespace intact {
namespace {

/// Elements in memory as [batch][window][channels].
struct Reduction {
  AxisOrder order;   ///< of the input
  AxisOrder result;  ///< of the output
  std::int64_t batch = 1, window = 1, channels = 1;
};

bool contains(const AxisOrder& axes, std::size_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// The axis of the output that an axis of the input becomes, and for joined ones, where they are
/// kept with one element, their own.
AxisOrder result_order(const AxisOrder& order, const AxisOrder& joined, bool keeps_axes) {
  AxisOrder result;
  for (const std::size_t axis : order) {
    if (keeps_axes) result.push_back(axis);
    if (keeps_axes || contains(joined, axis)) continue;
    const auto before = std::count_if(joined.begin(), joined.end(),
                                      [&](std::size_t other) { return other < axis; });
    result.push_back(axis - static_cast<std::size_t>(before));
  }
  return result;
}

/// Absent when the joined axes are not neighbours in this order.
std::optional<Reduction> in_order(const Shape& shape, const AxisOrder& joined, bool keeps_axes,
                                  AxisOrder order) {
  Reduction reduction;
  bool seen = false, behind = false;
  for (const std::size_t axis : order) {
    if (shape[axis] == 1) continue;
    if (contains(joined, axis)) {
      if (behind) return std::nullopt;
      seen = true;
      reduction.window *= shape[axis];
    } else if (seen) {
      behind = true;
      reduction.channels *= shape[axis];
    } else {
      reduction.batch *= shape[axis];
    }
  }
  reduction.result = result_order(order, joined, keeps_axes);
  reduction.order = std::move(order);
  return reduction;
}

/// Channels are what kernels of integers are fast along; a copy that makes some is cheaper than
/// none.
bool is_fast(const Reduction& reduction) {
  return reduction.channels > 1 || reduction.batch == 1;
}

Reduction reduction_of(const Shape& shape, const Shape& out, const AxisOrder& joined,
                       bool keeps_axes, Layout stored, bool rows_are_fast) {
  const AxisOrder as_stored = memory_order(shape.size(), stored);
  if (const auto direct = in_order(shape, joined, keeps_axes, as_stored);
      direct && (rows_are_fast || is_fast(*direct)) && layout_in_order(out, direct->result))
    return *direct;
  return *in_order(shape, joined, keeps_axes, order_with_outer(shape.size(), joined));
}

kernels::ConvShape shape_of(const Reduction& reduction) {
  kernels::ConvShape shape;
  shape.batch = reduction.batch;
  shape.in = {1, 1, reduction.window};
  shape.kernel = {1, 1, reduction.window};
  shape.out = {1, 1, 1};
  shape.in_channels = shape.out_channels = reduction.channels;
  return shape;
}

/// In bytes too.
bool has_byte_kernel(const Node& node) {
  return node.is("ReduceMean") || node.is("ReduceSum") || node.is("ReduceMax") ||
         node.is("ReduceMin");
}
bool has_float_kernel(const Node& node) {
  return has_byte_kernel(node) || node.is("ReduceL1") || node.is("ReduceL2") ||
         node.is("ReduceSumSquare") || node.is("ReduceLogSumExp");
}

}  // namespace

Tail average_tail(const Lowering& lowering, const Node& node) {
  Tail tail = lowering.peek_tail(node);
  return tail.grid && lowering.on_byte_grid(node.inputs[0]) ? tail : Lowering::no_tail(node);
}

Tail take_average_tail(Lowering& lowering, const Node& node) {
  return average_tail(lowering, node).grid ? lowering.take_tail(node) : Lowering::no_tail(node);
}

bool average_fits(const Grid& grid, std::int64_t window, std::int64_t terms, const Tail& tail) {
  if (window > (has_words(grid) ? kernels::kMaxWordWindow : largest_window)) return false;
  const float most = 255.0f * static_cast<float>(terms);
  return !tail.grid || most * (grid.scale[0] / tail.grid->scale[0]) < largest_rescaled;
}

double exact_unit(const Lowering& lowering, ValueId x, std::int64_t window) {
  const auto bound = Magnitudes(lowering).bound(x);
  if (!bound || window < 1) return 0;
  constexpr int bits = 50;
  constexpr double least = 1e-200;  // far from subnormal numbers
  const double most = std::max(*bound, least) * static_cast<double>(window);
  return std::ldexp(1.0, std::ilogb(most) + 1 - bits);
}

std::optional<AxisOrder> reduced_axes(const Lowering& lowering, const Node& node) {
  std::vector<std::int64_t> given = node.attributes.integers("axes");
  if (node.has_input(1)) {
    if (!lowering.is_constant(node.inputs[1])) return std::nullopt;
    const auto axes = lowering.value(node.inputs[1]).constant.data<std::int64_t>();
    given.assign(axes.begin(), axes.end());
  }
  const std::size_t rank = lowering.shape(node.inputs[0]).size();
  if (given.empty()) {
    if (rank == 0 || node.attributes.integer("noop_with_empty_axes", 0) != 0) return std::nullopt;
    return memory_order(rank, Layout::plain);
  }
  const std::vector<int> axes = normalize_axes(node, given, static_cast<int>(rank));
  AxisOrder result(axes.begin(), axes.end());
  std::sort(result.begin(), result.end());
  return result;
}

namespace {

kernels::Reduction float_function(const Node& node) {
  if (node.is("ReduceMax")) return kernels::Reduction::greatest;
  if (node.is("ReduceMin")) return kernels::Reduction::least;
  if (node.is("ReduceL1")) return kernels::Reduction::magnitudes;
  if (node.is("ReduceL2")) return kernels::Reduction::norm;
  if (node.is("ReduceSumSquare")) return kernels::Reduction::squares;
  if (node.is("ReduceLogSumExp")) return kernels::Reduction::log_sum_exp;
  return node.is("ReduceMean") ? kernels::Reduction::mean : kernels::Reduction::sum;
}

bool lower_float_reduce(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0];
  if (lowering.value(x).type != ElementType::f32 || lowering.value(node.outputs[0]).grid)
    return false;
  const auto joined = reduced_axes(lowering, node);
  if (!joined || lowering.is_constant(x)) return false;
  const Reduction reduction =
      reduction_of(lowering.shape(x), lowering.shape(node.outputs[0]), *joined,
                   node.attributes.integer("keepdims", 1) != 0, lowering.layout_of(x), true);
  const TensorId input = arranged_real(lowering, x, reduction.order);
  const ArrangedResult output =
      arranged_result(lowering, Lowering::no_tail(node), reduction.result);
  FloatReduceOperation operation{float_function(node), reduction.batch, reduction.window,
                                 reduction.channels};
  if (node.is("ReduceMean") && reduction.channels > 1)
    operation.unit = exact_unit(lowering, x, reduction.window);
  lowering.emit_float(node, operation, {input}, output.written);
  output.finish(lowering);
  return true;
}

}  // namespace

bool lower_reduce(Lowering& lowering, const Node& node) {
  if (!has_float_kernel(node)) return false;
  const ValueId x = node.inputs[0];
  if (!has_byte_kernel(node) || !lowering.on_stored_grid(x))
    return lower_float_reduce(lowering, node);
  const auto joined = reduced_axes(lowering, node);
  if (!joined || lowering.is_constant(x)) return false;
  const Reduction reduction =
      reduction_of(lowering.shape(x), lowering.shape(node.outputs[0]), *joined,
                   node.attributes.integer("keepdims", 1) != 0, lowering.layout_of(x), false);
  const Grid& grid = *lowering.value(x).grid;
  PoolOperation operation;
  operation.shape = shape_of(reduction);
  operation.src_zero_point = stored_zero_point(grid);
  operation.average = node.is("ReduceMean") || node.is("ReduceSum");
  if (!operation.average) {
    if (!lowering.on_stored_grid(node.outputs[0])) return false;
    operation.extreme = node.is("ReduceMin") ? kernels::Extreme::least : kernels::Extreme::greatest;
    const TensorId input = arranged_bytes(lowering, x, reduction.order);
    Tail tail = Lowering::no_tail(node);
    tail.grid = grid;
    const ArrangedResult output = arranged_result(lowering, tail, reduction.result);
    lowering.emit(node, tail, std::move(operation), {input}, output.written);
    output.finish(lowering);
    return true;
  }
  const std::int64_t terms = node.is("ReduceSum") ? reduction.window : 1;
  if (!average_fits(grid, reduction.window, terms, average_tail(lowering, node)))
    return has_words(grid) && lower_float_reduce(lowering, node);
  if (node.is("ReduceSum")) operation.divisor = kernels::Divisor::one;
  const TensorId input = arranged_bytes(lowering, x, reduction.order);
  const Tail tail = take_average_tail(lowering, node);
  operation.stage = lowering.stage_of(tail);
  operation.ratio = tail.grid ? grid.scale[0] / tail.grid->scale[0] : grid.scale[0];
  const ArrangedResult output = arranged_result(lowering, tail, reduction.result);
  lowering.emit(node, tail, std::move(operation), {input}, output.written);
  output.finish(lowering);
  return true;
}

}  // namespace intact

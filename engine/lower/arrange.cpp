// Orders of axes, and the copies that establish them.
#include "engine/lower/arrange.hpp"

#include <algorithm>
#include <numeric>

#include "engine/lower/reasons.hpp"
#include "intact/cpu.hpp"

namespace intact {
namespace {

AxisOrder without_single(const Shape& shape, AxisOrder order) {
  std::erase_if(order, [&](std::size_t axis) { return shape[axis] == 1; });
  return order;
}

Shape permuted_shape(const Shape& shape, const AxisOrder& order) {
  Shape result;
  for (const std::size_t axis : order) result.push_back(shape[axis]);
  return result;
}

TensorId arranged(Lowering& lowering, ValueId id, const AxisOrder& order,
                  TensorId (Lowering::*stored)(ValueId, Layout)) {
  const Shape& shape = lowering.shape(id);
  if (const auto layout = layout_in_order(shape, order)) return (lowering.*stored)(id, *layout);
  const TensorId source = (lowering.*stored)(id, lowering.layout_of(id));
  const StoredTensor from = lowering.program().tensor(source);
  const TensorId target = lowering.new_tensor(from.name, from.type, permuted_shape(shape, order),
                                              Layout::plain, from.grid);
  CopyOperation copy;
  copy.extents = lowering.program().tensor(target).shape;
  copy.dst_strides = lowering.program().tensor(target).strides();
  const auto strides = from.strides();
  for (const std::size_t axis : order) copy.src_strides.push_back(strides[axis]);
  lowering.emit_layout(std::move(copy), source, target, "in another order");
  return target;
}

}  // namespace

AxisOrder memory_order(std::size_t rank, Layout layout) {
  AxisOrder order(rank);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (layout == Layout::channels_last && rank > 2)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

AxisOrder order_with_outer(std::size_t rank, const AxisOrder& first) {
  AxisOrder order = first;
  for (std::size_t axis = 0; axis < rank; ++axis)
    if (std::find(first.begin(), first.end(), axis) == first.end()) order.push_back(axis);
  return order;
}

AxisOrder order_with_inner(std::size_t rank, const AxisOrder& last) {
  AxisOrder order = order_with_outer(rank, last);
  std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(last.size()), order.end());
  return order;
}

std::optional<Layout> layout_in_order(const Shape& shape, const AxisOrder& order) {
  // Where both layouts have it, the one that has it for any extents.
  if (shape.size() > 2 && order == memory_order(shape.size(), Layout::channels_last))
    return Layout::channels_last;
  const AxisOrder wanted = without_single(shape, order);
  for (const Layout layout : {Layout::plain, Layout::channels_last})
    if (without_single(shape, memory_order(shape.size(), layout)) == wanted) return layout;
  return std::nullopt;
}

void copy_now(const kernels::CopyArgs& copy) {
  const auto kernels = kernels::copy_kernels();
  std::find_if(kernels.begin(), kernels.end(), [](const kernels::CopyKernel& kernel) {
    return cpu_supports(kernel.isa);
  })->run(copy, {});
}

Tensor relaid_elements(const StoredTensor& from, const std::vector<std::int64_t>& strides) {
  Tensor result(from.type, from.shape);
  const auto own = from.strides();
  kernels::CopyArgs copy;
  copy.rank = static_cast<int>(own.size());
  std::copy(from.shape.begin(), from.shape.end(), copy.extents.begin());
  std::copy(own.begin(), own.end(), copy.src_strides.begin());
  std::copy(strides.begin(), strides.end(), copy.dst_strides.begin());
  copy.element_bytes = static_cast<int>(element_size(from.type));
  copy.src = from.constant.raw();
  copy.dst = result.raw();
  copy_now(copy);
  return result;
}

TensorId arranged_bytes(Lowering& lowering, ValueId id, const AxisOrder& order) {
  return arranged(lowering, id, order, &Lowering::bytes);
}

TensorId arranged_real(Lowering& lowering, ValueId id, const AxisOrder& order) {
  return arranged(lowering, id, order, &Lowering::real);
}

ArrangedResult arranged_result(Lowering& lowering, const Tail& tail, const AxisOrder& order) {
  const Shape& shape = lowering.shape(tail.result);
  if (const auto layout = layout_in_order(shape, order)) {
    const TensorId tensor = lowering.result_tensor(tail, *layout);
    return {tensor, tensor, order};
  }
  const TensorId result = lowering.result_tensor(tail, Layout::plain);
  const StoredTensor like = lowering.program().tensor(result);
  return {lowering.new_tensor(like.name, like.type, permuted_shape(shape, order), Layout::plain,
                              like.grid),
          result, order};
}

void ArrangedResult::finish(Lowering& lowering) const {
  if (written == result) return;
  const StoredTensor from = lowering.program().tensor(written);
  const auto strides = lowering.program().tensor(result).strides();
  CopyOperation copy;
  copy.extents = from.shape;
  copy.src_strides = from.strides();
  for (const std::size_t axis : order) copy.dst_strides.push_back(strides[axis]);
  lowering.emit_layout(std::move(copy), written, result, "in the order of the file");
}

}  // namespace intact

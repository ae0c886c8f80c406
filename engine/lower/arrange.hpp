// Tensors with their axes in another order in memory, for kernels that want certain axes innermost.
#pragma once

#include "engine/lower/lowering.hpp"
#include "kernels/layout/layout.hpp"

namespace intact {

/// Axes of a tensor in the order of its memory, outermost first.
using AxisOrder = std::vector<std::size_t>;

AxisOrder memory_order(std::size_t rank, Layout layout);
/// `first`, then the axes that it does not name, in ascending order.
AxisOrder order_with_outer(std::size_t rank, const AxisOrder& first);
/// The axes that `last` does not name, in ascending order, then `last`.
AxisOrder order_with_inner(std::size_t rank, const AxisOrder& last);

/// The layout whose elements lie in this order; axes of one element do not count. Absent when no
/// layout does.
std::optional<Layout> layout_in_order(const Shape& shape, const AxisOrder& order);

/// Copies now, with the fastest kernel that the CPU has.
void copy_now(const kernels::CopyArgs& copy);
/// The elements of the constant `from` in the order of another layout.
Tensor relaid_elements(const StoredTensor& from, const std::vector<std::int64_t>& strides);

/// The value as bytes of its grid, or as floats, in this order: as it is stored, or as a copy whose
/// shape is permuted.
TensorId arranged_bytes(Lowering& lowering, ValueId id, const AxisOrder& order);
TensorId arranged_real(Lowering& lowering, ValueId id, const AxisOrder& order);

/// A tensor of the tail's result, bound to it, for a kernel that writes in this order. Where no
/// layout has the order, the kernel writes an intermediate tensor; `finish` copies it.
struct ArrangedResult {
  TensorId written = no_tensor;  ///< by the kernel
  TensorId result = no_tensor;
  AxisOrder order;

  void finish(Lowering& lowering) const;
};
ArrangedResult arranged_result(Lowering& lowering, const Tail& tail, const AxisOrder& order);

}  // namespace intact

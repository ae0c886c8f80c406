// Broadcasting as loops: strides along the output's axes, in the order of its memory.
#include "engine/steps/broadcast.hpp"

#include <algorithm>

#include "intact/error.hpp"

namespace intact {
namespace {

/// Along the axes of `out`; 0 where the operand repeats.
std::vector<std::int64_t> strides_along(const StoredTensor& operand, const Shape& out) {
  const auto own = operand.strides();
  std::vector<std::int64_t> result(out.size(), 0);
  const std::size_t missing = out.size() - own.size();
  for (std::size_t i = 0; i < own.size(); ++i)
    if (operand.shape[i] == out[missing + i] && operand.shape[i] != 1) result[missing + i] = own[i];
  return result;
}

bool is_run(const BroadcastAxis& axis) {
  const auto& operand = axis.strides.operand;
  return axis.strides.output == 1 && std::all_of(operand.begin(), operand.end(),
                                                 [](std::int64_t stride) { return stride <= 1; });
}

/// The axes of the output, outermost in memory first.
std::vector<BroadcastAxis> axes_of(const std::vector<const StoredTensor*>& operands,
                                   const StoredTensor& out) {
  const auto along_out = out.strides();
  std::vector<BroadcastAxis> axes(out.shape.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    axes[i].extent = out.shape[i];
    axes[i].strides.output = along_out[i];
  }
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const auto along = strides_along(*operands[k], out.shape);
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i].strides.operand[k] = along[i];
  }
  if (axes.empty()) axes.push_back({1, {{}, 1}});
  if (out.layout == Layout::channels_last)
    std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  return axes;
}

/// Makes `outer` and `inner` one loop if they are.
bool join(const BroadcastAxis& outer, BroadcastAxis& inner) {
  if (outer.extent == 1) return true;
  if (inner.extent == 1) {
    if (!is_run(outer)) return false;
    inner = outer;
    return true;
  }
  if (outer.strides.output != inner.strides.output * inner.extent) return false;
  for (std::size_t k = 0; k < inner.strides.operand.size(); ++k)
    if (outer.strides.operand[k] != inner.strides.operand[k] * inner.extent) return false;
  inner.extent *= outer.extent;
  return true;
}

}  // namespace

BroadcastStrides BroadcastLoops::offsets(std::int64_t i) const {
  BroadcastStrides result;
  for (std::size_t k = outer.size(); k-- > 0;) {
    const std::int64_t index = i % outer[k].extent;
    i /= outer[k].extent;
    for (std::size_t j = 0; j < result.operand.size(); ++j)
      result.operand[j] += index * outer[k].strides.operand[j];
    result.output += index * outer[k].strides.output;
  }
  return result;
}

BroadcastLoops broadcast_loops(const std::vector<const StoredTensor*>& operands,
                               const StoredTensor& out) {
  const auto axes = axes_of(operands, out);
  std::vector<BroadcastAxis> joined{axes.back()};  // innermost first
  for (std::size_t i = axes.size() - 1; i-- > 0;)
    if (!join(axes[i], joined.back())) joined.push_back(axes[i]);
  BroadcastLoops loops;
  loops.run = joined[0];
  if (loops.run.extent == 1) loops.run.strides = {{}, 1};
  if (!is_run(loops.run)) throw Error("internal: operands of '" + out.name + "' in other layouts");
  if (joined.size() > 1) loops.rows = joined[1];
  for (std::size_t i = joined.size(); i-- > 2;) {
    loops.outer.push_back(joined[i]);
    loops.outer_count *= joined[i].extent;
  }
  return loops;
}

}  // namespace intact

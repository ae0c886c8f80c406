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
  return axis.strides[0] <= 1 && axis.strides[1] <= 1 && axis.strides[2] == 1;
}

/// The axes of the output, outermost in memory first.
std::vector<BroadcastAxis> axes_of(const StoredTensor& a, const StoredTensor& b,
                                   const StoredTensor& out) {
  const auto along_a = strides_along(a, out.shape), along_b = strides_along(b, out.shape);
  const auto along_out = out.strides();
  std::vector<BroadcastAxis> axes;
  for (std::size_t i = 0; i < out.shape.size(); ++i)
    axes.push_back({out.shape[i], {along_a[i], along_b[i], along_out[i]}});
  if (axes.empty()) axes.push_back({1, {0, 0, 1}});
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
  for (std::size_t i = 0; i < 3; ++i)
    if (outer.strides[i] != inner.strides[i] * inner.extent) return false;
  inner.extent *= outer.extent;
  return true;
}

}  // namespace

std::array<std::int64_t, 3> BroadcastLoops::offsets(std::int64_t i) const {
  std::array<std::int64_t, 3> result = {};
  for (std::size_t k = outer.size(); k-- > 0;) {
    const std::int64_t index = i % outer[k].extent;
    i /= outer[k].extent;
    for (std::size_t j = 0; j < 3; ++j) result[j] += index * outer[k].strides[j];
  }
  return result;
}

BroadcastLoops broadcast_loops(const StoredTensor& a, const StoredTensor& b,
                               const StoredTensor& out) {
  const auto axes = axes_of(a, b, out);
  std::vector<BroadcastAxis> joined{axes.back()};  // innermost first
  for (std::size_t i = axes.size() - 1; i-- > 0;)
    if (!join(axes[i], joined.back())) joined.push_back(axes[i]);
  BroadcastLoops loops;
  loops.run = joined[0];
  if (loops.run.extent == 1) loops.run.strides = {0, 0, 1};
  if (!is_run(loops.run)) throw Error("internal: operands of '" + out.name + "' in other layouts");
  if (joined.size() > 1) loops.rows = joined[1];
  for (std::size_t i = joined.size(); i-- > 2;) {
    loops.outer.push_back(joined[i]);
    loops.outer_count *= joined[i].extent;
  }
  return loops;
}

}  // namespace intact

// Reading and writing images in either layout; the operators that exist for channels-last images
// only.
#include "graph/onnx/expand/channels_last.hpp"

#include <algorithm>
#include <numeric>

#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

/// Axes in the order in which the result has them.
Attributes permutation(int rank, bool to_first) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (to_first)
    std::rotate(order.begin() + 1, order.end() - 1, order.end());
  else
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return attributes_of({{"perm", order}});
}

/// Spatial axes and two more, told by the attribute that every pool has.
int pool_rank(const Expansion& e) {
  const std::size_t spatial = e.node().attributes.integers("kernel_shape").size();
  if (spatial == 0) refuse(e.node(), "kernel_shape is absent; pooling needs one");
  return static_cast<int>(spatial) + 2;
}

void expand_max_pool(Expansion& e) {
  ImageLayout layout(e, true, pool_rank(e));
  const ValueId x = layout.read(e.operand(0));
  layout.give(0, e.main(e.add("MaxPool", {x}, e.attributes_without({"channels_last"}))));
}

/// Operators of ONNX Runtime's internal domain: those of ONNX, with activations channels last.
void expand_internal(Expansion& e) {
  const Node& node = e.node();
  const bool pool = node.op.find("Pool") != std::string::npos;
  const bool global = node.op.starts_with("Global");
  const int rank = e.needed_rank(pool ? e.operand(0) : e.operand(1));
  ImageLayout layout(e, true, pool && !global ? pool_rank(e) : rank);
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = layout.read(e.operand(0));
  layout.give(0, e.main(e.add(node.op, inputs, node.attributes)));
}

constexpr ExpansionRule rules[] = {
    {"NhwcMaxPool", "com.microsoft", expand_max_pool},
    {"Conv", "com.ms.internal.nhwc", expand_internal},
    {"ConvTranspose", "com.ms.internal.nhwc", expand_internal},
    {"MaxPool", "com.ms.internal.nhwc", expand_internal},
    {"AveragePool", "com.ms.internal.nhwc", expand_internal},
    {"GlobalAveragePool", "com.ms.internal.nhwc", expand_internal},
    {"GlobalMaxPool", "com.ms.internal.nhwc", expand_internal},
};

}  // namespace

ImageLayout ImageLayout::following(Expansion& expansion, const std::vector<std::size_t>& operands) {
  const auto& known = expansion.walk().channels_first;
  int rank = 0;
  for (const std::size_t i : operands) {
    const ValueId id = expansion.operand(i);
    if (const Tensor* constant = expansion.constant(id); constant && constant->size() == 1)
      continue;
    const auto found = known.find(id);
    if (found == known.end() || (rank != 0 && rank != found->second.rank))
      return {expansion, false, 0};
    rank = found->second.rank;
  }
  ImageLayout layout(expansion, rank != 0, rank);
  layout.single_constants_ = true;
  return layout;
}

std::int64_t ImageLayout::axis(std::int64_t in_file) const {
  if (!channels_last_) return in_file;
  const std::int64_t last = rank_ - 1, axis = in_file < 0 ? in_file + rank_ : in_file;
  if (axis < 0 || axis > last)
    refuse(expansion_.node(), "axis {} is out of range for rank {}", in_file, rank_);
  if (axis == 0) return 0;
  return axis == last ? 1 : axis + 1;
}

ValueId ImageLayout::read(ValueId image) {
  if (!channels_last_ || rank_ <= 2 || image == no_value) return image;
  const auto& known = expansion_.walk().channels_first;
  const auto found = known.find(image);
  if (found != known.end()) return found->second.image;
  if (single_constants_) return image;
  return expansion_.add("Transpose", {image}, permutation(rank_, true));
}

void ImageLayout::give(std::size_t i, ValueId image) {
  if (!channels_last_ || rank_ <= 2) return expansion_.give(i, image);
  expansion_.give(i, expansion_.add("Transpose", {image}, permutation(rank_, false)));
  if (expansion_.wants(i))
    expansion_.walk().channels_first[expansion_.node().outputs[i]] = {image, rank_};
}

std::span<const ExpansionRule> channels_last_rules() {
  return rules;
}

}  // namespace intact

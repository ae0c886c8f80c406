// Sums of tensors on grids that are rounded late, or more than once: chains of residual additions
// whose inner sums have no grid. Each Round of such a sum, and each use of it as float, reads the
// bytes of all terms; the inner sums are never stored.
#include <algorithm>

#include "engine/lower/lowering.hpp"

namespace intact {
namespace {

struct Sum {
  std::vector<ValueId> terms;      ///< on byte grids, of the output's shape
  ValueId addend = no_value;       ///< constant float, one element per channel
  std::vector<const Node*> nodes;  ///< additions, in topological order
  int additions = 0;               ///< met so far, from the outermost inwards
};

/// The terms that the kernel takes and a constant; also bounds the work per node, and recursion.
constexpr int most_additions = kernels::ByteSumArgs::most_terms;

/// One element along the innermost axis of `out` in this layout, and 1 along all others.
bool is_per_channel(const Shape& given, const Shape& out, Layout layout) {
  if (given.size() > out.size() || given.empty()) return false;
  if (layout == Layout::channels_last && out.size() < 3) return false;
  Shape padded(out.size() - given.size(), 1);
  padded.insert(padded.end(), given.begin(), given.end());
  const std::size_t inner = layout == Layout::channels_last ? 1 : out.size() - 1;
  return padded[inner] == out[inner] && element_count(padded) == out[inner];
}

/// False when `id` is not such a sum. A tensor on a byte grid is a sum of one term.
bool read_sum(const Lowering& lowering, ValueId id, const Shape& shape, Sum& sum) {
  if (!lowering.value(id).shape || lowering.shape(id) != shape) return false;
  if (lowering.on_byte_grid(id)) {
    sum.terms.push_back(id);
    return !lowering.is_constant(id) && sum.terms.size() <= kernels::ByteSumArgs::most_terms;
  }
  const Node* node = lowering.producer(id);
  if (node == nullptr || !node->is("Add") || node->version < 7 || ++sum.additions > most_additions)
    return false;
  for (const std::size_t i : {0, 1}) {
    const ValueId input = node->inputs[i], other = node->inputs[1 - i];
    if (!lowering.is_constant(input)) continue;
    const Value& constant = lowering.value(input);
    if (sum.addend != no_value || constant.type != ElementType::f32 ||
        !read_sum(lowering, other, shape, sum))
      return false;
    sum.addend = input;
    sum.nodes.push_back(node);
    return is_per_channel(constant.constant.shape(), shape, Layout::plain) ||
           is_per_channel(constant.constant.shape(), shape, Layout::channels_last);
  }
  if (!read_sum(lowering, node->inputs[0], shape, sum) ||
      !read_sum(lowering, node->inputs[1], shape, sum))
    return false;
  sum.nodes.push_back(node);
  return true;
}

/// That of the first term, unless the addend runs along another axis.
Layout layout_of(const Lowering& lowering, const Sum& sum) {
  const Layout layout = lowering.layout_of(sum.terms[0]);
  if (sum.addend == no_value) return layout;
  const Shape& addend = lowering.value(sum.addend).constant.shape();
  if (is_per_channel(addend, lowering.shape(sum.terms[0]), layout)) return layout;
  return layout == Layout::plain ? Layout::channels_last : Layout::plain;
}

bool is_sum(const Lowering& lowering, ValueId id, Sum& sum) {
  return lowering.value(id).shape && read_sum(lowering, id, lowering.shape(id), sum) &&
         !sum.nodes.empty();
}

/// Every use of `id` reads the terms instead of the sum.
bool never_stored(const Lowering& lowering, ValueId id) {
  if (lowering.graph().is_output(id)) return false;
  const auto& consumers = lowering.consumers(id);
  return std::all_of(consumers.begin(), consumers.end(), [&](int index) {
    const Node& consumer = lowering.graph().nodes[static_cast<std::size_t>(index)];
    Sum larger;
    return consumer.is_round()
               ? lowering.on_byte_grid(consumer.outputs[0])
               : consumer.is("Add") && is_sum(lowering, consumer.outputs[0], larger);
  });
}

void emit_sum(Lowering& lowering, const Node& node, const Sum& sum, Tail tail) {
  const Layout layout = layout_of(lowering, sum);
  const float divisor = tail.grid ? tail.grid->scale[0] : 1.0f;
  ByteSumOperation operation;
  std::vector<TensorId> terms;
  for (const ValueId term : sum.terms) {
    const Grid& grid = *lowering.value(term).grid;
    operation.zero_point.push_back(stored_zero_point(grid));
    operation.multiplier.push_back(std::min(grid.scale[0] / divisor, largest_ratio));
    terms.push_back(lowering.bytes(term, layout));
  }
  if (sum.addend != no_value) {
    const Tensor real = real_constant(lowering.value(sum.addend));
    for (const float x : real.data<float>())
      operation.addend.push_back(std::clamp(x / divisor, -largest_ratio, largest_ratio));
  }
  operation.stage = lowering.stage_of(tail);
  std::vector<std::string> sources;
  for (const Node* addition : sum.nodes)
    if (lowering.claim_sources(*addition))
      sources.insert(sources.end(), addition->sources.begin(), addition->sources.end());
  for (const std::string& source : tail.sources)
    if (std::find(sources.begin(), sources.end(), source) == sources.end())
      sources.push_back(source);
  const TensorId output = lowering.result_tensor(tail, layout);
  Operation& emitted = lowering.emit(node, tail, std::move(operation), std::move(terms), output);
  emitted.sources = std::move(sources);
  emitted.op = "Add";
}

}  // namespace

bool lower_sum(Lowering& lowering, const Node& node) {
  Sum sum;
  if (node.is_round()) {
    if (!is_sum(lowering, node.inputs[0], sum)) return false;
    Tail tail;
    tail.grid = lowering.value(node.outputs[0]).grid;
    tail.result = node.outputs[0];
    tail.sources = node.sources;
    emit_sum(lowering, node, sum, std::move(tail));
    return true;
  }
  if (!node.is("Add") || !is_sum(lowering, node.outputs[0], sum)) return false;
  const Node* next = lowering.only_consumer(node.outputs[0]);
  const bool one_round = next != nullptr && next->is_round();
  if (!one_round && never_stored(lowering, node.outputs[0])) return true;
  const bool constant_on_grid = sum.addend != no_value && lowering.on_byte_grid(sum.addend);
  if (sum.nodes.size() == 1 && (sum.addend == no_value || constant_on_grid))
    return false;  // lower_binary, which residuals fuse
  emit_sum(lowering, node, sum, lowering.take_tail(node));
  return true;
}

}  // namespace intact

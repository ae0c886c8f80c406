// Concat: one copy per input into its slot (place_concat then lets the producers write there). Inputs
// on different grids with a Round behind them are requantized by a table on the way.
#include <algorithm>

#include "engine/lower/lowering.hpp"

namespace intact {
namespace {

/// The Round to a byte grid that is the only consumer of a Concat of tensors on byte grids; else null.
const Node* round_behind(const Lowering& lowering, const Node& node) {
  const Node* next = lowering.only_consumer(node.outputs[0]);
  if (next == nullptr || !next->is_round() || !lowering.on_byte_grid(next->outputs[0])) return nullptr;
  const bool all = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return lowering.on_byte_grid(id); });
  return all ? next : nullptr;
}

/// Bytes of grid `from` as bytes of grid `to`.
TableOperation requantization(const Grid& from, const Grid& to) {
  TableOperation table;
  const int raise = to.type == ElementType::s8 ? 128 : 0;
  for (int q = 0; q < 256; ++q) {
    const double real = static_cast<double>(from.scale[0]) * (q - stored_zero_point(from));
    table.bytes.push_back(static_cast<std::uint8_t>(round_to_integer(real, to.scale[0], to.zero_point[0], to.type) + raise));
  }
  return table;
}

/// The input as bytes of `grid`.
TensorId on_grid(Lowering& lowering, const Node& node, ValueId input, Layout layout, const Grid& grid) {
  const TensorId source = lowering.bytes(input, layout);
  const Grid& own = *lowering.value(input).grid;
  if (own == grid) return source;
  const std::string name = lowering.value(input).name;
  const TensorId target = lowering.new_tensor(name, ElementType::u8, lowering.shape(input), layout, grid);
  Operation& operation = lowering.emit(node, requantization(own, grid), {source}, target);
  operation.name = name + " requantized";
  operation.op = "Requantize";
  operation.sources.clear();
  return target;
}

}  // namespace

bool lower_concat(Lowering& lowering, const Node& node) {
  if (!node.is("Concat")) return false;
  const Value& y = lowering.value(node.outputs[0]);
  for (const ValueId input : node.inputs)
    if (lowering.value(input).type != y.type) return false;
  const Node* round = lowering.on_byte_grid(node.outputs[0]) ? nullptr : round_behind(lowering, node);
  const ValueId result = round ? round->outputs[0] : node.outputs[0];
  const bool bytes = lowering.on_byte_grid(result);
  const Layout layout = lowering.layout_of(node.inputs[0]);
  std::vector<TensorId> sources;
  for (const ValueId input : node.inputs) {
    if (bytes)
      sources.push_back(on_grid(lowering, node, input, layout, *lowering.value(result).grid));
    else
      sources.push_back(y.type == ElementType::f32 ? lowering.real(input, layout) : lowering.plain(input));
  }
  const TensorId target = lowering.new_tensor(lowering.value(result).name, bytes ? ElementType::u8 : y.type, *y.shape, layout,
                                              bytes ? lowering.value(result).grid : std::nullopt);
  lowering.bind(result, target);
  const auto strides = lowering.program().tensor(target).strides();
  const auto rank = static_cast<std::int64_t>(y.shape->size());
  const std::int64_t axis = node.attributes.integer("axis", 1);
  const auto along = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const StoredTensor& from = lowering.program().tensor(sources[i]);
    CopyOperation copy{from.shape, from.strides(), strides, 0, offset * strides[along], 0, std::nullopt};
    offset += from.shape[along];
    Operation& operation = lowering.emit_move(node, std::move(copy), sources[i], target);
    if (i > 0) operation.sources.clear();
    if (round && i == 0) operation.sources.insert(operation.sources.end(), round->sources.begin(), round->sources.end());
  }
  if (round) lowering.mark_done(*round);
  return true;
}

}  // namespace intact

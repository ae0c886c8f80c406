// Concat: one copy per input into its slot; place_concat then lets the producers write there. A
// Round behind it has moved in front (hoist_rounds), so that inputs on other grids come through
// tables.
#include "engine/lower/lowering.hpp"

namespace intact {

bool lower_concat(Lowering& lowering, const Node& node) {
  if (!node.is("Concat")) return false;
  const Value& y = lowering.value(node.outputs[0]);
  for (const ValueId input : node.inputs)
    if (lowering.value(input).type != y.type) return false;
  const bool bytes = lowering.on_stored_grid(node.outputs[0]);
  const Layout layout = lowering.layout_of(node.inputs[0]);
  std::vector<TensorId> sources;
  for (const ValueId input : node.inputs) {
    if (bytes)
      sources.push_back(lowering.bytes(input, layout));
    else
      sources.push_back(y.type == ElementType::f32 ? lowering.real(input, layout)
                                                   : lowering.plain(input));
  }
  const TensorId target = lowering.new_tensor(y.name, bytes ? stored_type(*y.grid) : y.type,
                                              *y.shape, layout, bytes ? y.grid : std::nullopt);
  lowering.bind(node.outputs[0], target);
  const auto strides = lowering.program().tensor(target).strides();
  const auto rank = static_cast<std::int64_t>(y.shape->size());
  const std::int64_t axis = node.attributes.integer("axis", 1);
  const auto along = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const StoredTensor& from = lowering.program().tensor(sources[i]);
    CopyOperation copy{from.shape, from.strides(), strides, 0, offset * strides[along],
                       0,          std::nullopt};
    offset += from.shape[along];
    Operation& operation = lowering.emit_move(node, std::move(copy), sources[i], target);
    if (i > 0) operation.sources.clear();
  }
  return true;
}

}  // namespace intact

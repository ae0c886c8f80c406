// Round, Bytes and FromBytes: where reals become bytes and bytes become reals.
#include <algorithm>
#include <array>

#include "engine/lower/lowering.hpp"
#include "engine/lower/tables.hpp"

namespace intact {
namespace {

/// Convolutions and pools want channels last; otherwise a tensor stays as it is.
Layout preferred_layout(const Lowering& lowering, ValueId source, ValueId result) {
  constexpr std::array<std::string_view, 5> spatial = {"Conv", "MaxPool", "AveragePool",
                                                       "GlobalAveragePool", "ConvTranspose"};
  for (const int index : lowering.consumers(result)) {
    const Node& consumer = lowering.graph().nodes[static_cast<std::size_t>(index)];
    if (std::find(spatial.begin(), spatial.end(), consumer.op) != spatial.end())
      return Layout::channels_last;
  }
  return lowering.layout_of(source);
}

bool lower_round(Lowering& lowering, const Node& node) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  if (!lowering.on_byte_grid(y)) return false;
  if (lower_table(lowering, node) || lower_sum(lowering, node)) return true;
  const Grid& grid = *lowering.value(y).grid;
  const Layout layout = preferred_layout(lowering, x, y);
  const TensorId source = lowering.real(x, lowering.layout_of(x));
  const TensorId target =
      lowering.new_tensor(lowering.value(y).name, ElementType::u8, lowering.shape(y), layout, grid);
  lowering.emit(node, quantize_to(grid), {source}, target).op = "Quantize";
  lowering.bind(y, target);
  return true;
}

/// The stored bytes of an s8 tensor are those of the raised u8 grid: every top bit is flipped.
TensorId flipped(Lowering& lowering, const Node& node, TensorId source, StoredTensor like) {
  CopyOperation copy;
  copy.extents = like.shape;
  copy.src_strides = lowering.program().tensor(source).strides();
  copy.dst_strides = like.strides();
  copy.flip = 0x80;
  const TensorId target =
      lowering.new_tensor(like.name, like.type, like.shape, Layout::plain, like.grid);
  lowering.emit(node, std::move(copy), {source}, target);
  return target;
}

/// Whether the integers `id`, those of a tensor on a byte grid, are only read as reals of other
/// byte grids: then nobody needs them as the file has them.
bool only_reinterpreted(const Lowering& lowering, ValueId id) {
  if (lowering.graph().is_output(id)) return false;
  for (const int index : lowering.consumers(id)) {
    const Node& reader = lowering.graph().nodes[static_cast<std::size_t>(index)];
    if (!reader.is_from_bytes() || !lowering.on_byte_grid(reader.outputs[0])) return false;
  }
  return true;
}

/// The stored bytes of `x` under the grid of the node's output.
void view_bytes(Lowering& lowering, const Node& node, ValueId x, const Grid& grid) {
  const ValueId y = node.outputs[0];
  const TensorId source = lowering.bytes(x, lowering.layout_of(x));
  const TensorId view =
      lowering.new_tensor(lowering.value(y).name, ElementType::u8, lowering.shape(y),
                          lowering.program().tensor(source).layout, grid);
  lowering.program().tensor(view).root = source;
  lowering.bind(y, view);
  lowering.note_removed(node, "the stored integers are used as they are");
}

/// Integers of the file and stored bytes of the grid are the same memory (u8) or differ in the top
/// bit (s8). `raw` is the integer side.
bool lower_reinterpretation(Lowering& lowering, const Node& node, const Grid& grid) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  if (node.is_bytes() && only_reinterpreted(lowering, y)) {
    lowering.note_removed(node, "the stored integers are used as they are");
    return true;
  }
  if (const Node* bytes = lowering.producer(x); bytes && bytes->is_bytes()) {
    if (only_reinterpreted(lowering, x)) {
      view_bytes(lowering, node, bytes->inputs[0], grid);
      return true;
    }
  }
  const TensorId source = node.is_bytes() ? lowering.bytes(x, Layout::plain) : lowering.plain(x);
  StoredTensor like;
  like.name = lowering.value(y).name;
  like.type = node.is_bytes() ? grid.type : ElementType::u8;
  like.shape = lowering.shape(y);
  if (node.is_from_bytes()) like.grid = grid;
  if (grid.type == ElementType::s8) {
    lowering.bind(y, flipped(lowering, node, source, like));
    return true;
  }
  const TensorId view =
      lowering.new_tensor(like.name, like.type, like.shape, Layout::plain, like.grid);
  lowering.program().tensor(view).root = source;
  lowering.bind(y, view);
  lowering.note_removed(node, "the stored integers are used as they are");
  return true;
}

}  // namespace

bool lower_quantization(Lowering& lowering, const Node& node) {
  if (node.is_round()) return lower_round(lowering, node);
  if (node.is_from_bytes() && lowering.on_byte_grid(node.outputs[0]))
    return lower_reinterpretation(lowering, node, *lowering.value(node.outputs[0]).grid);
  if (node.is_bytes() && lowering.on_byte_grid(node.inputs[0]) &&
      node.grid == lowering.value(node.inputs[0]).grid)
    return lower_reinterpretation(lowering, node, *node.grid);
  return false;
}

}  // namespace intact

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
  if (!lowering.on_stored_grid(y)) return false;
  if (lower_table(lowering, node)) return true;
  if (lowering.on_byte_grid(y) && lower_sum(lowering, node)) return true;
  const Grid& grid = *lowering.value(y).grid;
  // Words are written in the order in which they are read.
  const Layout layout = has_words(grid) ? lowering.layout_of(x) : preferred_layout(lowering, x, y);
  const TensorId source = lowering.real(x, lowering.layout_of(x));
  const TensorId target = lowering.new_tensor(lowering.value(y).name, stored_type(grid),
                                              lowering.shape(y), layout, grid);
  lowering.emit(node, quantize_to(grid), {source}, target).op = "Quantize";
  lowering.bind(y, target);
  return true;
}

/// The stored integers of a signed tensor are those of the raised unsigned grid: every top bit is
/// flipped. Words are copied byte by byte, the low ones as they are.
TensorId flipped(Lowering& lowering, const Node& node, TensorId source, StoredTensor like) {
  const auto bytes = static_cast<std::int64_t>(element_size(like.type));
  const TensorId target =
      lowering.new_tensor(like.name, like.type, like.shape, Layout::plain, like.grid);
  TensorId as_bytes = target;
  if (bytes > 1) {
    Shape shape = like.shape;
    shape.push_back(bytes);
    as_bytes = lowering.new_tensor(like.name, ElementType::u8, shape, Layout::plain);
    lowering.program().tensor(as_bytes).root = target;
  }
  for (std::int64_t which = 0; which < bytes; ++which) {
    CopyOperation copy;
    copy.extents = like.shape;
    copy.src_strides = lowering.program().tensor(source).strides();
    copy.dst_strides = like.strides();
    for (auto* strides : {&copy.src_strides, &copy.dst_strides})
      for (std::int64_t& stride : *strides) stride *= bytes;
    copy.src_offset = copy.dst_offset = which;
    copy.flip = which == bytes - 1 ? 0x80 : 0;
    Operation& operation = lowering.emit(node, std::move(copy), {source}, as_bytes);
    if (which > 0) operation.sources.clear();
  }
  return target;
}

/// Whether the integers `id`, those of a tensor on a grid, are only read as reals of other grids:
/// then nobody needs them as the file has them.
bool only_reinterpreted(const Lowering& lowering, ValueId id) {
  if (lowering.graph().is_output(id)) return false;
  for (const int index : lowering.consumers(id)) {
    const Node& reader = lowering.graph().nodes[static_cast<std::size_t>(index)];
    if (!reader.is_from_bytes() || !lowering.on_stored_grid(reader.outputs[0])) return false;
  }
  return true;
}

/// The stored bytes of `x` under the grid of the node's output.
void view_bytes(Lowering& lowering, const Node& node, ValueId x, const Grid& grid) {
  const ValueId y = node.outputs[0];
  const TensorId source = lowering.bytes(x, lowering.layout_of(x));
  const TensorId view =
      lowering.new_tensor(lowering.value(y).name, stored_type(grid), lowering.shape(y),
                          lowering.program().tensor(source).layout, grid);
  lowering.program().tensor(view).root = source;
  lowering.bind(y, view);
  lowering.note_removed(node, "the stored integers are used as they are");
}

/// Integers of the file and stored ones of the grid are the same memory (unsigned) or differ in the
/// top bit (signed). `raw` is the integer side.
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
  like.type = node.is_bytes() ? grid.type : stored_type(grid);
  like.shape = lowering.shape(y);
  if (node.is_from_bytes()) like.grid = grid;
  if (lowest(grid.type) < 0) {
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
  if (node.is_from_bytes() && lowering.on_stored_grid(node.outputs[0]))
    return lower_reinterpretation(lowering, node, *lowering.value(node.outputs[0]).grid);
  if (node.is_bytes() && lowering.on_stored_grid(node.inputs[0]) &&
      node.grid == lowering.value(node.inputs[0]).grid)
    return lower_reinterpretation(lowering, node, *node.grid);
  return false;
}

}  // namespace intact

// Operators that only move data: views where the memory order allows it, else strided copies.
#include "engine/lower/movement.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "graph/convert.hpp"

namespace intact {
TensorId moved(Lowering& lowering, const Node& node, std::size_t input) {
  const ValueId id = node.inputs[input];
  const Layout layout = lowering.layout_of(id);
  if (lowering.on_stored_grid(node.outputs[0]) && lowering.on_stored_grid(id))
    return lowering.bytes(id, layout);
  if (lowering.value(id).type == ElementType::f32) return lowering.real(id, layout);
  return lowering.plain(id);
}

StoredTensor output_like(const Lowering& lowering, const Node& node, const StoredTensor& source) {
  StoredTensor output;
  output.name = lowering.value(node.outputs[0]).name;
  output.type = source.type;
  output.grid = lowering.value(node.outputs[0]).grid;
  output.shape = lowering.shape(node.outputs[0]);
  if (!source.on_grid()) output.grid.reset();
  return output;
}

TensorId add_moved(Lowering& lowering, const Node& node, StoredTensor tensor) {
  lowering.program().tensors.push_back(std::move(tensor));
  const auto id = static_cast<TensorId>(lowering.program().tensors.size() - 1);
  lowering.bind(node.outputs[0], id);
  return id;
}

namespace {

/// Moving operators whose output type is that of the first input; the output keeps its grid or
/// none.
bool keeps_form(const Lowering& lowering, const Node& node) {
  if (node.domain != "" || node.inputs.empty()) return false;
  const Value& x = lowering.value(node.inputs[0]);
  const Value& y = lowering.value(node.outputs[0]);
  return x.type == y.type && (!y.grid || y.grid == x.grid);
}

/// Joins or splits pixels: channels stay the innermost axis of a channels-last tensor.
bool keeps_channels(const Shape& from, const Shape& to) {
  return from.size() > 2 && to.size() > 2 && from[0] == to[0] && from[1] == to[1];
}

bool lower_reshape(Lowering& lowering, const Node& node) {
  if (lowering.is_constant(node.inputs[0])) return false;
  TensorId source = moved(lowering, node, 0);
  Layout layout = lowering.program().tensor(source).layout;
  if (layout == Layout::channels_last &&
      !keeps_channels(lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]))) {
    const ValueId id = node.inputs[0];
    source = lowering.program().tensor(source).type == ElementType::f32
                 ? lowering.real(id, Layout::plain)
                 : lowering.bytes(id, Layout::plain);
    layout = Layout::plain;
  }
  StoredTensor view = output_like(lowering, node, lowering.program().tensor(source));
  view.layout = layout;
  view.root = source;
  add_moved(lowering, node, std::move(view));
  lowering.note_removed(node, "a view of its input");
  return true;
}

/// A Slice of everything or a Pad by nothing, as computed extents bring them about.
bool lower_unchanged(Lowering& lowering, const Node& node, TensorId source) {
  const StoredTensor from = lowering.program().tensor(source);
  if (from.constant.defined() || !from.dense()) return false;
  StoredTensor view = output_like(lowering, node, from);
  view.layout = from.layout;
  view.root = source;
  add_moved(lowering, node, std::move(view));
  lowering.note_removed(node, "a view of its input");
  return true;
}

/// Strides without those of extents of 1, which never matter.
bool equal_order(const Shape& shape, const std::vector<std::int64_t>& a,
                 const std::vector<std::int64_t>& b) {
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1 && a[i] != b[i]) return false;
  return true;
}

bool lower_transpose(Lowering& lowering, const Node& node) {
  const TensorId source = moved(lowering, node, 0);
  const StoredTensor from = lowering.program().tensor(source);
  const std::size_t rank = from.shape.size();
  std::vector<std::int64_t> order(rank);
  std::iota(order.rbegin(), order.rend(), 0);
  order = node.attributes.integers("perm", order);
  const auto strides = from.strides();
  std::vector<std::int64_t> permuted(rank);
  for (std::size_t i = 0; i < rank; ++i) permuted[i] = strides[static_cast<std::size_t>(order[i])];
  StoredTensor output = output_like(lowering, node, from);
  for (const Layout layout : {Layout::plain, Layout::channels_last}) {
    if (layout == Layout::channels_last && rank < 3) continue;
    output.layout = layout;
    if (from.constant.defined() || !from.dense() ||
        !equal_order(output.shape, permuted, output.strides()))
      continue;
    output.root = source;
    add_moved(lowering, node, std::move(output));
    lowering.note_removed(node, "the elements already lie in this order");
    return true;
  }
  output.layout = Layout::plain;
  CopyOperation copy{output.shape, permuted, output.strides(), 0, 0, 0, std::nullopt};
  const TensorId target = add_moved(lowering, node, std::move(output));
  lowering.emit_move(node, std::move(copy), source, target);
  return true;
}

/// Where a Slice begins and how it steps, per axis of the input.
struct SliceRange {
  std::vector<std::int64_t> begin, step;
};

std::optional<std::vector<std::int64_t>> slice_operand(const Lowering& lowering, const Node& node,
                                                       std::size_t input,
                                                       const std::string& attribute) {
  if (node.version < 10) return node.attributes.integers(attribute);
  if (!node.has_input(input)) return std::vector<std::int64_t>{};
  if (!lowering.is_constant(node.inputs[input])) return std::nullopt;
  const Tensor& tensor = lowering.value(node.inputs[input]).constant;
  std::vector<std::int64_t> values;
  if (tensor.type() == ElementType::s32)
    values.assign(tensor.data<std::int32_t>().begin(), tensor.data<std::int32_t>().end());
  else
    values.assign(tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end());
  return values;
}

std::optional<SliceRange> slice_range(const Lowering& lowering, const Node& node) {
  const Shape& shape = lowering.shape(node.inputs[0]);
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto starts = slice_operand(lowering, node, 1, "starts");
  auto axes = slice_operand(lowering, node, 3, "axes");
  auto steps =
      node.version < 10 ? std::vector<std::int64_t>{} : slice_operand(lowering, node, 4, "steps");
  if (!starts || !axes || !steps) return std::nullopt;
  SliceRange range{std::vector<std::int64_t>(shape.size(), 0),
                   std::vector<std::int64_t>(shape.size(), 1)};
  for (std::size_t i = 0; i < starts->size(); ++i) {
    std::int64_t axis = axes->empty() ? static_cast<std::int64_t>(i) : (*axes)[i];
    if (axis < 0) axis += rank;
    const std::int64_t extent = shape[static_cast<std::size_t>(axis)];
    const std::int64_t step = steps->empty() ? 1 : (*steps)[i];
    std::int64_t start = (*starts)[i] < 0 ? (*starts)[i] + extent : (*starts)[i];
    start = std::clamp<std::int64_t>(start, 0, step < 0 ? extent - 1 : extent);
    range.begin[static_cast<std::size_t>(axis)] = start;
    range.step[static_cast<std::size_t>(axis)] = step;
  }
  return range;
}

bool lower_slice(Lowering& lowering, const Node& node) {
  const auto range = slice_range(lowering, node);
  if (!range || element_count(lowering.shape(node.outputs[0])) == 0) return false;
  const TensorId source = moved(lowering, node, 0);
  const StoredTensor from = lowering.program().tensor(source);
  const auto one = [](std::int64_t step) { return step == 1; };
  if (from.shape == lowering.shape(node.outputs[0]) && std::ranges::all_of(range->step, one) &&
      lower_unchanged(lowering, node, source))
    return true;
  StoredTensor output = output_like(lowering, node, from);
  output.layout = from.layout;
  CopyOperation copy;
  copy.extents = output.shape;
  copy.dst_strides = output.strides();
  copy.src_strides = from.strides();
  for (std::size_t i = 0; i < copy.extents.size(); ++i) {
    copy.src_offset += range->begin[i] * copy.src_strides[i];
    // The step of a single element is never taken, and may be any number.
    if (copy.extents[i] > 1) copy.src_strides[i] *= range->step[i];
  }
  const TensorId target = add_moved(lowering, node, std::move(output));
  lowering.emit_move(node, std::move(copy), source, target);
  return true;
}

bool lower_split(Lowering& lowering, const Node& node) {
  if (std::find(node.outputs.begin(), node.outputs.end(), no_value) != node.outputs.end())
    return false;
  const TensorId source = moved(lowering, node, 0);
  const StoredTensor from = lowering.program().tensor(source);
  std::int64_t axis = node.attributes.integer("axis", 0);
  if (axis < 0) axis += static_cast<std::int64_t>(from.shape.size());
  const auto along = static_cast<std::size_t>(axis);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    StoredTensor output;
    output.name = lowering.value(id).name;
    output.type = from.type;
    output.shape = lowering.shape(id);
    output.layout = from.layout;
    if (from.on_grid()) output.grid = lowering.value(id).grid;
    CopyOperation copy{
        output.shape, from.strides(), output.strides(), offset * from.strides()[along], 0, 0,
        std::nullopt};
    offset += output.shape[along];
    lowering.program().tensors.push_back(std::move(output));
    const auto target = static_cast<TensorId>(lowering.program().tensors.size() - 1);
    lowering.bind(id, target);
    Operation& operation = lowering.emit_move(node, std::move(copy), source, target);
    if (i > 0) operation.sources.clear();
  }
  return true;
}

/// Elements put before and behind each axis, as in the operand pads; nothing for other modes than
/// constant and for computed operands.
std::optional<std::vector<std::int64_t>> pad_amounts(const Lowering& lowering, const Node& node) {
  if (node.attributes.text("mode", "constant") != "constant") return std::nullopt;
  if (node.version < 11) return node.attributes.integers("pads");
  if (!node.has_input(1) || !lowering.is_constant(node.inputs[1])) return std::nullopt;
  const auto given = lowering.value(node.inputs[1]).constant.data<std::int64_t>();
  std::vector<std::int64_t> pads(given.begin(), given.end());
  if (!node.has_input(3)) return pads;
  if (!lowering.is_constant(node.inputs[3])) return std::nullopt;
  const Tensor axes = convert(lowering.value(node.inputs[3]).constant, ElementType::s64);
  const std::size_t rank = lowering.shape(node.inputs[0]).size();
  const auto count = static_cast<std::size_t>(axes.size());
  if (pads.size() != 2 * count) return std::nullopt;
  std::vector<std::int64_t> all(2 * rank, 0);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t axis = axes.data<std::int64_t>()[i];
    const std::size_t at =
        static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
    all[at] = pads[i];
    all[rank + at] = pads[count + i];
  }
  return all;
}

/// The number that Pad writes; nothing when it is computed.
std::optional<float> pad_number(const Lowering& lowering, const Node& node) {
  if (node.version < 11) return node.attributes.number("value", 0.0f);
  if (!node.has_input(2)) return 0.0f;
  const Value& fill = lowering.value(node.inputs[2]);
  if (!fill.is_constant() || fill.type != ElementType::f32 || fill.constant.size() != 1)
    return std::nullopt;
  return real_constant(fill).data<float>()[0];
}

/// The bytes of an element of this number in a stored tensor; nothing where it is not known.
std::optional<std::vector<std::uint8_t>> fill_bytes(const StoredTensor& tensor, float number) {
  std::vector<std::uint8_t> bytes(element_size(tensor.type), 0);
  if (tensor.type == ElementType::f32) std::memcpy(bytes.data(), &number, sizeof number);
  if (tensor.type == ElementType::f32 || (!tensor.on_grid() && number == 0)) return bytes;
  if (!tensor.on_grid()) return std::nullopt;
  // Grids pass a Pad only if the number lies on them.
  const double steps = static_cast<double>(number) / static_cast<double>(tensor.grid->scale[0]);
  const auto q =
      static_cast<std::uint32_t>(std::clamp(std::nearbyint(steps) + tensor.zero_point(), 0.0,
                                            static_cast<double>(stored_highest(*tensor.grid))));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(q >> (8 * i));
  return bytes;
}

/// Pad with a constant.
bool lower_pad(Lowering& lowering, const Node& node) {
  const auto pads = pad_amounts(lowering, node);
  const auto number = pad_number(lowering, node);
  const std::size_t rank = lowering.shape(node.inputs[0]).size();
  if (!pads || !number || pads->size() != 2 * rank ||
      element_count(lowering.shape(node.inputs[0])) == 0)
    return false;
  if (std::any_of(pads->begin(), pads->end(), [](std::int64_t pad) { return pad < 0; }))
    return false;
  const TensorId source = moved(lowering, node, 0);
  const StoredTensor from = lowering.program().tensor(source);
  const auto none = [](std::int64_t pad) { return pad == 0; };
  if (std::ranges::all_of(*pads, none) && lower_unchanged(lowering, node, source)) return true;
  const auto fill = fill_bytes(from, *number);
  if (!fill) return false;
  StoredTensor output = output_like(lowering, node, from);
  output.layout = from.layout;
  CopyOperation copy{from.shape, from.strides(), output.strides(), 0, 0, 0, std::nullopt};
  for (std::size_t i = 0; i < rank; ++i) copy.dst_offset += (*pads)[i] * copy.dst_strides[i];
  copy.fill = fill;
  const TensorId target = add_moved(lowering, node, std::move(output));
  lowering.emit_move(node, std::move(copy), source, target);
  return true;
}

}  // namespace

bool lower_movement(Lowering& lowering, const Node& node) {
  if (!keeps_form(lowering, node)) return false;
  for (const char* op : {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
    if (node.op == op) return lower_reshape(lowering, node);
  if (lowering.is_constant(node.inputs[0])) return false;
  if (node.op == "Transpose") return lower_transpose(lowering, node);
  if (node.op == "Slice") return lower_slice(lowering, node);
  if (node.op == "Split") return lower_split(lowering, node);
  if (node.op == "Pad") return lower_pad(lowering, node);
  return lower_rearrange(lowering, node);
}

}  // namespace intact

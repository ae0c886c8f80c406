// Operators that repeat or regroup elements: one strided copy whose loops split axes of the tensor
// in two. The strides of the stored tensors carry the layout, so channels-last tensors are copied
// as they lie.
#include <algorithm>
#include <optional>

#include "engine/lower/movement.hpp"
#include "graph/convert.hpp"
#include "graph/folding.hpp"

namespace intact {
namespace {

/// Dimensions of the strided copy kernels.
constexpr std::size_t largest_rank = 8;

/// The loops of a copy, one after the other; those of extent 1 are left out.
class Loops {
 public:
  void add(std::int64_t extent, std::int64_t src_stride, std::int64_t dst_stride) {
    if (extent == 1) return;
    copy_.extents.push_back(extent);
    copy_.src_strides.push_back(src_stride);
    copy_.dst_strides.push_back(dst_stride);
  }
  void skip_source(std::int64_t elements) { copy_.src_offset += elements; }
  bool fits() const { return copy_.extents.size() <= largest_rank; }
  const CopyOperation& copy() const { return copy_; }

 private:
  CopyOperation copy_;
};

/// A tensor to be read and the one to be written, with the distance of neighbours along each axis.
struct Rearrangement {
  TensorId source;
  StoredTensor from, output;
  std::vector<std::int64_t> src, dst;

  Rearrangement(Lowering& lowering, const Node& node)
      : source(moved(lowering, node, 0)),
        from(lowering.program().tensor(source)),
        output(output_like(lowering, node, from)) {
    if (output.shape.size() == from.shape.size()) output.layout = from.layout;
    src = from.strides();
    dst = output.strides();
  }

  bool emit(Lowering& lowering, const Node& node, const Loops& loops) {
    const TensorId target = add_moved(lowering, node, std::move(output));
    lowering.emit_move(node, loops.copy(), source, target);
    return true;
  }
};

bool lower_depth_to_space(Lowering& lowering, const Node& node) {
  Rearrangement r(lowering, node);
  const std::int64_t block = node.attributes.integer("blocksize", 0);
  const std::int64_t depth = r.output.shape[1];
  // Steps through the input's channels: of the output's channel, row in block, column in block.
  const bool depth_last = node.attributes.text("mode", "DCR") == "DCR";
  const std::int64_t channel = depth_last ? 1 : block * block;
  const std::int64_t row = depth_last ? block * depth : block;
  const std::int64_t column = depth_last ? depth : 1;
  Loops loops;
  loops.add(r.from.shape[0], r.src[0], r.dst[0]);
  loops.add(depth, channel * r.src[1], r.dst[1]);
  loops.add(r.from.shape[2], r.src[2], block * r.dst[2]);
  loops.add(block, row * r.src[1], r.dst[2]);
  loops.add(r.from.shape[3], r.src[3], block * r.dst[3]);
  loops.add(block, column * r.src[1], r.dst[3]);
  return r.emit(lowering, node, loops);
}

bool lower_space_to_depth(Lowering& lowering, const Node& node) {
  Rearrangement r(lowering, node);
  const std::int64_t block = node.attributes.integer("blocksize", 0);
  const std::int64_t depth = r.from.shape[1];
  Loops loops;
  loops.add(r.from.shape[0], r.src[0], r.dst[0]);
  loops.add(block, r.src[2], block * depth * r.dst[1]);
  loops.add(block, r.src[3], depth * r.dst[1]);
  loops.add(depth, r.src[1], r.dst[1]);
  loops.add(r.output.shape[2], block * r.src[2], r.dst[2]);
  loops.add(r.output.shape[3], block * r.src[3], r.dst[3]);
  return r.emit(lowering, node, loops);
}

/// Expand and Tile: along each axis the whole input again and again. Axes that Expand puts in front
/// are repetitions of everything.
bool lower_repeat(Lowering& lowering, const Node& node) {
  const Shape& from = lowering.shape(node.inputs[0]);
  const Shape& to = lowering.shape(node.outputs[0]);
  if (from.size() > to.size()) return false;
  const std::size_t added = to.size() - from.size();
  std::size_t rank = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::int64_t extent = i < added ? 1 : from[i - added];
    rank += static_cast<std::size_t>(extent != 1) + static_cast<std::size_t>(to[i] != extent);
  }
  if (rank > largest_rank) return false;
  Rearrangement r(lowering, node);
  Loops loops;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::int64_t extent = i < added ? 1 : from[i - added];
    loops.add(to[i] / extent, 0, extent * r.dst[i]);
    loops.add(extent, i < added ? 0 : r.src[i - added], r.dst[i]);
  }
  return r.emit(lowering, node, loops);
}

/// Positions of the form first + step * floor(i / repeat): nearest neighbours with an integer
/// factor, every second element, a range, a reversed range.
struct Progression {
  std::int64_t first = 0, step = 0, repeat = 1, count = 1;

  void add_to(Loops& loops, std::int64_t src_stride, std::int64_t dst_stride) const {
    loops.skip_source(first * src_stride);
    loops.add(count, step * src_stride, repeat * dst_stride);
    loops.add(repeat, 0, dst_stride);
  }
};

/// Absent when the indices, at least one, are no progression.
std::optional<Progression> progression(const std::vector<std::int64_t>& indices) {
  const auto size = static_cast<std::int64_t>(indices.size());
  Progression p{.first = indices[0]};
  const auto changed = std::find_if(indices.begin(), indices.end(),
                                    [&](std::int64_t index) { return index != p.first; });
  p.repeat = changed - indices.begin();
  p.count = size / p.repeat;
  if (changed != indices.end()) p.step = *changed - p.first;
  if (p.repeat * p.count != size) return std::nullopt;
  for (std::int64_t i = 0; i < size; ++i)
    if (indices[static_cast<std::size_t>(i)] != p.first + p.step * (i / p.repeat))
      return std::nullopt;
  return p;
}

/// Where each axis of a nearest Resize reads.
std::optional<std::vector<Progression>> nearest_positions(const Lowering& lowering,
                                                          const Node& node) {
  const auto axes = constant_resize_axes(lowering, node);
  if (!axes) return std::nullopt;
  std::vector<Progression> positions;
  for (const ResizeAxis& axis : *axes) {
    const auto found = progression(axis.indices);
    if (!found) return std::nullopt;
    positions.push_back(*found);
  }
  return positions;
}

bool lower_resize(Lowering& lowering, const Node& node) {
  if (!moves_data(node)) return false;
  const auto positions = nearest_positions(lowering, node);
  if (!positions) return false;
  Loops counted;
  for (const Progression& p : *positions) p.add_to(counted, 1, 1);
  if (!counted.fits()) return false;
  Rearrangement r(lowering, node);
  Loops loops;
  for (std::size_t i = 0; i < positions->size(); ++i)
    (*positions)[i].add_to(loops, r.src[i], r.dst[i]);
  return r.emit(lowering, node, loops);
}

/// Constant indices of a Gather, counted from the front; absent when one is out of range.
std::optional<std::vector<std::int64_t>> gather_indices(const Value& operand, std::int64_t extent) {
  if (!operand.is_constant()) return std::nullopt;
  const Tensor wide = convert(operand.constant, ElementType::s64);
  std::vector<std::int64_t> indices(wide.data<std::int64_t>().begin(),
                                    wide.data<std::int64_t>().end());
  for (std::int64_t& index : indices) {
    if (index < -extent || index >= extent) return std::nullopt;
    if (index < 0) index += extent;
  }
  return indices;
}

/// Gather of a progression of positions; other lists stay with the reference.
bool lower_gather(Lowering& lowering, const Node& node) {
  const Shape& from = lowering.shape(node.inputs[0]);
  std::int64_t axis = node.attributes.integer("axis", 0);
  if (axis < 0) axis += static_cast<std::int64_t>(from.size());
  const auto along = static_cast<std::size_t>(axis);
  const Value& operand = lowering.value(node.inputs[1]);
  const auto indices = gather_indices(operand, from[along]);
  const auto found = indices ? progression(*indices) : std::nullopt;
  if (!found || from.size() + 1 > largest_rank) return false;
  Rearrangement r(lowering, node);
  const std::size_t index_rank = operand.constant.shape().size();
  Loops loops;
  for (std::size_t i = 0; i < along; ++i) loops.add(from[i], r.src[i], r.dst[i]);
  // All axes of the indices together are one: with several, the output is plain.
  const std::int64_t neighbour = index_rank == 0 ? 0 : r.dst[along + index_rank - 1];
  found->add_to(loops, r.src[along], neighbour);
  for (std::size_t i = along + 1; i < from.size(); ++i)
    loops.add(from[i], r.src[i], r.dst[i + index_rank - 1]);
  return r.emit(lowering, node, loops);
}

}  // namespace

std::optional<std::vector<ResizeAxis>> constant_resize_axes(const Lowering& lowering,
                                                            const Node& node) {
  std::vector<Tensor> operands(node.inputs.size());
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) continue;
    if (!lowering.is_constant(node.inputs[i])) return std::nullopt;
    operands[i] = real_constant(lowering.value(node.inputs[i]));
  }
  const Shape& shape = lowering.shape(node.inputs[0]);
  const ResizeOperands given = resize_operands(node, operands);
  const auto extents = resize_extents(node, shape, given);
  if (!extents) return std::nullopt;
  return resize_axes(node, shape, *extents, given);
}

bool lower_rearrange(Lowering& lowering, const Node& node) {
  if (element_count(lowering.shape(node.outputs[0])) == 0) return false;
  if (node.op == "DepthToSpace") return lower_depth_to_space(lowering, node);
  if (node.op == "SpaceToDepth") return lower_space_to_depth(lowering, node);
  if (node.op == "Expand" || node.op == "Tile") return lower_repeat(lowering, node);
  if (node.op == "Resize" || node.op == "Upsample") return lower_resize(lowering, node);
  if (node.op == "Gather") return lower_gather(lowering, node);
  return false;
}

}  // namespace intact

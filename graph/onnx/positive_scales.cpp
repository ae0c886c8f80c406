// New constants in the place of those with scales that no grid has.
#include "graph/onnx/positive_scales.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/grid.hpp"
#include "graph/convert.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

/// Which scale each integer has.
class ScaleIndex {
 public:
  /// Nothing when the shapes do not fit, which shape inference reports.
  static std::optional<ScaleIndex> of(const Node& node, const Shape& integers,
                                      const Shape& scales) {
    ScaleIndex index;
    if (element_count(scales) == 1) return index;
    const auto rank = static_cast<std::int64_t>(integers.size());
    std::int64_t axis = node.attributes.integer("axis", 1);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return std::nullopt;
    const auto at = static_cast<std::size_t>(axis);
    index.extent_ = integers[at];
    for (std::size_t i = at + 1; i < integers.size(); ++i) index.inner_ *= integers[i];
    index.block_ = node.attributes.integer("block_size", 0);
    index.blocks_ = index.block_ > 0 ? (index.extent_ - 1) / index.block_ + 1 : index.extent_;
    const std::int64_t wanted =
        index.block_ > 0 ? element_count(integers) / index.extent_ * index.blocks_ : index.extent_;
    if (index.block_ < 0 || element_count(scales) != wanted) return std::nullopt;
    return index;
  }
  std::size_t operator()(std::int64_t element) const {
    if (extent_ == 0) return 0;
    const std::int64_t k = element / inner_ % extent_;
    if (block_ == 0) return static_cast<std::size_t>(k);
    const std::int64_t outer = element / (inner_ * extent_);
    return static_cast<std::size_t>((outer * blocks_ + k / block_) * inner_ + element % inner_);
  }

 private:
  std::int64_t extent_ = 0, inner_ = 1, block_ = 0, blocks_ = 0;
};

template <class Integer>
void count_from_the_other_end(Tensor& integers, Tensor& zero_points, const Tensor& scales,
                              const ScaleIndex& index) {
  const int ends = lowest(integers.type()) + highest(integers.type());
  const auto given = scales.data<float>();
  const auto zeros = zero_points.data<Integer>();
  const auto values = integers.data<Integer>();
  for (std::int64_t i = 0; i < integers.size(); ++i) {
    const std::size_t k = index(i);
    Integer& q = values[static_cast<std::size_t>(i)];
    if (given[k] < 0) q = static_cast<Integer>(ends - q);
    if (given[k] == 0) q = zeros[k];
  }
  for (std::size_t k = 0; k < given.size(); ++k)
    if (given[k] < 0) zeros[k] = static_cast<Integer>(ends - zeros[k]);
}

/// Weights and biases.
bool is_supported(ElementType type) {
  const auto types = {ElementType::u8, ElementType::s8, ElementType::u4, ElementType::s4,
                      ElementType::u2, ElementType::s2, ElementType::s32};
  return std::find(types.begin(), types.end(), type) != types.end();
}

void rewrite(Graph& graph, FreshNames& names, Node& node) {
  const auto constant = [&](std::size_t i) { return graph.value(node.inputs[i]).constant; };
  const Tensor scales = convert(constant(1), ElementType::f32);
  const auto values = scales.data<float>();
  if (std::all_of(values.begin(), values.end(), [](float s) { return !(s <= 0); })) return;
  Tensor integers = constant(0).clone();
  if (integers.size() == 0) return;  // its extents may have no product
  const auto index = ScaleIndex::of(node, integers.shape(), scales.shape());
  if (!index || !is_supported(integers.type())) return;
  Tensor zero_points(integers.type(), scales.shape());
  if (node.has_input(2)) {
    if (constant(2).type() != integers.type() || constant(2).size() != scales.size()) return;
    zero_points = constant(2).reshaped(scales.shape()).clone();
  }
  const auto name = [&](std::size_t i) {
    return names.get(graph.value(node.inputs[i]).name + "/positive");
  };
  const ElementType scale_type = constant(1).type();
  if (integers.type() == ElementType::s32)
    count_from_the_other_end<std::int32_t>(integers, zero_points, scales, *index);
  else if (lowest(integers.type()) == 0)
    count_from_the_other_end<std::uint8_t>(integers, zero_points, scales, *index);
  else
    count_from_the_other_end<std::int8_t>(integers, zero_points, scales, *index);
  Tensor positive = scales.clone();
  for (float& scale : positive.data<float>()) scale = scale == 0 ? 1 : std::abs(scale);
  const std::string own[] = {name(0), name(1)};
  node.inputs.resize(2);
  node.inputs[0] = graph.add_constant(own[0], std::move(integers));
  node.inputs[1] = graph.add_constant(own[1], convert(positive, scale_type));
  node.inputs.push_back(
      graph.add_constant(names.get(own[1] + "/zero_point"), std::move(zero_points)));
}

}  // namespace

void make_scales_positive(Graph& graph) {
  FreshNames names(graph);
  for (Node& node : graph.nodes)
    if (node.is("DequantizeLinear") && node.has_input(1) && graph.is_constant(node.inputs[0]) &&
        graph.is_constant(node.inputs[1]) &&
        (!node.has_input(2) || graph.is_constant(node.inputs[2])))
      rewrite(graph, names, node);
}

}  // namespace intact

// Building blocks of quantized operators; see composed.hpp.
#include "graph/ops/composed.hpp"

#include <algorithm>

#include "graph/ops/checks.hpp"

namespace intact {
namespace {

/// Before 18, reductions have their axes as an attribute; from 13 on, Softmax is along one axis.
constexpr int plain_version = 13;

Tensor transpose(const Tensor& tensor, const std::vector<std::int64_t>& order) {
  Node node;
  node.op = "Transpose";
  node.version = plain_version;
  node.attributes.set("perm", order);
  const Tensor operands[] = {tensor};
  return evaluate_plain(node, operands);
}

}  // namespace

Node plain_node(const Node& node, std::string_view op) {
  Node plain = node;
  plain.op = op;
  plain.domain = "";
  plain.version = static_cast<int>(
      node.attributes.integer("opset", node.domain.empty() ? node.version : plain_version));
  return plain;
}

std::optional<Shape> infer_plain(const Node& plain,
                                 std::span<const std::optional<Shape>> operands) {
  std::vector<TensorType> types;
  Node node = plain;
  node.inputs.assign(operands.size(), 0);
  for (const std::optional<Shape>& shape : operands) types.push_back({ElementType::f64, shape});
  const std::vector<Tensor> constants(operands.size());
  return definition_of(node).infer({node, types, constants})[0].shape;
}

Tensor evaluate_plain(const Node& plain, std::span<const Tensor> operands) {
  Node node = plain;
  node.inputs.clear();
  for (const Tensor& tensor : operands) node.inputs.push_back(tensor.defined() ? 0 : no_value);
  return definition_of(node).evaluate({node, operands})[0];
}

Shape to_channels_first(const Shape& shape) {
  Shape result = shape;
  if (shape.size() > 2) std::rotate(result.begin() + 1, result.end() - 1, result.end());
  return result;
}

Shape to_channels_last(const Shape& shape) {
  Shape result = shape;
  if (shape.size() > 2) std::rotate(result.begin() + 1, result.begin() + 2, result.end());
  return result;
}

Tensor to_channels_first(const Tensor& tensor) {
  Shape order(tensor.shape().size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  return transpose(tensor, to_channels_first(order));
}

Tensor to_channels_last(const Tensor& tensor) {
  Shape order(tensor.shape().size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  return transpose(tensor, to_channels_last(order));
}

}  // namespace intact

// The reference interpreter: node by node, in the order of the graph, each value freed after its
// last use. Slow and plain on purpose; the engine is tested against it.
#include <fmt/format.h>

#include <new>

#include "graph/definition.hpp"
#include "intact/error.hpp"

namespace intact {

namespace {

std::string declared_shape(const std::vector<Dimension>& dimensions) {
  std::string text = "[";
  for (const Dimension& dimension : dimensions) {
    if (text.size() > 1) text += ',';
    if (dimension.value >= 0)
      text += std::to_string(dimension.value);
    else
      text += dimension.symbol.empty() ? "?" : dimension.symbol;
  }
  return text + "]";
}

bool fits(const std::vector<Dimension>& dimensions, const Shape& shape) {
  if (dimensions.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (dimensions[i].value >= 0 && dimensions[i].value != shape[i]) return false;
  return true;
}

void check_inputs(const Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs.size())
    throw Error(fmt::format("the model has {} inputs, but {} tensors are given",
                            graph.inputs.size(), inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    if (!inputs[i].defined()) throw Error(fmt::format("input '{}' is not given", value.name));
    if (value.type != ElementType::undefined && inputs[i].type() != value.type)
      throw Error(fmt::format("input '{}' expects elements of type {}, but {} is given", value.name,
                              element_name(value.type), element_name(inputs[i].type())));
    if (value.declared && !fits(*value.declared, inputs[i].shape()))
      throw Error(fmt::format("input '{}' expects shape {}, but {} is given", value.name,
                              declared_shape(*value.declared), to_string(inputs[i].shape())));
  }
}

/// Index of the last node that reads each value; -1 when none does. Graph outputs live on.
std::vector<int> last_uses(const Graph& graph) {
  std::vector<int> last(graph.values.size(), -1);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const ValueId id : graph.nodes[i].inputs)
      if (id != no_value) last[static_cast<std::size_t>(id)] = static_cast<int>(i);
  for (const ValueId id : graph.outputs)
    last[static_cast<std::size_t>(id)] = static_cast<int>(graph.nodes.size());
  return last;
}

/// `message`, beginning with the node unless it does so already.
std::string located(const Node& node, const std::string& message) {
  const std::string where = describe(node);
  return message.starts_with(where) ? message : where + ": " + message;
}

std::vector<Tensor> evaluate_node(const Node& node, std::span<const Tensor> operands) {
  try {
    const Definition& definition = definition_of(node);
    if (definition.evaluate == nullptr) throw Unsupported("has no reference evaluation");
    std::vector<Tensor> results = definition.evaluate({node, operands});
    if (results.size() < node.outputs.size())
      throw Error(fmt::format("has {} outputs, but the operator gives {}", node.outputs.size(),
                              results.size()));
    return results;
  } catch (const Unsupported& error) {
    throw Unsupported(located(node, error.what()));
  } catch (const std::bad_alloc&) {
    throw Error(located(node, "no memory for its outputs"));
  } catch (const std::exception& error) {
    throw Error(located(node, error.what()));
  }
}

}  // namespace

std::vector<Tensor> interpret(const Graph& graph, std::span<const Tensor> inputs,
                              void (*observe)(void* user, const Node& node,
                                              std::span<const Tensor> outputs),
                              void* user) {
  check_inputs(graph, inputs);
  std::vector<Tensor> tensors(graph.values.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    tensors[static_cast<std::size_t>(graph.inputs[i])] = inputs[i];
  const auto fetch = [&](ValueId id) -> const Tensor& {
    Tensor& tensor = tensors[static_cast<std::size_t>(id)];
    if (!tensor.defined()) tensor = real_constant(graph.value(id));
    return tensor;
  };

  const std::vector<int> last = last_uses(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::vector<Tensor> operands;
    for (const ValueId id : node.inputs) operands.push_back(id == no_value ? Tensor{} : fetch(id));
    std::vector<Tensor> results = evaluate_node(node, operands);
    if (observe != nullptr) observe(user, node, results);
    for (std::size_t o = 0; o < node.outputs.size(); ++o)
      if (node.outputs[o] != no_value && last[static_cast<std::size_t>(node.outputs[o])] >= 0)
        tensors[static_cast<std::size_t>(node.outputs[o])] = std::move(results[o]);
    for (const ValueId id : node.inputs)
      if (id != no_value && last[static_cast<std::size_t>(id)] == static_cast<int>(i))
        tensors[static_cast<std::size_t>(id)] = Tensor{};
  }

  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) {
    const Tensor& tensor = fetch(id);
    if (!tensor.defined())
      throw Error(fmt::format("graph output '{}' is produced by no node", graph.value(id).name));
    outputs.push_back(tensor);
  }
  return outputs;
}

}  // namespace intact

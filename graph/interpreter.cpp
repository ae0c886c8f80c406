// The reference interpreter: node by node, in the order of the graph, each value freed after its
// last use. Slow and plain on purpose; the engine is tested against it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
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

void check_tensor(const Value& value, const Tensor& given) {
  if (!given.defined()) {
    if (value.is_optional) return;
    throw Error(fmt::format("input '{}' is not given", value.name));
  }
  if (value.type != ElementType::undefined && given.type() != value.type)
    throw Error(fmt::format("input '{}' expects elements of type {}, but {} is given", value.name,
                            element_name(value.type), element_name(given.type())));
  if (value.declared && !fits(*value.declared, given.shape()))
    throw Error(fmt::format("input '{}' expects shape {}, but {} is given", value.name,
                            declared_shape(*value.declared), to_string(given.shape())));
}

void check_inputs(const Graph& graph, std::span<const Datum> inputs) {
  if (inputs.size() != graph.inputs.size())
    throw Error(fmt::format("the model has {} inputs, but {} tensors are given",
                            graph.inputs.size(), inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    const auto* sequence = std::get_if<std::vector<Tensor>>(&inputs[i]);
    if (sequence == nullptr) {
      const Tensor& tensor = std::get<Tensor>(inputs[i]);
      if (value.is_sequence && tensor.defined())
        throw Error(fmt::format("input '{}' is a sequence, but a tensor is given", value.name));
      check_tensor(value, tensor);
    } else if (!value.is_sequence) {
      throw Error(fmt::format("input '{}' is a tensor, but a sequence is given", value.name));
    } else {
      for (const Tensor& tensor : *sequence) check_tensor(value, tensor);
    }
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

std::vector<Tensor> tensors_of(const Node& node, std::span<const Datum> data) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < data.size(); ++i)
    tensors.push_back(tensor_of(data[i], fmt::format("input {} of {}", i, node.op)));
  return tensors;
}

std::vector<Datum> evaluate(const Node& node, std::span<const Datum> inputs,
                            const RunSubgraph& run) {
  const Definition& definition = definition_of(node);
  const bool only_tensors =  // an optional may hold nothing
      std::all_of(inputs.begin(), inputs.end(), [](const Datum& datum) {
        const auto* tensor = std::get_if<Tensor>(&datum);
        return tensor != nullptr && tensor->defined();
      });
  if (definition.evaluate_data != nullptr && (definition.evaluate == nullptr || !only_tensors))
    return definition.evaluate_data({node, inputs, run});
  if (definition.evaluate == nullptr) throw Unsupported("has no reference evaluation");
  const std::vector<Tensor> tensors = tensors_of(node, inputs);
  std::vector<Tensor> results = definition.evaluate({node, tensors});
  return {std::make_move_iterator(results.begin()), std::make_move_iterator(results.end())};
}

/// One run of the interpreter over one graph.
class Interpreter {
 public:
  using Observe = void (*)(void* user, const Node& node, std::span<const Tensor> outputs);
  Interpreter(const Graph& graph, Observe observe, void* user)
      : graph_(graph), observe_(observe), user_(user), data_(graph.values.size()) {}

  std::vector<Datum> run(std::span<const Datum> inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) at(graph_.inputs[i]) = inputs[i];
    const std::vector<int> last = last_uses(graph_);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      std::vector<Datum> results = run_node(node);
      observe(node, results);
      for (std::size_t o = 0; o < node.outputs.size(); ++o)
        if (node.outputs[o] != no_value && last[static_cast<std::size_t>(node.outputs[o])] >= 0)
          at(node.outputs[o]) = std::move(results[o]);
      for (const ValueId id : node.inputs)
        if (id != no_value && last[static_cast<std::size_t>(id)] == static_cast<int>(i))
          at(id) = Datum{};
    }
    std::vector<Datum> outputs;
    for (const ValueId id : graph_.outputs) outputs.push_back(fetch(id));
    return outputs;
  }

 private:
  Datum& at(ValueId id) { return data_[static_cast<std::size_t>(id)]; }

  const Datum& fetch(ValueId id) {
    Datum& datum = at(id);
    const auto* tensor = std::get_if<Tensor>(&datum);
    if (tensor != nullptr && !tensor->defined() && graph_.value(id).is_constant())
      datum = real_constant(graph_.value(id));
    return datum;
  }

  std::vector<Datum> run_node(const Node& node) {
    std::vector<Datum> operands;
    for (const ValueId id : node.inputs) operands.push_back(id == no_value ? Datum{} : fetch(id));
    const std::span<const Datum> own(operands.data(), node.own_inputs());
    const std::span<const Datum> captured = std::span<const Datum>(operands).subspan(own.size());
    return evaluate_node(node, own, [&](const std::string& name, std::vector<Datum> inputs) {
      inputs.insert(inputs.end(), captured.begin(), captured.end());
      return Interpreter(*node.attributes.graph(name), nullptr, nullptr).run(inputs);
    });
  }

  void observe(const Node& node, const std::vector<Datum>& results) const {
    if (observe_ == nullptr) return;
    std::vector<Tensor> tensors;  // sequences are seen as absent
    for (const Datum& datum : results) {
      const auto* tensor = std::get_if<Tensor>(&datum);
      tensors.push_back(tensor != nullptr ? *tensor : Tensor{});
    }
    observe_(user_, node, tensors);
  }

  const Graph& graph_;
  Observe observe_;
  void* user_;
  std::vector<Datum> data_;  ///< by value
};

}  // namespace

const Tensor& tensor_of(const Datum& datum, const std::string& what) {
  if (const auto* tensor = std::get_if<Tensor>(&datum)) return *tensor;
  throw Error(fmt::format("{} is a sequence; a tensor is needed", what));
}

std::vector<Datum> evaluate_node(const Node& node, std::span<const Datum> inputs,
                                 const RunSubgraph& run) {
  try {
    std::vector<Datum> results = evaluate(node, inputs, run);
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

std::vector<Datum> interpret_data(const Graph& graph, std::span<const Datum> inputs,
                                  void (*observe)(void* user, const Node& node,
                                                  std::span<const Tensor> outputs),
                                  void* user) {
  check_inputs(graph, inputs);
  return Interpreter(graph, observe, user).run(inputs);
}

std::vector<Tensor> interpret(const Graph& graph, std::span<const Tensor> inputs,
                              void (*observe)(void* user, const Node& node,
                                              std::span<const Tensor> outputs),
                              void* user) {
  const std::vector<Datum> data(inputs.begin(), inputs.end());
  std::vector<Tensor> outputs;
  const std::vector<Datum> results = interpret_data(graph, data, observe, user);
  for (std::size_t i = 0; i < results.size(); ++i)
    outputs.push_back(tensor_of(
        results[i], fmt::format("graph output '{}'", graph.value(graph.outputs[i]).name)));
  return outputs;
}

}  // namespace intact

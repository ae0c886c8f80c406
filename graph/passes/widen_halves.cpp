// Half precision is a form of storage: what the file computes in f16 or bf16 is computed in f32,
// so that grids around half-precision tensors are grids like any other and kernels need one float
// type. Graph inputs and outputs keep their type; a Cast stands next to each. Graphs around
// subgraphs stay as they are.
#include <algorithm>
#include <map>
#include <utility>

#include "graph/convert.hpp"
#include "graph/half.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

constexpr std::int64_t f32_code = 1, f16_code = 10, bf16_code = 16;

Node cast_node(std::string name, ValueId from, ValueId to, ElementType type) {
  Node node;
  node.op = "Cast";
  node.version = 13;
  node.name = std::move(name);
  node.inputs = {from};
  node.outputs = {to};
  node.attributes.set("to", type == ElementType::f32    ? f32_code
                            : type == ElementType::bf16 ? bf16_code
                                                        : f16_code);
  return node;
}

/// Attributes that name the type of a result, and tensors that carry it.
void widen_attributes(Node& node) {
  const std::map<std::string, Attribute> attributes = node.attributes.all();
  for (const auto& [name, attribute] : attributes) {
    const bool names_type =
        name == "to" || name == "dtype" || name == "output_dtype" || name == "output_datatype";
    const auto* code = std::get_if<std::int64_t>(&attribute);
    if (names_type && code != nullptr && (*code == f16_code || *code == bf16_code))
      node.attributes.set(name, f32_code);
    if (const auto* value = std::get_if<Tensor>(&attribute); value && is_half(value->type()))
      node.attributes.set(name, convert(*value, ElementType::f32));
  }
}

/// Subgraphs read values of the graph around them, of the types that the file gives them.
bool has_subgraphs(const Node& node) {
  for (const auto& [name, attribute] : node.attributes.all())
    if (std::holds_alternative<Subgraph>(attribute)) return true;
  return false;
}

class Widener {
 public:
  explicit Widener(Graph& graph) : graph_(graph), names_(graph) {}
  void run();

 private:
  bool is_input(ValueId id) const {
    return std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
  }
  ValueId widened(ValueId id);
  void narrow_outputs();

  Graph& graph_;
  FreshNames names_;
  std::vector<Node> nodes_;
  std::map<ValueId, ValueId> widened_;
};

/// The f32 form of a half-precision graph input or constant; other values as they are.
ValueId Widener::widened(ValueId id) {
  if (id == no_value || !is_half(graph_.value(id).type)) return id;
  const bool constant = graph_.is_constant(id);
  if (!constant && !is_input(id)) {
    graph_.value(id).type = ElementType::f32;
    return id;
  }
  if (const auto known = widened_.find(id); known != widened_.end()) return known->second;
  const std::string name = names_.get(graph_.value(id).name + "/f32");
  ValueId wide = no_value;
  if (constant) {
    wide = graph_.add_constant(name, convert(graph_.value(id).constant, ElementType::f32));
  } else {
    wide = graph_.add_value(name, ElementType::f32);
    graph_.value(wide).declared = graph_.value(id).declared;
    nodes_.push_back(cast_node(name, id, wide, ElementType::f32));
  }
  return widened_[id] = wide;
}

/// The producer of a half-precision output writes f32, and a Cast behind it the output.
void Widener::narrow_outputs() {
  std::vector<Node> casts;
  for (Node& node : nodes_)
    for (ValueId& id : node.outputs) {
      if (id == no_value || !is_half(graph_.value(id).type)) continue;
      if (!graph_.is_output(id)) {
        graph_.value(id).type = ElementType::f32;
        continue;
      }
      const std::string name = names_.get(graph_.value(id).name + "/f32");
      const ValueId wide = graph_.add_value(name, ElementType::f32);
      graph_.value(wide).declared = graph_.value(id).declared;
      casts.push_back(cast_node(name, wide, id, graph_.value(id).type));
      for (Node& reader : nodes_)
        std::replace(reader.inputs.begin(), reader.inputs.end(), id, wide);
      id = wide;
    }
  for (Node& cast : casts) nodes_.push_back(std::move(cast));
}

void Widener::run() {
  std::vector<Node> old = std::exchange(graph_.nodes, {});
  for (Node& node : old) {
    // Outputs that the file declares half are narrowed at the end: readers read what was computed.
    for (ValueId& id : node.inputs)
      if (!graph_.is_output(id) || is_input(id) || graph_.is_constant(id)) id = widened(id);
    widen_attributes(node);
    nodes_.push_back(std::move(node));
  }
  narrow_outputs();
  graph_.nodes = std::move(nodes_);
}

}  // namespace

void widen_halves(Graph& graph) {
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(), has_subgraphs)) return;
  Widener(graph).run();
}

}  // namespace intact

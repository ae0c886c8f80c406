// PyTorch multiplies queries and keys by the root of attention's scale before it multiplies them
// with each other: (c x) * (d y) is c d (x * y). Behind the product the number joins what is there,
// and operands on grids stay on them.
#include <optional>

#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

std::optional<float> number(const Graph& graph, ValueId id) {
  if (!graph.is_constant(id) || graph.value(id).type != ElementType::f32 ||
      graph.value(id).constant.size() != 1)
    return std::nullopt;
  return real_constant(graph.value(id)).data<float>()[0];
}

/// A product of a tensor with a number, or a quotient by one.
struct Multiple {
  ValueId x = no_value;
  double factor = 1;
};

std::optional<Multiple> multiple_of(const Graph& graph, const Node& node) {
  if (node.inputs.size() != 2) return std::nullopt;
  std::optional<Multiple> result;
  if (const auto c = number(graph, node.inputs[1]); c && node.is("Mul"))
    result = {node.inputs[0], static_cast<double>(*c)};
  else if (c && node.is("Div") && *c != 0)
    result = {node.inputs[0], 1 / static_cast<double>(*c)};
  else if (const auto d = number(graph, node.inputs[0]); d && node.is("Mul"))
    result = {node.inputs[1], static_cast<double>(*d)};
  const bool fits = result && graph.value(result->x).type == ElementType::f32 &&
                    graph.value(result->x).shape == graph.value(node.outputs[0]).shape;
  return fits ? result : std::nullopt;
}

class Pulling {
 public:
  explicit Pulling(Graph& graph)
      : graph_(graph),
        names_(graph),
        producers_(graph.producers()),
        consumers_(graph.consumers()) {}

  void run() {
    std::vector<Node> behind;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].is("MatMul")) pull(i, behind);
    graph_.erase_marked();
    if (behind.empty()) return;
    graph_.nodes.insert(graph_.nodes.end(), behind.begin(), behind.end());
    graph_.sort();
  }

 private:
  Node* producer(ValueId id) {
    const int index = producers_[static_cast<std::size_t>(id)];
    return index < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(index)];
  }
  bool has_one_reader(ValueId id) const {
    return !graph_.is_output(id) && consumers_[static_cast<std::size_t>(id)].size() == 1;
  }

  /// Takes the factor of an operand out, also from behind a Transpose. The numbers stay where no
  /// operand lies on a grid and one is constant: they are folded or cheap there.
  std::optional<double> take_factor(Node& product, std::size_t operand,
                                    std::vector<std::string>& sources) {
    ValueId* place = &product.inputs[operand];
    Node* node = producer(*place);
    if (node != nullptr && node->is("Transpose") && has_one_reader(*place)) {
      place = &node->inputs[0];
      node = producer(*place);
    }
    if (node == nullptr || !has_one_reader(*place)) return std::nullopt;
    const auto multiple = multiple_of(graph_, *node);
    const bool helps =
        multiple && (graph_.value(multiple->x).grid || (!graph_.is_constant(product.inputs[0]) &&
                                                        !graph_.is_constant(product.inputs[1])));
    if (!helps) return std::nullopt;
    *place = multiple->x;
    sources.insert(sources.end(), node->sources.begin(), node->sources.end());
    *node = Node{};
    return multiple->factor;
  }

  void pull(std::size_t index, std::vector<Node>& behind) {
    Node& product = graph_.nodes[index];
    std::vector<std::string> sources;
    const auto left = take_factor(product, 0, sources), right = take_factor(product, 1, sources);
    if (!left && !right) return;
    const double factor = left.value_or(1) * right.value_or(1);
    if (Node* next = following_multiple(product.outputs[0])) {
      const Multiple multiple = *multiple_of(graph_, *next);
      *next = scaling(*next, multiple.x, multiple.factor * factor, next->outputs[0]);
      append_sources(*next, std::move(sources));
      return;
    }
    const ValueId y = product.outputs[0];
    const ValueId unscaled =
        graph_.add_value(names_.get(graph_.value(y).name + "/unscaled"), ElementType::f32);
    graph_.value(unscaled).shape = graph_.value(y).shape;
    product.outputs[0] = unscaled;
    Node node = scaling(product, unscaled, factor, y);
    node.name += "/scale";
    node.sources = std::move(sources);
    behind.push_back(std::move(node));
  }

  Node* following_multiple(ValueId y) {
    if (!has_one_reader(y)) return nullptr;
    Node& next = graph_.nodes[static_cast<std::size_t>(consumers_[static_cast<std::size_t>(y)][0])];
    const auto multiple = multiple_of(graph_, next);
    return multiple && multiple->x == y ? &next : nullptr;
  }

  /// `like` with another meaning: `factor` times x.
  Node scaling(const Node& like, ValueId x, double factor, ValueId y) {
    const ValueId constant = graph_.add_constant(names_.get(like.name + "/factor"),
                                                 Tensor::scalar(static_cast<float>(factor)));
    graph_.value(constant).shape = Shape{};
    Node node = like;
    node.op = "Mul";
    node.inputs = {x, constant};
    node.outputs = {y};
    node.attributes = {};
    return node;
  }

  Graph& graph_;
  FreshNames names_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
};

}  // namespace

void pull_factors(Graph& graph) {
  Pulling(graph).run();
}

}  // namespace intact

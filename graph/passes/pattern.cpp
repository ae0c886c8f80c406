// Walking backwards, and replacing what has been walked through.
#include "graph/passes/pattern.hpp"

#include <algorithm>
#include <cmath>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/dispatch.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

/// The longest pattern has x * x * x and one more; also bounds the work per node.
constexpr std::size_t most_factors = 4;
constexpr std::size_t most_nodes = 32;

}  // namespace

bool nearly(double a, double b) {
  return std::abs(a - b) <= 1e-6 * std::abs(b);
}

const Node* Pattern::take(ValueId id, std::string_view op) {
  const int index = producer(id);
  if (index < 0 || taken_.size() >= most_nodes) return nullptr;
  const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
  if (!node.is(op) || node.outputs.size() != 1) return nullptr;
  if (std::find(taken_.begin(), taken_.end(), index) == taken_.end()) taken_.push_back(index);
  return &node;
}

bool Pattern::take_sum(ValueId id, ValueId& x, double& c) {
  return attempt([&] {
    const Node* add = take(id, "Add");
    return add != nullptr && either_order(*add, [&](ValueId a, ValueId b) {
             const std::optional<double> value = number(b);
             if (!value) return false;
             x = a;
             c = *value;
             return true;
           });
  });
}

std::optional<double> Pattern::number(ValueId id) const {
  if (!graph_.is_constant(id) || graph_.value(id).constant.size() != 1 ||
      !is_float(graph_.value(id).type))
    return std::nullopt;
  return convert(real_constant(graph_.value(id)), ElementType::f64).data<double>()[0];
}

bool Pattern::take_factors(const Node& node, Product& product) {
  if (node.is("Mul"))
    return take_product(node.inputs[0], product) && take_product(node.inputs[1], product);
  const std::optional<double> c = number(node.inputs[1]);
  if (node.is("Div")) {
    product.number /= *c;
    return take_product(node.inputs[0], product);
  }
  product.factors.insert(product.factors.end(), static_cast<std::size_t>(*c), node.inputs[0]);
  return product.factors.size() <= most_factors;
}

bool Pattern::is_inside(ValueId id) const {
  const int index = producer(id);
  return index >= 0 &&
         (index == taken_.front() || (!graph_.is_output(id) && readers(id).size() == 1));
}

bool Pattern::take_product(ValueId id, Product& product) {
  if (const std::optional<double> c = number(id)) {
    product.number *= *c;
    return true;
  }
  if (is_inside(id)) {
    const Node& node = graph_.nodes[static_cast<std::size_t>(producer(id))];
    const std::optional<double> c = node.inputs.size() == 2 ? number(node.inputs[1]) : std::nullopt;
    const bool nested = (node.is("Mul") && node.inputs.size() == 2) ||
                        (node.is("Div") && c && *c != 0) ||
                        (node.is("Pow") && c && (*c == 2 || *c == 3));
    if (nested && take(id, node.op)) return take_factors(node, product);
  }
  product.factors.push_back(id);
  return product.factors.size() <= most_factors;
}

bool Pattern::is_closed() const {
  const auto is_read_outside = [&](int node) {
    const ValueId id = graph_.nodes[static_cast<std::size_t>(node)].outputs[0];
    return graph_.is_output(id) || std::ranges::any_of(readers(id), [&](int reader) {
             return std::find(taken_.begin(), taken_.end(), reader) == taken_.end();
           });
  };
  return std::none_of(taken_.begin() + 1, taken_.end(), is_read_outside);
}

void Pattern::put(int place, Node node) {
  for (const ValueId id : node.inputs)
    if (id != no_value) consumers_[static_cast<std::size_t>(id)].push_back(place);
  for (const ValueId id : node.outputs) producers_[static_cast<std::size_t>(id)] = place;
  graph_.nodes[static_cast<std::size_t>(place)] = std::move(node);
}

bool Pattern::replace(std::vector<Node> nodes, std::size_t main) {
  if (!is_closed() || nodes.size() > taken_.size()) return false;
  const Node& last = graph_.nodes[static_cast<std::size_t>(taken_.front())];
  nodes[main].name = last.name;
  nodes.back().outputs = last.outputs;
  std::sort(taken_.begin(), taken_.end());
  for (const int index : taken_) {
    Node& old = graph_.nodes[static_cast<std::size_t>(index)];
    append_sources(nodes[main], std::move(old.sources));
    for (const ValueId id : old.inputs)
      if (id != no_value) std::erase(consumers_[static_cast<std::size_t>(id)], index);
    for (const ValueId id : old.outputs) producers_[static_cast<std::size_t>(id)] = -1;
    old = Node{};
  }
  producers_.resize(graph_.values.size(), -1);
  consumers_.resize(graph_.values.size());
  // Everything in a match depends on its operands, so that these come before its first node.
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) put(taken_[i], std::move(nodes[i]));
  put(taken_.back(), std::move(nodes.back()));
  return true;
}

}  // namespace intact

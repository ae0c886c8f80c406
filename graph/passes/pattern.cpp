// Walking backwards, and replacing what has been walked through.
#include "graph/passes/pattern.hpp"

#include <algorithm>
#include <cmath>

#include "graph/definition.hpp"
#include "graph/ops/dispatch.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/reals.hpp"

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
  const int index = id == no_value ? -1 : producers_[static_cast<std::size_t>(id)];
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

bool Pattern::take_product(ValueId id, Product& product) {
  if (const std::optional<double> c = number(id)) {
    product.number *= *c;
    return true;
  }
  const int index = producers_[static_cast<std::size_t>(id)];
  const bool last = index >= 0 && index == taken_.front();
  const bool inside =
      index >= 0 && !graph_.is_output(id) && consumers_[static_cast<std::size_t>(id)].size() == 1;
  if (last || inside) {
    const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
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
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
    return graph_.is_output(id) || std::any_of(readers.begin(), readers.end(), [&](int reader) {
             return std::find(taken_.begin(), taken_.end(), reader) == taken_.end();
           });
  };
  return std::none_of(taken_.begin() + 1, taken_.end(), is_read_outside);
}

bool Pattern::replace(Node node) {
  if (!is_closed()) return false;
  Node& last = graph_.nodes[static_cast<std::size_t>(taken_.front())];
  node.name = last.name;
  node.outputs = last.outputs;
  std::sort(taken_.begin() + 1, taken_.end());
  std::rotate(taken_.begin(), taken_.begin() + 1, taken_.end());
  for (const int index : taken_) {
    Node& old = graph_.nodes[static_cast<std::size_t>(index)];
    append_sources(node, std::move(old.sources));
    for (const ValueId id : old.inputs)
      if (id != no_value) std::erase(consumers_[static_cast<std::size_t>(id)], index);
    old = Node{};
  }
  const int place = taken_.back();
  for (const ValueId id : node.inputs)
    if (id != no_value && static_cast<std::size_t>(id) < consumers_.size())
      consumers_[static_cast<std::size_t>(id)].push_back(place);
  graph_.nodes[static_cast<std::size_t>(place)] = std::move(node);
  return true;
}

}  // namespace intact

// Building the nodes of an expansion.
#include "graph/onnx/expand/expansion.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include "graph/onnx/expand/types.hpp"

namespace intact {
namespace {

/// Operators that later sets than 13 brought, or gave the form that expansions use.
constexpr std::array<std::pair<std::string_view, int>, 8> versions = {{{"LayerNormalization", 17},
                                                                       {"Gelu", 20},
                                                                       {"CastLike", 15},
                                                                       {"TensorScatter", 24},
                                                                       {"GroupNormalization", 21},
                                                                       {"Trilu", 14},
                                                                       {"RMSNormalization", 23},
                                                                       {"Swish", 24}}};

int version_of(std::string_view op) {
  for (const auto& [name, version] : versions)
    if (name == op) return version;
  return 13;
}

}  // namespace

Attributes attributes_of(std::initializer_list<std::pair<const char*, Attribute>> list) {
  Attributes attributes;
  for (const auto& [name, value] : list) attributes.set(name, value);
  return attributes;
}

ValueId Expansion::operand(std::size_t i) const {
  check_present(node_, i);
  return node_.inputs[i];
}

const Tensor* Expansion::constant(ValueId id) const {
  return walk_.graph.is_constant(id) ? &walk_.graph.value(id).constant : nullptr;
}

std::optional<std::int64_t> Expansion::extent(ValueId id, std::size_t axis) const {
  if (id == no_value) return std::nullopt;
  const Value& value = walk_.graph.value(id);
  if (value.is_constant()) {
    if (axis < value.constant.shape().size()) return value.constant.shape()[axis];
  } else if (value.declared && axis < value.declared->size()) {
    if ((*value.declared)[axis].value > 0) return (*value.declared)[axis].value;
  }
  return std::nullopt;
}

int Expansion::needed_rank(ValueId id) const {
  if (const auto known = rank(id)) return *known;
  refuse_unsupported(node_,
                     "the rank of '{}' is not known; a shape for it in the file's value_info "
                     "(any shape inference tool writes it) would tell",
                     walk_.graph.value(id).name);
}

Attributes Expansion::attributes_without(std::initializer_list<const char*> names) const {
  Attributes attributes = node_.attributes;
  for (const char* name : names) attributes.erase(name);
  return attributes;
}

std::vector<ValueId> Expansion::add_several(std::string_view op, std::vector<ValueId> inputs,
                                            std::size_t outputs, Attributes attributes) {
  while (!inputs.empty() && inputs.back() == no_value) inputs.pop_back();
  Node made;
  made.op = op;
  made.version = version_of(op);
  const int count = ++count_[made.op];
  made.name = fmt::format("{}/{}", node_.name, op);
  if (count > 1) made.name += fmt::format("_{}", count);
  made.inputs = std::move(inputs);
  made.attributes = std::move(attributes);
  for (std::size_t i = 0; i < outputs; ++i)
    made.outputs.push_back(walk_.graph.add_value(
        walk_.names.get(outputs == 1 ? made.name : fmt::format("{}.{}", made.name, i))));
  std::vector<ValueId> results = made.outputs;
  walk_.ranks.follow(made);
  follow_types(walk_.graph, made);
  nodes_.push_back(std::move(made));
  return results;
}

ValueId Expansion::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_several(op, std::move(inputs), 1, std::move(attributes))[0];
}

Node* Expansion::producer(ValueId id) {
  for (Node& node : nodes_)
    if (std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end()) return &node;
  return nullptr;
}

ValueId Expansion::main(ValueId made) {
  main_ = static_cast<std::size_t>(producer(made) - nodes_.data());
  return made;
}

ValueId Expansion::constant_of(const char* what, Tensor tensor) {
  return walk_.graph.add_constant(walk_.names.get(node_.name + "/" + what), std::move(tensor));
}
ValueId Expansion::number(float value) {
  return constant_of("number", Tensor::scalar(value));
}
ValueId Expansion::like(ValueId x, ValueId like) {
  const bool plain = type(like) == ElementType::f32 || type(like) == ElementType::undefined;
  return plain ? x : add("CastLike", {x, like});
}
ValueId Expansion::integer(std::int64_t value) {
  return constant_of("integer", Tensor::scalar(value));
}
ValueId Expansion::integers(const std::vector<std::int64_t>& values) {
  return constant_of(
      "integers", Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

void Expansion::give(std::size_t i, ValueId made) {
  given_.resize(std::max(given_.size(), i + 1), false);
  given_[i] = true;
  if (!wants(i)) return;
  const ValueId output = node_.outputs[i];
  const auto is_output = [&](ValueId id) {
    return std::find(node_.outputs.begin(), node_.outputs.end(), id) != node_.outputs.end();
  };
  // An operand, or what is another output already, needs a node that passes it on.
  if (producer(made) == nullptr || is_output(made)) made = add("Identity", {made});
  if (type(made) != ElementType::undefined) walk_.graph.value(output).type = type(made);
  if (const auto rank = walk_.ranks.of(made)) walk_.ranks.declare(output, *rank);
  for (Node& node : nodes_) {
    std::replace(node.outputs.begin(), node.outputs.end(), made, output);
    std::replace(node.inputs.begin(), node.inputs.end(), made, output);
  }
}

void Expansion::give_all(const std::vector<ValueId>& made, std::size_t most) {
  for (std::size_t i = 0; i < most; ++i) give(i, i < made.size() ? made[i] : no_value);
}

std::vector<Node> Expansion::finish() {
  if (kept_) {
    walk_.ranks.follow(node_);
    return {std::move(node_)};
  }
  for (std::size_t i = 0; i < node_.outputs.size(); ++i)
    if (wants(i) && (i >= given_.size() || !given_[i]))
      refuse_unsupported(node_, "its output {} is not supported", i);
  Node& main = main_ < nodes_.size() ? nodes_[main_] : nodes_.back();
  main.name = node_.name;
  main.sources = node_.sources;
  return std::move(nodes_);
}

}  // namespace intact

// From a GraphProto to the graph as the file has it. Everything in a file is untrusted: names,
// sizes and structure are checked here, once, so that later layers need not.
#include "graph/onnx/read_graph.hpp"

#include <fmt/format.h>

#include <set>

#include "graph/definition.hpp"
#include "graph/onnx/expand/expand.hpp"
#include "graph/onnx/positive_scales.hpp"
#include "graph/onnx/upgrade.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

/// Older models are brought into the form of this set, the oldest that the operators implement.
constexpr int oldest_implemented_opset = 7;
/// Deeper subgraphs would only cost stack.
constexpr int deepest_subgraph = 24;

/// An empty permutation is none, so that nobody else need know this form.
void drop_empty_permutations(Graph& graph) {
  for (Node& node : graph.nodes)
    if (node.is("Transpose") && node.attributes.integers("perm").empty())
      node.attributes.erase("perm");
}

}  // namespace

void GraphReader::fail(const std::string& what) const {
  throw Error(fmt::format("{}: {}", file_.label, what));
}

void GraphReader::fail_unsupported(const std::string& what) const {
  throw Unsupported(fmt::format("{}: {}", file_.label, what));
}

ValueId GraphReader::define(const std::string& name, const std::string& by) {
  const auto [found, added] = ids_.emplace(name, static_cast<ValueId>(graph_.values.size()));
  if (!added) fail(fmt::format("tensor '{}' is defined twice, the second time by {}", name, by));
  return graph_.add_value(name);
}

/// The value of this name here or in the graphs around; no_value when there is none.
ValueId GraphReader::find(const std::string& name) {
  const auto known = ids_.find(name);
  if (known != ids_.end()) return known->second;
  if (around_ == nullptr) return no_value;
  const ValueId outer = around_->find(name);
  if (outer == no_value) return no_value;
  const ValueId id = define(name, "a graph around it");
  const Value& source = around_->graph_.value(outer);
  Value& value = graph_.value(id);
  value.type = source.type;
  value.is_sequence = source.is_sequence;
  value.is_optional = source.is_optional;
  captured_[outer] = id;
  return id;
}

void GraphReader::read_initializers(const onnx::GraphProto& proto, const LiftedData& lifted) {
  if (proto.sparse_initializer_size() > 0)
    fail_unsupported(fmt::format("sparse initializer '{}' is not supported",
                                 proto.sparse_initializer(0).values().name()));
  for (int i = 0; i < proto.initializer_size(); ++i) {
    const onnx::TensorProto& initializer = proto.initializer(i);
    const auto at = static_cast<std::size_t>(i);
    const auto* raw = at < lifted.size() && lifted[at] ? &*lifted[at] : nullptr;
    const std::string where = fmt::format("{}: initializer '{}'", file_.label, initializer.name());
    if (initializer.name().empty()) fail(fmt::format("initializer {} has no name", i));
    Tensor tensor = tensor_from_proto(initializer, file_.external, where, raw);
    Value& value = graph_.value(define(initializer.name(), "an initializer"));
    value.type = tensor.type();
    value.shape = tensor.shape();
    value.constant = std::move(tensor);
  }
}

void GraphReader::read_type(const onnx::ValueInfoProto& info, Value& value) {
  if (!info.has_type()) return;
  const onnx::TypeProto* type = &info.type();
  if (type->has_optional_type()) {
    value.is_optional = true;
    type = &type->optional_type().elem_type();
  }
  if (type->has_sequence_type()) {
    value.is_sequence = true;
    type = &type->sequence_type().elem_type();
  }
  if (type->value_case() == onnx::TypeProto::VALUE_NOT_SET) return;
  if (!type->has_tensor_type())
    fail_unsupported(fmt::format(
        "'{}' is neither a tensor nor a sequence of tensors; maps, sparse tensors and sequences of "
        "sequences are not supported",
        info.name()));
  value.type = element_type_from_onnx(type->tensor_type().elem_type(),
                                      fmt::format("{}: '{}'", file_.label, info.name()));
  if (!type->tensor_type().has_shape() || value.is_sequence) return;
  value.declared.emplace();
  for (const auto& dimension : type->tensor_type().shape().dim()) {
    Dimension result{.symbol = dimension.dim_param()};
    // Some exporters write 0 or -1 for an extent that they do not know.
    if (dimension.has_dim_value() && dimension.dim_value() > 0)
      result.value = dimension.dim_value();
    value.declared->push_back(std::move(result));
  }
}

void GraphReader::read_inputs(const onnx::GraphProto& proto) {
  std::set<std::string> seen;
  for (const onnx::ValueInfoProto& info : proto.input()) {
    if (!seen.insert(info.name()).second)
      fail(fmt::format("tensor '{}' is declared twice as an input", info.name()));
    // Before IR version 4 initializers had to be inputs too, later they may: constants either way.
    if (ids_.contains(info.name())) continue;
    const ValueId id = define(info.name(), "a graph input");
    read_type(info, graph_.value(id));
    if (graph_.value(id).type == ElementType::undefined && around_ == nullptr)
      fail(fmt::format("input '{}' has no type; it must be a tensor type", info.name()));
    graph_.inputs.push_back(id);
  }
}

void GraphReader::read_outputs(const onnx::GraphProto& proto) {
  if (proto.output_size() == 0) fail("the graph has no outputs; it must have at least one");
  for (const onnx::ValueInfoProto& info : proto.output()) {
    const ValueId id = find(info.name());
    if (id == no_value) fail(fmt::format("graph output '{}' is produced by no node", info.name()));
    Value& value = graph_.value(id);
    const bool typed = value.type != ElementType::undefined;
    Value declared;
    read_type(info, declared);
    if (!typed) {
      value.type = declared.type;
      value.is_sequence = declared.is_sequence;
      value.is_optional = declared.is_optional;
    }
    if (!value.is_constant() && !value.declared) value.declared = std::move(declared.declared);
    graph_.outputs.push_back(id);
  }
}

/// Every node gets a name of its own, so that it can be accounted for.
void GraphReader::name_nodes(const onnx::GraphProto& proto) {
  graph_.nodes.resize(static_cast<std::size_t>(proto.node_size()));
  for (int i = 0; i < proto.node_size(); ++i) {
    const onnx::NodeProto& node = proto.node(i);
    const std::string base =
        node.name().empty() ? fmt::format("{}_{}", node.op_type(), i) : node.name();
    std::string name = base;
    auto [taken, fresh] = file_.node_names.try_emplace(base, 1);
    while (!fresh) {
      name = fmt::format("{}#{}", base, ++taken->second);
      fresh = file_.node_names.try_emplace(name, 1).second;
    }
    graph_.nodes[static_cast<std::size_t>(i)].name = std::move(name);
  }
}

void GraphReader::read_attribute(const onnx::AttributeProto& proto, Node& node) {
  using Proto = onnx::AttributeProto;
  const std::string where =
      fmt::format("{}: attribute '{}' of {}", file_.label, proto.name(), describe(node));
  if (node.attributes.has(proto.name())) throw Error(fmt::format("{} is given twice", where));
  const auto set = [&](Attribute value) { node.attributes.set(proto.name(), std::move(value)); };
  switch (proto.type()) {
    case Proto::INT:
      return set(static_cast<std::int64_t>(proto.i()));
    case Proto::FLOAT:
      return set(proto.f());
    case Proto::STRING:
      return set(proto.s());
    case Proto::TENSOR:
      return set(tensor_from_proto(proto.t(), file_.external, where));
    case Proto::INTS:
      return set(std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end()));
    case Proto::FLOATS:
      return set(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case Proto::STRINGS:
      return set(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case Proto::TYPE_PROTO:
      return set(OpaqueAttribute{proto.SerializeAsString()});
    case Proto::GRAPH:
      return set(Subgraph{});  // read when the names around it are known
    default:
      throw Unsupported(fmt::format("{} has a type that is not supported ({})", where,
                                    static_cast<int>(proto.type())));
  }
}

void GraphReader::read_node(const onnx::NodeProto& proto, Node& node) {
  node.op = proto.op_type();
  node.domain = proto.domain() == "ai.onnx" ? "" : proto.domain();
  node.sources = {node.name};
  if (node.domain == "intact")
    fail_unsupported(
        fmt::format("node '{}' has domain 'intact', which no file may use", node.name));
  const auto opset = graph_.opsets.find(node.domain);
  if (opset == graph_.opsets.end() && node.domain.empty())
    fail(fmt::format("node '{}' uses ONNX operators, but the model imports no ONNX operator set",
                     node.name));
  // Contributed domains have one version; exporters often forget to import them.
  node.version = opset == graph_.opsets.end() ? 1 : opset->second;
  for (const onnx::AttributeProto& attribute : proto.attribute()) read_attribute(attribute, node);
  for (const std::string& name : proto.output())
    node.outputs.push_back(name.empty() ? no_value : define(name, describe(node)));
}

void GraphReader::resolve_inputs(const onnx::NodeProto& proto, Node& node) {
  for (const std::string& name : proto.input()) {
    const ValueId id = name.empty() ? no_value : find(name);
    if (!name.empty() && id == no_value)
      fail(fmt::format("input '{}' of {} is no graph input, no initializer and no node's output",
                       name, describe(node)));
    node.inputs.push_back(id);
  }
  while (!node.inputs.empty() && node.inputs.back() == no_value) node.inputs.pop_back();
  while (!node.outputs.empty() && node.outputs.back() == no_value) node.outputs.pop_back();
  if (node.outputs.empty()) fail(fmt::format("{} has no outputs", describe(node)));
}

GraphReader::ReadSubgraph GraphReader::read_subgraph(const onnx::AttributeProto& proto) {
  GraphReader reader(file_, this);
  Graph graph = reader.read(proto.g());
  return {proto.name(), std::move(graph), std::move(reader.captured_)};
}

/// The subgraphs of a node take the same captured values, in the same order.
void GraphReader::read_subgraphs(const onnx::NodeProto& proto, Node& node) {
  std::vector<ReadSubgraph> subgraphs;
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    if (attribute.type() != onnx::AttributeProto::GRAPH) continue;
    if (depth_ >= deepest_subgraph)
      fail(fmt::format("{}: subgraphs are nested more than {} deep", describe(node),
                       deepest_subgraph));
    subgraphs.push_back(read_subgraph(attribute));
  }
  std::set<ValueId> captured;
  for (const ReadSubgraph& subgraph : subgraphs)
    for (const auto& [outer, inner] : subgraph.captured) captured.insert(outer);
  for (ReadSubgraph& subgraph : subgraphs) {
    for (const ValueId outer : captured) {
      const auto known = subgraph.captured.find(outer);
      subgraph.graph.inputs.push_back(
          known != subgraph.captured.end()
              ? known->second
              : subgraph.graph.add_value(graph_.value(outer).name, graph_.value(outer).type));
    }
    node.attributes.set(subgraph.attribute,
                        std::make_shared<const Graph>(std::move(subgraph.graph)));
  }
  node.captured = captured.size();
  node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
}

/// Files should list nodes in topological order; some do not.
void GraphReader::restore_order() {
  const std::vector<int> producers = graph_.producers();
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
    for (const ValueId input : graph_.nodes[i].inputs)
      if (input != no_value && producers[static_cast<std::size_t>(input)] >= static_cast<int>(i)) {
        try {
          return graph_.sort();
        } catch (const Error& error) {
          fail(error.what());
        }
      }
}

/// The ranks of tensors that are neither inputs nor outputs, where the file tells them.
std::map<ValueId, int> GraphReader::declared_ranks(const onnx::GraphProto& proto) const {
  std::map<ValueId, int> ranks;
  for (const onnx::ValueInfoProto& info : proto.value_info()) {
    const auto found = ids_.find(info.name());
    if (found != ids_.end() && info.type().tensor_type().has_shape())
      ranks.emplace(found->second, info.type().tensor_type().shape().dim_size());
  }
  return ranks;
}

/// Writes the graph in ONNX's operators, raises those of old operator sets, and checks that every
/// operator is implemented.
void GraphReader::check_operators(const onnx::GraphProto& proto) {
  const auto opset = graph_.opsets.find("");
  try {
    drop_empty_permutations(graph_);
    expand_operators(graph_, declared_ranks(proto));
    make_scales_positive(graph_);
    if (opset != graph_.opsets.end() && opset->second < oldest_implemented_opset)
      raise_opset(graph_, oldest_implemented_opset);
    for (const Node& node : graph_.nodes) {
      const Definition& definition = definition_of(node);
      if (definition.check_structure != nullptr)
        definition.check_structure(graph_, node);
      else if (!node.subgraphs().empty())
        throw Error(fmt::format("attribute '{}' of {} is a subgraph, which the operator has not",
                                node.subgraphs()[0].first, describe(node)));
    }
  } catch (const Unsupported& error) {
    fail_unsupported(error.what());
  } catch (const Error& error) {
    fail(error.what());
  }
}

Graph GraphReader::read(const onnx::GraphProto& proto, const LiftedData& lifted) {
  graph_.opsets = file_.opsets;
  graph_.name = proto.name();
  read_initializers(proto, lifted);
  read_inputs(proto);
  name_nodes(proto);
  for (int i = 0; i < proto.node_size(); ++i)
    read_node(proto.node(i), graph_.nodes[static_cast<std::size_t>(i)]);
  for (int i = 0; i < proto.node_size(); ++i) {
    Node& node = graph_.nodes[static_cast<std::size_t>(i)];
    resolve_inputs(proto.node(i), node);
    read_subgraphs(proto.node(i), node);
  }
  read_outputs(proto);
  restore_order();
  check_operators(proto);
  return std::move(graph_);
}

}  // namespace intact

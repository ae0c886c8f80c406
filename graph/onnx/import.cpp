// From an ONNX file to the graph as the file has it. Everything in a file is untrusted: names,
// sizes and structure are checked here, once, so that later layers need not.
#include <fmt/format.h>

#include <map>
#include <set>
#include <unordered_map>

#include "graph/definition.hpp"
#include "graph/onnx/expand/expand.hpp"
#include "graph/onnx/lift.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/onnx/proto.hpp"
#include "graph/onnx/upgrade.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

constexpr int oldest_opset = 1, newest_opset = 25;
/// Older models are brought into the form of this set, the oldest that the operators implement.
constexpr int oldest_implemented_opset = 7;

class Importer {
 public:
  Importer(std::string label, std::optional<std::filesystem::path> folder)
      : label_(std::move(label)), external_(std::move(folder)) {}

  Graph import(std::span<const std::byte> bytes);

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("{}: {}", label_, what));
  }
  [[noreturn]] void fail_unsupported(const std::string& what) const {
    throw Unsupported(fmt::format("{}: {}", label_, what));
  }

  void decode(std::span<const std::byte> bytes, onnx::ModelProto& model);
  void read_header(const onnx::ModelProto& model);
  void read_initializers(const onnx::GraphProto& proto);
  void read_inputs(const onnx::GraphProto& proto);
  void read_outputs(const onnx::GraphProto& proto);
  void read_type(const onnx::ValueInfoProto& info, Value& value);
  void name_nodes(const onnx::GraphProto& proto);
  void read_node(const onnx::NodeProto& proto, Node& node);
  void read_attribute(const onnx::AttributeProto& proto, Node& node);
  void resolve_operands(const onnx::GraphProto& proto);
  void restore_order();
  std::map<ValueId, int> declared_ranks(const onnx::GraphProto& proto) const;
  void check_operators(const onnx::GraphProto& proto);
  ValueId define(const std::string& name, const std::string& by);

  std::string label_;
  ExternalData external_;
  LiftedModel lifted_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
};

void Importer::decode(std::span<const std::byte> bytes, onnx::ModelProto& model) {
  const auto refuse = [&](const char* reason) {
    throw Error(fmt::format("{} is not an ONNX model ({})", label_, reason));
  };
  if (bytes.empty()) refuse("it is empty");
  auto lifted = lift_raw_data(bytes);
  if (!lifted) refuse("its protobuf encoding is broken or cut off");
  lifted_ = std::move(*lifted);
  constexpr std::size_t limit = 0x7fffffff;
  if (lifted_.encoding.size() > limit)
    refuse("it has more than the 2 GB that protobuf allows; weights belong into external data");
  if (!model.ParseFromArray(lifted_.encoding.data(), static_cast<int>(lifted_.encoding.size())))
    refuse("its protobuf encoding is broken or cut off");
  if (!model.has_graph()) refuse("it has no graph");
  if (model.graph().node_size() == 0 && model.graph().output_size() == 0)
    refuse("its graph has no nodes and no outputs");
}

void Importer::read_header(const onnx::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    const std::string domain = import.domain() == "ai.onnx" ? "" : import.domain();
    if (domain.empty() && (import.version() < oldest_opset || import.version() > newest_opset))
      fail_unsupported(fmt::format("operator set {} is not supported; Intact reads {} to {}",
                                   import.version(), oldest_opset, newest_opset));
    graph_.opsets[domain] = static_cast<int>(import.version());
  }
  if (graph_.opsets.empty()) fail("the model names no operator set; it must import one");
  if (model.functions_size() > 0)
    fail_unsupported(
        fmt::format("model-local functions ('{}') are not supported", model.functions(0).name()));
  graph_.name = model.graph().name();
  for (const auto& entry : model.metadata_props()) graph_.metadata[entry.key()] = entry.value();
}

ValueId Importer::define(const std::string& name, const std::string& by) {
  const auto [found, added] = ids_.emplace(name, static_cast<ValueId>(graph_.values.size()));
  if (!added) fail(fmt::format("tensor '{}' is defined twice, the second time by {}", name, by));
  return graph_.add_value(name);
}

void Importer::read_initializers(const onnx::GraphProto& proto) {
  if (proto.sparse_initializer_size() > 0)
    fail_unsupported(fmt::format("sparse initializer '{}' is not supported",
                                 proto.sparse_initializer(0).values().name()));
  for (int i = 0; i < proto.initializer_size(); ++i) {
    const onnx::TensorProto& initializer = proto.initializer(i);
    const auto& raw = lifted_.raw_data[static_cast<std::size_t>(i)];
    const std::string where = fmt::format("{}: initializer '{}'", label_, initializer.name());
    if (initializer.name().empty()) fail(fmt::format("initializer {} has no name", i));
    Tensor tensor = tensor_from_proto(initializer, external_, where, raw ? &*raw : nullptr);
    Value& value = graph_.value(define(initializer.name(), "an initializer"));
    value.type = tensor.type();
    value.shape = tensor.shape();
    value.constant = std::move(tensor);
  }
}

void Importer::read_type(const onnx::ValueInfoProto& info, Value& value) {
  if (!info.has_type()) return;
  const onnx::TypeProto& type = info.type();
  if (type.value_case() == onnx::TypeProto::VALUE_NOT_SET) return;
  if (!type.has_tensor_type())
    fail_unsupported(
        fmt::format("'{}' is not a tensor; sequences, maps, optionals and sparse "
                    "tensors are not supported",
                    info.name()));
  value.type = element_type_from_onnx(type.tensor_type().elem_type(),
                                      fmt::format("{}: '{}'", label_, info.name()));
  if (!type.tensor_type().has_shape()) return;
  value.declared.emplace();
  for (const auto& dimension : type.tensor_type().shape().dim()) {
    Dimension result{.symbol = dimension.dim_param()};
    // Some exporters write 0 or -1 for an extent that they do not know.
    if (dimension.has_dim_value() && dimension.dim_value() > 0)
      result.value = dimension.dim_value();
    value.declared->push_back(std::move(result));
  }
}

void Importer::read_inputs(const onnx::GraphProto& proto) {
  std::set<std::string> seen;
  for (const onnx::ValueInfoProto& info : proto.input()) {
    if (!seen.insert(info.name()).second)
      fail(fmt::format("tensor '{}' is declared twice as an input", info.name()));
    // Before IR version 4 initializers had to be inputs too, later they may: constants either way.
    if (ids_.contains(info.name())) continue;
    const ValueId id = define(info.name(), "a graph input");
    read_type(info, graph_.value(id));
    if (graph_.value(id).type == ElementType::undefined)
      fail(fmt::format("input '{}' has no type; it must be a tensor type", info.name()));
    graph_.inputs.push_back(id);
  }
}

void Importer::read_outputs(const onnx::GraphProto& proto) {
  if (proto.output_size() == 0) fail("the graph has no outputs; it must have at least one");
  for (const onnx::ValueInfoProto& info : proto.output()) {
    const auto found = ids_.find(info.name());
    if (found == ids_.end())
      fail(fmt::format("graph output '{}' is produced by no node", info.name()));
    Value& value = graph_.value(found->second);
    const bool typed = value.type != ElementType::undefined;
    Value declared;
    read_type(info, declared);
    if (!typed) value.type = declared.type;
    if (!value.is_constant() && !value.declared) value.declared = std::move(declared.declared);
    graph_.outputs.push_back(found->second);
  }
}

/// Every node gets a name of its own, so that it can be accounted for.
void Importer::name_nodes(const onnx::GraphProto& proto) {
  std::set<std::string> used;
  graph_.nodes.resize(static_cast<std::size_t>(proto.node_size()));
  for (int i = 0; i < proto.node_size(); ++i) {
    const onnx::NodeProto& node = proto.node(i);
    const std::string base =
        node.name().empty() ? fmt::format("{}_{}", node.op_type(), i) : node.name();
    std::string name = base;
    for (int k = 2; !used.insert(name).second; ++k) name = fmt::format("{}#{}", base, k);
    graph_.nodes[static_cast<std::size_t>(i)].name = std::move(name);
  }
}

void Importer::read_attribute(const onnx::AttributeProto& proto, Node& node) {
  using Proto = onnx::AttributeProto;
  const std::string where =
      fmt::format("{}: attribute '{}' of {}", label_, proto.name(), describe(node));
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
      return set(tensor_from_proto(proto.t(), external_, where));
    case Proto::INTS:
      return set(std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end()));
    case Proto::FLOATS:
      return set(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case Proto::STRINGS:
      return set(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case Proto::GRAPH:
    case Proto::GRAPHS:
      throw Unsupported(fmt::format("{} is a subgraph; control flow is not supported", where));
    default:
      throw Unsupported(fmt::format("{} has a type that is not supported ({})", where,
                                    static_cast<int>(proto.type())));
  }
}

void Importer::read_node(const onnx::NodeProto& proto, Node& node) {
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
}

/// The ranks of tensors that are neither inputs nor outputs, where the file tells them.
std::map<ValueId, int> Importer::declared_ranks(const onnx::GraphProto& proto) const {
  std::map<ValueId, int> ranks;
  for (const onnx::ValueInfoProto& info : proto.value_info()) {
    const auto found = ids_.find(info.name());
    if (found != ids_.end() && info.type().tensor_type().has_shape())
      ranks.emplace(found->second, info.type().tensor_type().shape().dim_size());
  }
  return ranks;
}

/// Writes the model in ONNX's operators, raises those of old operator sets, and checks that every
/// operator is implemented.
void Importer::check_operators(const onnx::GraphProto& proto) {
  const auto opset = graph_.opsets.find("");
  try {
    expand_operators(graph_, declared_ranks(proto));
    if (opset != graph_.opsets.end() && opset->second < oldest_implemented_opset)
      raise_opset(graph_, oldest_implemented_opset);
    for (const Node& node : graph_.nodes) definition_of(node);
  } catch (const Unsupported& error) {
    fail_unsupported(error.what());
  } catch (const Error& error) {
    fail(error.what());
  }
}

void Importer::resolve_operands(const onnx::GraphProto& proto) {
  for (int i = 0; i < proto.node_size(); ++i) {
    Node& node = graph_.nodes[static_cast<std::size_t>(i)];
    for (const std::string& name : proto.node(i).output())
      node.outputs.push_back(name.empty() ? no_value : define(name, describe(node)));
  }
  for (int i = 0; i < proto.node_size(); ++i) {
    Node& node = graph_.nodes[static_cast<std::size_t>(i)];
    for (const std::string& name : proto.node(i).input()) {
      const auto found = ids_.find(name);
      if (!name.empty() && found == ids_.end())
        fail(fmt::format("input '{}' of {} is no graph input, no initializer and no node's output",
                         name, describe(node)));
      node.inputs.push_back(name.empty() ? no_value : found->second);
    }
    while (!node.inputs.empty() && node.inputs.back() == no_value) node.inputs.pop_back();
    while (!node.outputs.empty() && node.outputs.back() == no_value) node.outputs.pop_back();
    if (node.outputs.empty()) fail(fmt::format("{} has no outputs", describe(node)));
  }
}

/// Files should list nodes in topological order; some do not.
void Importer::restore_order() {
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

Graph Importer::import(std::span<const std::byte> bytes) {
  onnx::ModelProto model;
  decode(bytes, model);
  read_header(model);
  const onnx::GraphProto& proto = model.graph();
  read_initializers(proto);
  read_inputs(proto);
  name_nodes(proto);
  for (int i = 0; i < proto.node_size(); ++i)
    read_node(proto.node(i), graph_.nodes[static_cast<std::size_t>(i)]);
  resolve_operands(proto);
  read_outputs(proto);
  restore_order();
  check_operators(proto);
  graph_.file_bytes = bytes.size() + external_.file_bytes();
  return std::move(graph_);
}

}  // namespace

Graph load_onnx(const std::filesystem::path& path) {
  const MappedFile file(path);
  return Importer(path.string(), path.parent_path()).import(file.bytes());
}

Graph parse_onnx(std::span<const std::byte> bytes, const std::filesystem::path& folder) {
  std::optional<std::filesystem::path> data_folder;
  if (!folder.empty()) data_folder = folder;
  return Importer("the model", data_folder).import(bytes);
}

}  // namespace intact

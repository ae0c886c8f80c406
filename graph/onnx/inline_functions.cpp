// Calls of model-local functions become their nodes. ONNX: "Functions" in the specification of the
// intermediate representation.
#include "graph/onnx/inline_functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "intact/error.hpp"

namespace intact {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

std::string plain_domain(const std::string& domain) {
  return domain == "ai.onnx" ? "" : domain;
}

/// Calls `visit` with every name of a value in the node and its subgraphs, to read or to change it.
template <class Visit>
void visit_names(onnx::NodeProto& node, const Visit& visit);

template <class Visit>
void visit_names(onnx::GraphProto& graph, const Visit& visit) {
  for (auto& input : *graph.mutable_input()) visit(*input.mutable_name());
  for (auto& output : *graph.mutable_output()) visit(*output.mutable_name());
  for (auto& info : *graph.mutable_value_info()) visit(*info.mutable_name());
  for (auto& initializer : *graph.mutable_initializer()) visit(*initializer.mutable_name());
  for (auto& node : *graph.mutable_node()) visit_names(node, visit);
}

template <class Visit>
void visit_names(onnx::NodeProto& node, const Visit& visit) {
  for (auto& input : *node.mutable_input()) visit(input);
  for (auto& output : *node.mutable_output()) visit(output);
  for (auto& attribute : *node.mutable_attribute()) {
    if (attribute.has_g()) visit_names(*attribute.mutable_g(), visit);
    for (auto& graph : *attribute.mutable_graphs()) visit_names(graph, visit);
  }
}

std::int64_t node_count(const Nodes& nodes);

std::int64_t node_count(const onnx::AttributeProto& attribute) {
  std::int64_t count = node_count(attribute.g().node());
  for (const auto& graph : attribute.graphs()) count += node_count(graph.node());
  return count;
}

/// With those in subgraphs.
std::int64_t node_count(const Nodes& nodes) {
  std::int64_t count = nodes.size();
  for (const auto& node : nodes)
    for (const auto& attribute : node.attribute()) count += node_count(attribute);
  return count;
}

// Fields that came into the format later than the packaged classes.

/// Contents of the fields with this number.
std::vector<std::string> fields_of(const google::protobuf::Message& message, int number) {
  std::vector<std::string> contents;
  const auto* field = message.GetDescriptor()->FindFieldByNumber(number);
  const auto& reflection = *message.GetReflection();
  if (field == nullptr) {
    const auto& unknown = reflection.GetUnknownFields(message);
    for (int i = 0; i < unknown.field_count(); ++i)
      if (unknown.field(i).number() == number &&
          unknown.field(i).type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
        contents.push_back(unknown.field(i).length_delimited());
  } else if (!field->is_repeated()) {
    contents.push_back(reflection.GetString(message, field));
  } else {
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      contents.push_back(reflection.GetRepeatedMessage(message, field, i).SerializeAsString());
  }
  return contents;
}

std::string text_of(const google::protobuf::Message& message, int number) {
  const std::vector<std::string> texts = fields_of(message, number);
  return texts.empty() ? "" : texts.back();
}

class Inliner {
 public:
  Inliner(const std::string& label, onnx::ModelProto& model)
      : label_(label),
        model_(model),
        most_bytes_((std::size_t{256} << 20) + 4 * model.ByteSizeLong()) {
    for (const auto& function : model.functions()) functions_[key_of(function)] = &function;
    for (const auto& import : model.opset_import())
      versions_[plain_domain(import.domain())] = import.version();
    visit_names(*model.mutable_graph(), [&](const std::string& name) { taken_.insert(name); });
  }

  void run() { expand(*model_.mutable_graph()); }

 private:
  /// With the overload (files of version 10 and newer), which tells functions of one name apart.
  using FunctionKey = std::tuple<std::string, std::string, std::string>;
  static FunctionKey key_of(const onnx::FunctionProto& function) {
    constexpr int overload = 13;
    return {plain_domain(function.domain()), function.name(), text_of(function, overload)};
  }
  const onnx::FunctionProto* function_of(const onnx::NodeProto& node) const {
    constexpr int overload = 8;
    const auto found =
        functions_.find({plain_domain(node.domain()), node.op_type(), text_of(node, overload)});
    return found == functions_.end() ? nullptr : found->second;
  }

  template <class... Args>
  [[noreturn]] void refuse(const onnx::FunctionProto& function, fmt::format_string<Args...> format,
                           Args&&... args) const {
    throw Error(fmt::format("{}: the function '{}' {}", label_, function.name(),
                            fmt::format(format, std::forward<Args>(args)...)));
  }

  void expand(onnx::GraphProto& graph) { expand(*graph.mutable_node()); }

  void expand(Nodes& nodes) {
    ++depth_;
    Nodes expanded;
    for (auto& node : nodes) {
      const onnx::FunctionProto* function = function_of(node);
      if (function != nullptr) {
        Nodes body = body_of(node, *function);
        for (auto& inner : body) *expanded.Add() = std::move(inner);
        continue;
      }
      for (auto& attribute : *node.mutable_attribute()) {
        if (attribute.has_g()) expand(*attribute.mutable_g());
        for (auto& graph : *attribute.mutable_graphs()) expand(graph);
      }
      *expanded.Add() = std::move(node);
    }
    nodes = std::move(expanded);
    --depth_;
  }

  /// The nodes that stand for the call, calls among them expanded.
  Nodes body_of(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
    check(call, function);
    if (!running_.insert(&function).second) refuse(function, "calls itself");
    constexpr int deepest_call = 64;  // deeper ones would only cost stack
    if (depth_ > deepest_call)
      refuse(function, "is called more than {} functions and subgraphs deep", deepest_call);
    spend(function, node_count(function.node()), function.ByteSizeLong());
    Nodes body = function.node();
    const std::map<std::string, std::string> names = operands(call, function);
    const std::string prefix = free_prefix(call);
    Attributes attributes = defaults_of(function);
    for (const auto& attribute : call.attribute()) attributes[attribute.name()] = &attribute;
    for (auto& node : body) {
      set_attributes(function, node, attributes);
      visit_names(node, [&](std::string& name) {
        if (name.empty()) return;
        const auto known = names.find(name);
        name = known == names.end() ? prefix + name : known->second;
        spend(function, 0, name.size());
        taken_.insert(name);
      });
      node.set_name(prefix + (node.name().empty() ? node.op_type() : node.name()));
      spend(function, 0, node.name().size());
    }
    expand(body);
    running_.erase(&function);
    return body;
  }

  /// Counts what a call copies, before it does: a small file must not ask for all memory.
  void spend(const onnx::FunctionProto& function, std::int64_t nodes, std::size_t bytes) {
    constexpr std::int64_t most_nodes = 200'000;
    node_count_ += nodes;
    byte_count_ += bytes;
    if (node_count_ > most_nodes)
      refuse(function, "and others stand for more than {} nodes", most_nodes);
    if (byte_count_ > most_bytes_)
      refuse(function, "and others stand for more than {} bytes", most_bytes_);
  }

  void check(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
    if (call.input_size() > function.input_size() || call.output_size() > function.output_size())
      refuse(function, "is called with {} inputs and {} outputs, but has {} and {}",
             call.input_size(), call.output_size(), function.input_size(), function.output_size());
    for (const auto& import : function.opset_import()) {
      const std::string domain = plain_domain(import.domain());
      const auto [known, is_new] = versions_.try_emplace(domain, import.version());
      if (is_new) *model_.add_opset_import() = import;
      if (known->second != import.version())
        throw Unsupported(fmt::format(
            "{}: the function '{}' is written for version {} of the operator set '{}', the model "
            "for {}; convert them to the same version",
            label_, function.name(), import.version(), domain.empty() ? "ai.onnx" : domain,
            known->second));
    }
  }

  /// Names of the function's inputs and outputs, and what the call has in their place.
  static std::map<std::string, std::string> operands(const onnx::NodeProto& call,
                                                     const onnx::FunctionProto& function) {
    std::map<std::string, std::string> names;
    for (int i = 0; i < function.input_size(); ++i)
      names[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    for (int i = 0; i < call.output_size(); ++i)
      if (!call.output(i).empty()) names.try_emplace(function.output(i), call.output(i));
    return names;
  }

  /// What makes the function's own names differ from all others.
  std::string free_prefix(const onnx::NodeProto& call) {
    const std::string name = call.name().empty() ? call.op_type() : call.name();
    for (int& attempts = attempts_[name];;) {
      std::string prefix = ++attempts == 1 ? name + "/" : fmt::format("{}_{}/", name, attempts);
      const auto next = taken_.lower_bound(prefix);
      if (next == taken_.end() || !next->starts_with(prefix)) return prefix;
    }
  }

  using Attributes = std::map<std::string, const onnx::AttributeProto*>;

  /// Attributes that the function has where a call gives none.
  const Attributes& defaults_of(const onnx::FunctionProto& function) {
    const auto [known, is_new] = defaults_.try_emplace(&function);
    if (is_new) {
      constexpr int attribute_proto = 11;
      Defaults& defaults = known->second;
      for (const std::string& encoding : fields_of(function, attribute_proto))
        if (!defaults.decoded.emplace_back().ParseFromString(encoding))
          refuse(function, "has the default of an attribute whose protobuf encoding is broken");
      for (const auto& attribute : defaults.decoded)
        defaults.by_name[attribute.name()] = &attribute;
    }
    return known->second.by_name;
  }

  /// Attributes that refer to those of the call or to defaults; they are left out where there are
  /// neither.
  void set_attributes(const onnx::FunctionProto& function, onnx::NodeProto& node,
                      const Attributes& given) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> attributes;
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        for (auto& inner : *attribute.mutable_g()->mutable_node())
          set_attributes(function, inner, given);
      if (attribute.ref_attr_name().empty()) {
        *attributes.Add() = std::move(attribute);
        continue;
      }
      const auto found = given.find(attribute.ref_attr_name());
      if (found == given.end()) continue;
      spend(function, node_count(*found->second), found->second->ByteSizeLong());
      onnx::AttributeProto& value = *attributes.Add();
      value = *found->second;
      value.set_name(attribute.name());
    }
    *node.mutable_attribute() = std::move(attributes);
  }

  struct Defaults {
    std::vector<onnx::AttributeProto> decoded;
    Attributes by_name;
  };

  const std::string& label_;
  onnx::ModelProto& model_;
  std::map<FunctionKey, const onnx::FunctionProto*> functions_;
  std::map<std::string, std::int64_t> versions_;
  std::set<std::string> taken_;          ///< names of values
  std::map<std::string, int> attempts_;  ///< numbers behind the name of a call, tried so far
  std::set<const onnx::FunctionProto*> running_;
  int depth_ = 0;  ///< of functions and subgraphs
  std::map<const onnx::FunctionProto*, Defaults> defaults_;
  std::int64_t node_count_ = 0;
  std::size_t byte_count_ = 0, most_bytes_;
};

}  // namespace

void inline_functions(const std::string& label, onnx::ModelProto& model) {
  if (model.functions_size() == 0) return;
  Inliner(label, model).run();
  model.clear_functions();
}

}  // namespace intact

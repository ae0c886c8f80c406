// Planning single nodes in several forms, and the document made of it.
#include "tests/coverage/coverage.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/onnx/expand/expand.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/ops/unsupported.hpp"
#include "intact/session.hpp"
#include "tests/dataflow/fold_case.hpp"

namespace intact::testing {
namespace {

namespace fs = std::filesystem;

/// "conv_reference" -> "conv", "onednn jit:avx2" -> "oneDNN". Plans are made for scalar code, so
/// that the document is the same on every machine.
std::string family_of(std::string kernel) {
  if (kernel.starts_with("onednn")) return "oneDNN";
  const std::string suffix = "_reference";
  if (kernel.ends_with(suffix)) kernel.erase(kernel.size() - suffix.size());
  return kernel;
}

bool determines_shape(const Node& node, std::size_t input) {
  const Definition* definition = find_definition(node.op, node.domain);
  if (definition == nullptr) return false;
  const auto& operands = definition->shape_operands;
  return std::find(operands.begin(), operands.end(), static_cast<int>(input)) != operands.end();
}

/// The forms in which a node is planned.
struct Form {
  bool only_first_varies;  ///< the other operands are constants
  bool on_grids;           ///< QuantizeLinear and DequantizeLinear around the node
  bool quantized_second;   ///< behind a constant second operand too: weights
};
constexpr Form forms[] = {{false, false, false},
                          {true, false, false},
                          {false, true, false},
                          {true, true, false},
                          {true, true, true}};

/// Rebuilds a model of one node in one of the forms.
class Rebuilder {
 public:
  Rebuilder(Graph file, const std::vector<Tensor>& inputs, const Form& form)
      : graph_(std::move(file)), inputs_(inputs), form_(form) {}

  Graph rebuilt(std::vector<Shape>& shapes) {
    Node node = std::move(graph_.nodes[0]);
    graph_.nodes.clear();
    constexpr int first_quantized = 10;  // few operators changed between 7 and 10
    if (form_.on_grids && graph_.opsets[""] < first_quantized) {
      graph_.opsets[""] = first_quantized;
      if (node.domain.empty()) node.version = first_quantized;
    }
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.has_input(i)) continue;
      const auto at = std::find(graph_.inputs.begin(), graph_.inputs.end(), node.inputs[i]);
      if (at == graph_.inputs.end()) continue;
      const Tensor& data = inputs_[static_cast<std::size_t>(at - graph_.inputs.begin())];
      const bool varies = (i == 0 || !form_.only_first_varies) && !determines_shape(node, i);
      if (varies) {
        inputs.push_back(node.inputs[i]);
        shapes.push_back(data.shape());
      } else {
        graph_.value(node.inputs[i]).constant = data;
      }
      const bool rounded = form_.on_grids && data.type() == ElementType::f32 &&
                           (varies || (i == 1 && form_.quantized_second));
      if (rounded) node.inputs[i] = round(node.inputs[i], varies);
    }
    std::vector<ValueId> results = node.outputs;
    graph_.nodes.push_back(std::move(node));
    if (form_.on_grids)
      for (ValueId& id : graph_.outputs)
        if (graph_.value(id).type == ElementType::f32) id = round(id, true);
    graph_.inputs = inputs;
    return std::move(graph_);
  }

 private:
  /// Activations on u8, weights on s8.
  ValueId round(ValueId x, bool activation) {
    const std::string base = graph_.value(x).name;
    const ValueId scale = graph_.add_constant(base + "/scale", Tensor::scalar(0.05f));
    const ValueId zero =
        activation ? graph_.add_constant(base + "/zero", Tensor::scalar(std::uint8_t{128}))
                   : graph_.add_constant(base + "/zero", Tensor::scalar(std::int8_t{0}));
    const ValueId bytes = append("QuantizeLinear", {x, scale, zero}, base + "/q");
    const ValueId result = append("DequantizeLinear", {bytes, scale, zero}, base + "/dq");
    graph_.value(result).type = ElementType::f32;
    graph_.value(result).declared = graph_.value(x).declared;
    return result;
  }

  ValueId append(const char* op, std::vector<ValueId> inputs, const std::string& name) {
    Node node;
    node.op = op;
    node.version = graph_.opsets[""];
    node.name = name;
    node.inputs = std::move(inputs);
    node.outputs = {graph_.add_value(name)};
    graph_.nodes.push_back(node);
    return node.outputs[0];
  }

  Graph graph_;
  const std::vector<Tensor>& inputs_;
  Form form_;
};

std::vector<Tensor> numbered_inputs(const fs::path& folder) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0;; ++i) {
    const fs::path file = folder / fmt::format("input_{}.pb", i);
    if (!fs::exists(file)) return tensors;
    tensors.push_back(load_tensor_proto(file));
  }
}

constexpr ElementType all_types[] = {
    ElementType::f32, ElementType::f64, ElementType::f16,    ElementType::bf16, ElementType::u8,
    ElementType::s8,  ElementType::u16, ElementType::s16,    ElementType::u32,  ElementType::s32,
    ElementType::u64, ElementType::s64, ElementType::boolean};

}  // namespace

void Coverage::try_onnx_cases(const fs::path& data) {
  for (const char* group : {"node", "pytorch-operator", "pytorch-converted", "simple"})
    for (const auto& entry : fs::directory_iterator(data / group))
      if (fs::exists(entry.path() / "model.onnx")) try_case(entry.path());
}

void Coverage::try_case(const fs::path& folder) {
  try {
    const Graph file = load_onnx(folder / "model.onnx");
    const std::vector<Tensor> inputs = numbered_inputs(folder / "test_data_set_0");
    if (file.nodes.size() != 1 || inputs.size() != file.inputs.size()) return;
    const Node& node = file.nodes[0];
    if (find_definition(node.op, node.domain) == nullptr) return;
    std::vector<Tensor> operands;
    for (const ValueId id : node.inputs) {
      const auto at = std::find(file.inputs.begin(), file.inputs.end(), id);
      operands.push_back(id == no_value ? Tensor()
                         : at == file.inputs.end()
                             ? file.value(id).constant
                             : inputs[static_cast<std::size_t>(at - file.inputs.begin())]);
    }
    try_types(node, operands);
    for (const Form& form : forms) {
      std::vector<Shape> shapes;
      const Graph rebuilt = Rebuilder(file, inputs, form).rebuilt(shapes);
      try_plan(rebuilt, shapes, rebuilt.nodes);
    }
  } catch (const std::exception&) {
    // Not a case for this version; tests/conformance judges that.
  }
}

void Coverage::try_types(const Node& node, const std::vector<Tensor>& inputs) {
  // Control flow and operators of sequences are no functions of tensors.
  if (inputs.empty() || !inputs[0].defined() || !definition_of(node).evaluate) return;
  for (const ElementType type : all_types) {
    try {
      std::vector<Tensor> converted = inputs;
      for (Tensor& tensor : converted)
        if (tensor.defined() && tensor.type() == inputs[0].type()) tensor = convert(tensor, type);
      definition_of(node).evaluate({node, converted});
      of(node).types.insert(type);
    } catch (const std::exception&) {
      // Not this type.
    }
  }
}

void Coverage::try_plan(const Graph& file, const std::vector<Shape>& shapes,
                        const std::vector<Node>& nodes) {
  Flow flow;
  try {
    SessionOptions options;
    options.threads = 1;
    options.isa = Isa::scalar;
    flow = Session::parse(serialize_onnx(file), options).flow(shapes);
  } catch (const std::exception&) {
    return;
  }
  std::map<std::string, const Node*> by_name;
  for (const Node& node : nodes) by_name[node.name] = &node;
  for (const FlowNode& step : flow.nodes)
    for (const std::string& name : step.onnx_nodes) {
      if (!by_name.contains(name)) continue;
      OperatorCoverage& coverage = of(*by_name[name]);
      auto& families = step.precision == "int8" ? coverage.int8 : coverage.floating;
      families.insert(family_of(step.kernel));
    }
  for (const FlowRemoved& removed : flow.removed)
    for (const std::string& name : removed.onnx_nodes)
      if (by_name.contains(name)) of(*by_name[name]).moves_nothing = true;
}

void Coverage::try_fold_cases() {
  for (const FoldCase& fold : all_cases()) {
    ModelBuilder builder(fold.opset);
    const FoldModel model = fold.build(builder);
    Graph file = builder.build(model.outputs);
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < model.inputs.size(); ++i) shapes.push_back(model.inputs[i].shape());
    try_plan(file, shapes, builder.graph().nodes);
    for (std::size_t i = 0; i < shapes.size(); ++i) file.value(file.inputs[i]).shape = shapes[i];
    const std::vector<Node> nodes = file.nodes;
    infer_shapes(file);
    for (const Node& node : nodes)
      if (node.has_input(0) && file.value(node.inputs[0]).type != ElementType::undefined)
        of(node).types.insert(file.value(node.inputs[0]).type);
  }
}

namespace {

std::string types_text(const OperatorCoverage& coverage) {
  const bool seen = coverage.moves_nothing || !coverage.int8.empty() || !coverage.floating.empty();
  if (coverage.types.empty() && !seen) return "(no case to try)";
  std::string text;
  for (const ElementType type : coverage.types)
    text += (text.empty() ? "" : " ") + std::string(element_name(type));
  return text;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string opsets_text(const Definition& definition) {
  if (definition.first == definition.last) return fmt::format("{}", definition.first);
  return fmt::format("{} to {}", definition.first, definition.last);
}

constexpr std::string_view introduction = R"(# Coverage of operators

Written by `make coverage`; a test compares it with what the code does. Each operator of the
registry, with what was found by planning the single-node cases of ONNX's own test data, as they
are and with quantized operands, and the fold cases of `tests/dataflow`:

- **opsets**: operator set versions whose meaning is implemented. Files with older ones are raised
  when they are read (`graph/onnx/upgrade.cpp`).
- **types**: element types of the first operand that the reference evaluation was seen to take.
- **int8**: kernel families that it runs on when its operands lie on 8- or 16-bit grids: the folders
  of `kernels/` and the lists in them. Several where forms differ; an operator that is computed by
  its neighbour's kernel (Relu behind Conv) shows that one. `reference` here moves stored bytes
  without a kernel of its own.
- **other**: families for floats, and for integers that are no quantized numbers; `reference` is the
  plain evaluation of the definition, right but slow.
- Operators that are rewritten when a file is read (`graph/onnx/expand`) have the types of what they
  become; their kernels are those of the operator that keeps the node's name.
- **free**: some form costs nothing at run time: a view, a slot of a Concat, folded when the model
  is planned.

)";

}  // namespace

std::string Coverage::document() const {
  std::string text(introduction);
  std::string domain = "none";
  for (const Definition* definition : all_definitions()) {
    if (definition->domain != domain) {
      domain = definition->domain;
      text += fmt::format(
          "\n## {}\n\n| operator | opsets | types | int8 | other | free "
          "|\n|---|---|---|---|---|---|\n",
          domain.empty() ? "ai.onnx" : domain);
    }
    const auto found = operators_.find({domain, std::string(definition->op)});
    const OperatorCoverage coverage =
        found == operators_.end() ? OperatorCoverage{} : found->second;
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", definition->op,
                        opsets_text(*definition), types_text(coverage), joined(coverage.int8),
                        joined(coverage.floating), coverage.moves_nothing ? "yes" : "");
  }
  text += "\n## Read as standard operators\n\n| operator | int8 | other |\n|---|---|---|\n";
  for (const auto& [domain_of, op] : expanded_operators()) {
    const auto found = operators_.find({std::string(domain_of), std::string(op)});
    const OperatorCoverage coverage =
        found == operators_.end() ? OperatorCoverage{} : found->second;
    text += fmt::format("| {}{}{} | {} | {} |\n", domain_of, domain_of.empty() ? "" : ".", op,
                        joined(coverage.int8), joined(coverage.floating));
  }
  text += "\n## Not supported\n\n| operator | reason |\n|---|---|\n";
  for (const UnsupportedOperator& other : unsupported_operators())
    text += fmt::format("| {}{}{} | {} |\n", other.domain, other.domain.empty() ? "" : ".",
                        other.op, other.reason);
  return text;
}

}  // namespace intact::testing

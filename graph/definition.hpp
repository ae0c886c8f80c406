// Operator definitions: one per operator, in graph/ops/<family>.cpp. The same definition serves
// shape inference, constant folding, the interpreter, conformance, the engine's fallback and byte
// tables. To add an operator: docs/adding-an-operator.md.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "intact/datum.hpp"

namespace intact {

/// Type and, where it follows from the inputs, shape of a tensor.
struct TensorType {
  ElementType type = ElementType::undefined;
  std::optional<Shape> shape;
};

/// What shape inference knows about a node's inputs. Absent operands have type undefined.
struct InferContext {
  const Node& node;
  std::span<const TensorType> inputs;
  /// Values of constant inputs; undefined tensors for the others. (On a grid: real numbers.)
  std::span<const Tensor> constants;

  bool has(std::size_t i) const {
    return i < inputs.size() && inputs[i].type != ElementType::undefined;
  }
};

/// Inputs of an evaluation; absent operands are undefined tensors.
struct EvalContext {
  const Node& node;
  std::span<const Tensor> inputs;

  bool has(std::size_t i) const { return i < inputs.size() && inputs[i].defined(); }
};

/// Runs the subgraph in an attribute of a node on what its own inputs get; whoever runs the node
/// adds the captured values.
using RunSubgraph =
    std::function<std::vector<Datum>(const std::string& attribute, std::vector<Datum> inputs)>;

/// Inputs of an evaluation on sequences, optionals or subgraphs, without the captured ones. Absent
/// operands, and optionals that hold nothing, are undefined tensors.
struct DataContext {
  const Node& node;
  std::span<const Datum> inputs;
  const RunSubgraph& run;
};

struct Definition {
  std::string_view op;
  std::string_view domain = "";
  /// Operator set versions whose meaning is implemented. A model that imports a higher version is
  /// read with the meaning of `last`, unless the operator changed (then raise `last`).
  int first = 1, last = 25;

  /// Types and shapes of all outputs. A shape is absent when it depends on unknown shapes or on
  /// operands that are not constant. Throws Error for shapes that do not fit, naming the node
  /// (describe(node)), what was given and what would be right.
  std::vector<TensorType> (*infer)(const InferContext&) = nullptr;
  /// Plain reference: sums in double, then rounded to the output's type. Elementwise operators take
  /// f64 too and then compute in double (byte tables). Moving operators take every element type.
  /// Throws Unsupported for a type or form that is not implemented.
  std::vector<Tensor> (*evaluate)(const EvalContext&) = nullptr;
  /// The same for operators with subgraphs, and for operands that are no tensors. It runs between
  /// the plans of the engine, not inside of them.
  std::vector<Datum> (*evaluate_data)(const DataContext&) = nullptr;
  /// Of operators with subgraphs: throws Error where these do not fit the node. At import.
  void (*check_structure)(const Graph&, const Node&) = nullptr;

  /// Output elements are copies of elements of the data inputs (the first, or all for Concat): runs
  /// on integers of a grid as on reals, and the output keeps the grid.
  bool moves_data = false;
  /// Element i of the output depends on element i of the (broadcast) inputs only.
  bool elementwise = false;
  /// The result is random or depends on state: never folded, never tested for equality.
  bool random = false;
  /// The output shape depends on the elements of inputs that are data: NonZero, Compress, ...
  bool selects_by_value = false;
  /// Inputs whose values (not shapes) determine output shapes: Reshape's second, ...
  std::vector<int> shape_operands = {};
};

/// Null when the operator is unknown.
const Definition* find_definition(std::string_view op, std::string_view domain);
/// Throws Unsupported naming operator, domain, opset and node.
const Definition& definition_of(const Node& node);
/// All definitions, for documentation and coverage.
std::vector<const Definition*> all_definitions();

/// Sets types and concrete shapes of all values, given those of the graph inputs (Value::shape).
/// Nodes whose inputs are all constant, and Shape/Size of known shapes, are evaluated on the way
/// and become constants (their sources move to graph.removed, reason "constant").
/// Shapes that depend on data stay absent. Also sets grids of moving operators' outputs.
void infer_shapes(Graph& graph);

/// Runs one node: `inputs` has one entry per input of the node without the captured ones. Throws
/// Error or Unsupported naming the node for anything that fails.
std::vector<Datum> evaluate_node(const Node& node, std::span<const Datum> inputs,
                                 const RunSubgraph& run);

/// Runs the graph node by node with the reference evaluations, in either dialect; tensors on grids
/// are passed as real numbers (f32). `observe`, when given, sees every node's outputs.
/// Throws Error naming the node for anything that fails.
std::vector<Tensor> interpret(const Graph& graph, std::span<const Tensor> inputs,
                              void (*observe)(void* user, const Node& node,
                                              std::span<const Tensor> outputs) = nullptr,
                              void* user = nullptr);
/// The same for inputs and outputs of any kind.
std::vector<Datum> interpret_data(const Graph& graph, std::span<const Datum> inputs,
                                  void (*observe)(void* user, const Node& node,
                                                  std::span<const Tensor> outputs) = nullptr,
                                  void* user = nullptr);

/// The tensor; throws Error naming `what` when the datum is a sequence.
const Tensor& tensor_of(const Datum& datum, const std::string& what);

/// The real numbers of a constant: itself, or dequantized when it lies on a grid.
Tensor real_constant(const Value& value);

/// round half to even(x / scale) + zero_point, saturated to the grid's type, in double. NaN gives
/// the lowest integer, as the kernels do.
double round_to_integer(double x, double scale, std::int32_t zero_point, ElementType type);

}  // namespace intact

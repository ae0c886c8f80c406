// If, Loop, Scan and SequenceMap: which subgraph runs on what, how often.
#include <algorithm>
#include <limits>

#include "graph/checks.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/sequence.hpp"

namespace intact {
namespace {

/// Files write the greatest integer for a loop that only its condition ends.
constexpr std::int64_t most_iterations = std::numeric_limits<std::int32_t>::max();

// --- Structure, checked at import

const Graph& subgraph_of(const Node& node, const std::string& attribute) {
  const Subgraph subgraph = node.attributes.graph(attribute);
  if (!subgraph) refuse(node, "the subgraph '{}' is missing", attribute);
  return *subgraph;
}

void check_counts(const Node& node, const std::string& attribute, std::size_t inputs,
                  std::size_t least_outputs) {
  const Graph& graph = subgraph_of(node, attribute);
  const std::size_t own = graph.inputs.size() - node.captured;
  if (own != inputs)
    refuse(node, "the subgraph '{}' has {} inputs; it must have {}", attribute, own, inputs);
  if (graph.outputs.size() < least_outputs)
    refuse(node, "the subgraph '{}' has {} outputs; it must have {}", attribute,
           graph.outputs.size(), least_outputs);
}

void check_if(const Graph&, const Node& node) {
  if (node.own_inputs() != 1 || !node.has_input(0))
    refuse(node, "has {} inputs; it must have the condition", node.own_inputs());
  for (const char* branch : {"then_branch", "else_branch"})
    check_counts(node, branch, 0, node.outputs.size());
}

/// The tensor that a value always has, when the file shows it: itself, through Identity, or from
/// Constant.
Tensor known_tensor(const Graph& graph, ValueId id) {
  for (std::size_t steps = 0; steps <= graph.nodes.size(); ++steps) {
    if (id == no_value) return {};
    if (graph.value(id).is_constant()) return real_constant(graph.value(id));
    const Node* producer = nullptr;
    for (const Node& node : graph.nodes)
      if (node.outputs[0] == id) producer = &node;
    if (producer == nullptr) return {};
    if (producer->is("Constant")) return producer->attributes.tensor("value");
    if (!producer->is("Identity") || !producer->has_input(0)) return {};
    id = producer->inputs[0];
  }
  return {};
}

bool is_true(const Tensor& tensor) {
  return tensor.type() == ElementType::boolean && tensor.size() == 1 && tensor.data<bool>()[0];
}

/// Nothing in the file could end the loop.
bool is_endless(const Graph& graph, const Node& node) {
  const auto operand = [&](std::size_t i) {
    return i < node.own_inputs() ? node.inputs[i] : no_value;
  };
  if (operand(0) != no_value) {
    const Tensor trips = known_tensor(graph, operand(0));
    if (trips.type() != ElementType::s64 || trips.size() != 1 ||
        trips.data<std::int64_t>()[0] < most_iterations)
      return false;
  }
  if (operand(1) != no_value && !is_true(known_tensor(graph, operand(1)))) return false;
  const Graph& body = subgraph_of(node, "body");
  ValueId condition = body.outputs[0];
  if (is_true(known_tensor(body, condition))) return true;
  for (bool moved = true; moved;) {
    moved = false;
    for (const Node& inner : body.nodes)
      if (inner.is("Identity") && inner.has_input(0) && inner.outputs[0] == condition) {
        condition = inner.inputs[0];
        moved = true;
      }
  }
  if (condition == body.inputs[1]) return true;
  const std::size_t own = body.inputs.size() - node.captured;
  for (std::size_t i = own; i < body.inputs.size(); ++i)
    if (body.inputs[i] == condition)
      return is_true(known_tensor(graph, node.inputs[node.own_inputs() + i - own]));
  return false;
}

std::size_t carried_values(const Node& node) {
  return std::max<std::size_t>(node.own_inputs(), 2) - 2;
}

void check_loop(const Graph& graph, const Node& node) {
  const std::size_t carried = carried_values(node);
  check_counts(node, "body", 2 + carried, std::max(1 + carried, 1 + node.outputs.size()));
  if (is_endless(graph, node))
    refuse(node, "has no trip count and a condition that is always true: it would never end");
}

std::size_t scanned_inputs(const Node& node) {
  const std::int64_t count = node.attributes.integer("num_scan_inputs", 0);
  const std::size_t first = node.version < 9 ? 1 : 0;
  if (count < 1 || static_cast<std::size_t>(count) + first > node.own_inputs())
    refuse(node, "num_scan_inputs is {}; the node has {} inputs", count, node.own_inputs());
  return static_cast<std::size_t>(count);
}

void check_scan(const Graph&, const Node& node) {
  const std::size_t first = node.version < 9 ? 1 : 0;  // sequence_lens
  const std::size_t inputs = node.own_inputs() - std::min(first, node.own_inputs());
  check_counts(node, "body", inputs,
               std::max(inputs - std::min(inputs, scanned_inputs(node)), node.outputs.size()));
}

void check_sequence_map(const Graph&, const Node& node) {
  if (node.own_inputs() < 1) refuse(node, "has no inputs; it must have a sequence");
  check_counts(node, "body", node.own_inputs(), node.outputs.size());
}

// --- Evaluation

bool condition_of(const Node& node, const Datum& datum, const char* what) {
  const Tensor& tensor = tensor_of(datum, what);
  if (tensor.type() != ElementType::boolean || tensor.size() != 1)
    refuse(node, "{} is {} {}; it must be one boolean", what, element_name(tensor.type()),
           to_string(tensor.shape()));
  return tensor.data<bool>()[0];
}

std::vector<Datum> evaluate_if(const DataContext& context) {
  const bool truth = condition_of(context.node, context.inputs[0], "the condition");
  return context.run(truth ? "then_branch" : "else_branch", {});
}

/// What an iteration gives besides the values that it carries on, collected.
class ScanOutputs {
 public:
  ScanOutputs(const Node& node, std::size_t count) : node_(node), parts_(count) {}

  void add(std::span<const Datum> outputs) {
    for (std::size_t i = 0; i < parts_.size(); ++i)
      parts_[i].push_back(tensor_of(outputs[i], "a collected output of the body"));
  }
  /// All parts of output i along a new axis. Without parts, what the body declares as `value`.
  Tensor joined(std::size_t i, std::int64_t axis, bool reverse, const Value& value) {
    if (reverse) std::reverse(parts_[i].begin(), parts_[i].end());
    return parts_[i].empty() ? none(axis, value) : join(node_, parts_[i], axis, true);
  }

 private:
  Tensor none(std::int64_t axis, const Value& value) const {
    Shape shape;
    if (value.declared)
      for (const Dimension& dimension : *value.declared)
        shape.push_back(std::max<std::int64_t>(dimension.value, 0));
    shape.insert(shape.begin() + normalize_axis(node_, axis, static_cast<int>(shape.size()) + 1),
                 0);
    return allocate(
        node_,
        sized(node_, value.type == ElementType::undefined ? ElementType::f32 : value.type, shape));
  }

  const Node& node_;
  std::vector<std::vector<Tensor>> parts_;
};

/// Some exporters declare the iteration number and the condition with one axis.
template <class T>
Tensor one_value(const Graph& body, std::size_t input, T value) {
  const auto& declared = body.value(body.inputs[input]).declared;
  return Tensor::scalar(value).reshaped(declared && declared->size() == 1 ? Shape{1} : Shape{});
}

std::vector<Datum> evaluate_loop(const DataContext& context) {
  const Node& node = context.node;
  const Graph& body = subgraph_of(node, "body");
  const std::int64_t trips =
      is_absent(context, 0) ? std::numeric_limits<std::int64_t>::max() : scalar_operand(context, 0);
  bool proceed = is_absent(context, 1) || condition_of(node, context.inputs[1], "the condition");
  const std::size_t carried = carried_values(node);
  std::vector<Datum> values;
  for (std::size_t i = 0; i < carried; ++i) values.push_back(context.inputs[2 + i]);
  ScanOutputs scanned(node, body.outputs.size() - 1 - carried);
  for (std::int64_t i = 0; i < trips && proceed; ++i) {
    if (i == most_iterations) refuse(node, "has not ended after {} iterations", most_iterations);
    std::vector<Datum> inputs = {one_value(body, 0, i), one_value(body, 1, proceed)};
    std::move(values.begin(), values.end(), std::back_inserter(inputs));
    std::vector<Datum> outputs = context.run("body", std::move(inputs));
    proceed = condition_of(node, outputs[0], "the condition that the body gives");
    scanned.add(std::span<const Datum>(outputs).subspan(1 + carried));
    values.assign(
        std::make_move_iterator(outputs.begin() + 1),
        std::make_move_iterator(outputs.begin() + 1 + static_cast<std::ptrdiff_t>(carried)));
  }
  for (std::size_t i = 1 + carried; i < body.outputs.size(); ++i)
    values.emplace_back(scanned.joined(i - 1 - carried, 0, false, body.value(body.outputs[i])));
  return values;
}

/// Attributes of Scan, one entry per scanned input or output.
struct ScanForm {
  std::vector<std::int64_t> input_axes, input_reversed, output_axes, output_reversed;
};

std::vector<std::int64_t> per_value(const Node& node, const char* attribute, std::size_t count) {
  std::vector<std::int64_t> result = node.attributes.integers(attribute);
  if (result.empty()) result.resize(count, 0);
  if (result.size() != count)
    refuse(node, "'{}' has {} entries; {} are needed", attribute, result.size(), count);
  return result;
}

ScanForm form_of(const Node& node, std::size_t inputs, std::size_t outputs) {
  if (node.version < 9)
    return {std::vector<std::int64_t>(inputs), per_value(node, "directions", inputs),
            std::vector<std::int64_t>(outputs), std::vector<std::int64_t>(outputs)};
  return {per_value(node, "scan_input_axes", inputs),
          per_value(node, "scan_input_directions", inputs),
          per_value(node, "scan_output_axes", outputs),
          per_value(node, "scan_output_directions", outputs)};
}

/// The common extent of the scanned axes.
std::int64_t scan_length(const Node& node, const std::vector<Tensor>& scanned, ScanForm& form) {
  std::int64_t length = -1;
  for (std::size_t i = 0; i < scanned.size(); ++i) {
    const int axis = normalize_axis(node, form.input_axes[i], scanned[i].rank());
    form.input_axes[i] = axis;
    const std::int64_t extent = scanned[i].shape()[static_cast<std::size_t>(axis)];
    if (length >= 0 && extent != length)
      refuse(node, "the scanned inputs have {} and {} entries; they must have equally many", length,
             extent);
    length = extent;
  }
  return length;
}

/// Carries `states` over the entries of the scanned tensors; `length` less than their extent leaves
/// the last entries out (the first ones where they are read in reverse).
std::vector<Datum> scan(const DataContext& context, std::vector<Datum> states,
                        const std::vector<Tensor>& scanned, std::int64_t length) {
  const Node& node = context.node;
  const Graph& body = subgraph_of(node, "body");
  const std::size_t carried = states.size(), collected = body.outputs.size() - carried;
  ScanForm form = form_of(node, scanned.size(), collected);
  const std::int64_t extent = scan_length(node, scanned, form);
  if (length < 0) length = extent;
  if (length > extent)
    refuse(node, "a sequence length is {}, but there are {} entries", length, extent);
  ScanOutputs outputs(node, collected);
  for (std::int64_t t = 0; t < length; ++t) {
    std::vector<Datum> inputs = std::move(states);
    for (std::size_t i = 0; i < scanned.size(); ++i) {
      const std::int64_t at = form.input_reversed[i] != 0 ? length - 1 - t : t;
      inputs.emplace_back(
          take(node, scanned[i], static_cast<int>(form.input_axes[i]), at, 1, false));
    }
    std::vector<Datum> results = context.run("body", std::move(inputs));
    outputs.add(std::span<const Datum>(results).subspan(carried));
    results.resize(carried);
    states = std::move(results);
  }
  for (std::size_t i = 0; i < collected; ++i)
    states.emplace_back(outputs.joined(i, form.output_axes[i], form.output_reversed[i] != 0,
                                       body.value(body.outputs[carried + i])));
  return states;
}

/// Zeros behind the entries of a sequence that is shorter than the others of its batch.
Tensor padded(const Node& node, const Tensor& tensor, std::int64_t extent) {
  Shape shape = tensor.shape();
  if (shape[0] == extent) return tensor;
  shape[0] = extent - shape[0];
  const std::vector<Tensor> parts = {tensor, allocate(node, sized(node, tensor.type(), shape))};
  return join(node, parts, 0, false);
}

/// Operator set 8: every operand has a batch axis in front, and sequences have lengths of their
/// own.
std::vector<Datum> scan_batches(const DataContext& context) {
  const Node& node = context.node;
  const std::size_t scanned = scanned_inputs(node);
  const std::size_t carried = context.inputs.size() - 1 - scanned;
  const Tensor& first = tensor_operand(context, 1);
  const std::int64_t batches = first.rank() > 0 ? first.shape()[0] : 0;
  std::vector<std::int64_t> lengths;
  if (!is_absent(context, 0))
    lengths = integers_of(node, tensor_operand(context, 0), "the sequence lengths");
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    const Tensor& tensor = tensor_operand(context, i);
    if (tensor.rank() < 1 || tensor.shape()[0] != batches)
      refuse(node, "input {} has shape {}; its first extent must be the batch, {}", i,
             to_string(tensor.shape()), batches);
  }
  if (batches == 0 || (!lengths.empty() && std::ssize(lengths) != batches))
    refuse(node, "has a batch of {} and {} sequence lengths", batches, lengths.size());
  std::vector<std::vector<Tensor>> results;  // by output, then batch entry
  for (std::int64_t b = 0; b < batches; ++b) {
    std::vector<Datum> states;
    std::vector<Tensor> inputs;
    std::int64_t extent = 0;
    for (std::size_t i = 1; i < context.inputs.size(); ++i) {
      Tensor entry = take(node, tensor_operand(context, i), 0, b, 1, false);
      if (i <= carried) {
        states.emplace_back(std::move(entry));
        continue;
      }
      if (entry.rank() > 0) extent = entry.shape()[0];
      inputs.push_back(std::move(entry));
    }
    const std::int64_t length = lengths.empty() ? -1 : lengths[static_cast<std::size_t>(b)];
    const std::vector<Datum> outputs = scan(context, std::move(states), inputs, length);
    results.resize(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& output = tensor_of(outputs[i], "an output of the body");
      results[i].push_back(i < carried ? output : padded(node, output, extent));
    }
  }
  std::vector<Datum> joined;
  for (const auto& parts : results) joined.emplace_back(join(node, parts, 0, true));
  return joined;
}

std::vector<Datum> evaluate_scan(const DataContext& context) {
  if (context.node.version < 9) return scan_batches(context);
  const std::size_t carried = context.inputs.size() - scanned_inputs(context.node);
  std::vector<Datum> states(context.inputs.begin(),
                            context.inputs.begin() + static_cast<std::ptrdiff_t>(carried));
  std::vector<Tensor> scanned;
  for (std::size_t i = carried; i < context.inputs.size(); ++i)
    scanned.push_back(tensor_operand(context, i));
  return scan(context, std::move(states), scanned, -1);
}

std::vector<Datum> evaluate_sequence_map(const DataContext& context) {
  const Node& node = context.node;
  const std::size_t length = sequence_operand(context, 0).size();
  std::vector<std::vector<Tensor>> results(subgraph_of(node, "body").outputs.size());
  for (std::size_t k = 0; k < length; ++k) {
    std::vector<Datum> inputs;
    for (std::size_t i = 0; i < context.inputs.size(); ++i) {
      const auto* sequence = std::get_if<std::vector<Tensor>>(&context.inputs[i]);
      if (sequence != nullptr && sequence->size() != length)
        refuse(node, "its sequences have {} and {} tensors; they must have equally many", length,
               sequence->size());
      inputs.push_back(sequence != nullptr ? Datum((*sequence)[k]) : context.inputs[i]);
    }
    const std::vector<Datum> outputs = context.run("body", std::move(inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i)
      results[i].push_back(tensor_of(outputs[i], "an output of the body"));
  }
  return {std::make_move_iterator(results.begin()), std::make_move_iterator(results.end())};
}

}  // namespace

std::span<const Definition> control_flow_definitions() {
  static const Definition definitions[] = {
      {.op = "If",
       .infer = infer_nothing,
       .evaluate_data = evaluate_if,
       .check_structure = check_if},
      {.op = "Loop",
       .infer = infer_nothing,
       .evaluate_data = evaluate_loop,
       .check_structure = check_loop},
      {.op = "Scan",
       .first = 8,
       .infer = infer_nothing,
       .evaluate_data = evaluate_scan,
       .check_structure = check_scan},
      {.op = "SequenceMap",
       .infer = infer_nothing,
       .evaluate_data = evaluate_sequence_map,
       .check_structure = check_sequence_map},
  };
  return definitions;
}

}  // namespace intact

// RNN, GRU and LSTM, and com.microsoft.DynamicQuantizeLSTM: one or two directions over sequences of
// equal or given lengths.
#include <algorithm>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/ops/recurrent_cell.hpp"
#include "graph/ops/registry.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

constexpr const char* rnn_defaults[] = {"Tanh"};
constexpr const char* gru_defaults[] = {"Sigmoid", "Tanh"};
constexpr const char* lstm_defaults[] = {"Sigmoid", "Tanh", "Tanh"};

/// What distinguishes the operators. Operands: X, W, R, B, sequence_lens, initial_h, and for LSTM
/// initial_c and P; scale and zero point of W and of R for DynamicQuantizeLSTM.
struct Kind {
  std::string_view op;
  std::int64_t gates;
  std::size_t operands;
  bool has_cell;
  std::span<const char* const> activations;
  CellStep step;
};
constexpr Kind kinds[] = {
    {"RNN", 1, 6, false, rnn_defaults, rnn_step},
    {"GRU", 3, 6, false, gru_defaults, gru_step},
    {"LSTM", 4, 8, true, lstm_defaults, lstm_step},
    {"DynamicQuantizeLSTM", 4, 12, true, lstm_defaults, lstm_step},
};
const Kind& kind_of(const Node& node) {
  return *std::find_if(std::begin(kinds), std::end(kinds),
                       [&](const Kind& kind) { return kind.op == node.op; });
}

std::int64_t direction_count(const Node& node) {
  const std::string direction = node.attributes.text("direction", "forward");
  if (direction == "forward" || direction == "reverse") return 1;
  if (direction == "bidirectional") return 2;
  refuse(node, "direction is '{}'; it must be forward, reverse or bidirectional", direction);
}

bool batch_first(const Node& node) {
  return node.attributes.integer("layout", 0) != 0;
}

struct Extents {
  std::int64_t steps, batch, input, hidden, directions;
  bool batch_first;

  std::int64_t x_row(std::int64_t t, std::int64_t b) const {
    return batch_first ? b * steps + t : t * batch + b;
  }
  std::int64_t y_row(std::int64_t t, std::int64_t d, std::int64_t b) const {
    return batch_first ? (b * steps + t) * directions + d : (t * directions + d) * batch + b;
  }
  std::int64_t state_row(std::int64_t d, std::int64_t b) const {
    return batch_first ? b * directions + d : d * batch + b;
  }
  Shape y_shape() const {
    return batch_first ? Shape{batch, steps, directions, hidden}
                       : Shape{steps, directions, batch, hidden};
  }
  Shape state_shape() const {
    return batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  }
};

constexpr std::size_t w_grid = 8, r_grid = 10;  ///< operands of DynamicQuantizeLSTM

bool has_byte_weights(const Node& node) {
  return node.is("DynamicQuantizeLSTM", "com.microsoft");
}

Extents extents_of(const Node& node, const Shape& x, const Shape& r) {
  if (x.size() != 3 || r.size() != 3)
    refuse(node, "operands X and R have shapes {} and {}; both must have rank 3", to_string(x),
           to_string(r));
  const bool swapped = batch_first(node);
  const std::int64_t hidden =
      node.attributes.integer("hidden_size", r[has_byte_weights(node) ? 1 : 2]);
  if (hidden < 1) refuse(node, "hidden_size is {}; it must be positive", hidden);
  return {x[swapped ? 1 : 0], x[swapped ? 0 : 1], x[2], hidden, direction_count(node), swapped};
}

void check_weight_types(const InferContext& context) {
  if (!has_byte_weights(context.node)) {
    check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16});
    check_same_type(context, 1, 0);
    check_same_type(context, 2, 0);
    return;
  }
  check_type(context, 0, {ElementType::f32});
  for (const auto& [weights, grid] : {std::pair{1, w_grid}, std::pair{2, r_grid}}) {
    check_type(context, weights, {ElementType::u8, ElementType::s8});
    if (!context.has(grid)) refuse(context.node, "operand {}, a scale, is missing", grid);
    check_type(context, grid, {ElementType::f32});
    if (context.has(grid + 1)) check_same_type(context, grid + 1, weights);
  }
}

/// W and R of DynamicQuantizeLSTM have their last axes exchanged; `rows`: of all gates.
void check_weight_shapes(const InferContext& context, const Extents& extents, std::int64_t rows) {
  const std::int64_t directions = extents.directions;
  if (!has_byte_weights(context.node)) {
    check_shape(context, 1, {directions, rows, extents.input}, "operand W");
    check_shape(context, 2, {directions, rows, extents.hidden}, "operand R");
    return;
  }
  check_shape(context, 1, {directions, extents.input, rows}, "operand W");
  check_shape(context, 2, {directions, extents.hidden, rows}, "operand R");
  for (const std::size_t i : {w_grid, w_grid + 1, r_grid, r_grid + 1}) {
    if (!context.has(i) || !context.inputs[i].shape) continue;
    const Shape& shape = *context.inputs[i].shape;
    if (shape != Shape{directions} && shape != Shape{directions, rows})
      refuse(context.node, "operand {} has shape {}; it must be {} or {}", i, to_string(shape),
             to_string(Shape{directions}), to_string(Shape{directions, rows}));
  }
}

std::vector<TensorType> infer_recurrent(const InferContext& context) {
  const Node& node = context.node;
  const Kind& kind = kind_of(node);
  check_operands(node, 3, kind.operands);
  check_weight_types(context);
  if (context.has(4)) check_type(context, 4, {ElementType::s32});
  const ElementType type = context.inputs[0].type;
  const std::size_t outputs = kind.has_cell ? 3 : 2;
  if (!context.inputs[0].shape || !context.inputs[2].shape)
    return std::vector<TensorType>(outputs, {type, std::nullopt});
  const Extents extents = extents_of(node, *context.inputs[0].shape, *context.inputs[2].shape);
  const std::int64_t directions = extents.directions, hidden = extents.hidden;
  std::int64_t rows = 0, unused = 0;
  if (__builtin_mul_overflow(kind.gates, hidden, &rows) || __builtin_mul_overflow(rows, 2, &unused))
    refuse(node, "hidden_size {} is too large", hidden);
  check_weight_shapes(context, extents, rows);
  check_shape(context, 3, {directions, 2 * rows}, "operand B");
  check_shape(context, 4, {extents.batch}, "operand sequence_lens");
  check_shape(context, 5, extents.state_shape(), "operand initial_h");
  check_shape(context, 6, extents.state_shape(), "operand initial_c");
  check_shape(context, 7, {directions, 3 * hidden}, "operand P");
  std::vector<TensorType> types(outputs, sized(node, type, extents.state_shape()));
  types[0] = sized(node, type, extents.y_shape());
  return types;
}

/// Rounds floats to the grid of DynamicQuantizeLinear for their range.
void round_to_bytes(const Node& node, std::span<double> values) {
  std::vector<float> floats(values.begin(), values.end());
  const auto [low, high] = std::minmax_element(floats.begin(), floats.end());
  if (floats.empty()) return;
  const Grid grid = dynamic_grid(std::min(*low, 0.0F), std::max(*high, 0.0F));
  check_grid(grid, describe(node));
  const Tensor rounded =
      dequantize(quantize(Tensor::from<float>({std::ssize(floats)}, floats), grid), grid);
  std::copy(rounded.data<float>().begin(), rounded.data<float>().end(), values.begin());
}

/// W or R of DynamicQuantizeLSTM as LSTM takes them: reals, the last axes exchanged.
Tensor byte_weights(const EvalContext& context, std::size_t operand, std::size_t grid) {
  const Tensor steps = convert(context.inputs[operand], ElementType::f64);
  const Shape& shape = steps.shape();
  const std::int64_t terms = shape[1], columns = shape[2];
  const Tensor scales = convert(context.inputs[grid], ElementType::f64);
  const Tensor zeros =
      context.has(grid + 1) ? convert(context.inputs[grid + 1], ElementType::f64) : Tensor();
  const auto entry = [&](const Tensor& entries, std::int64_t d, std::int64_t column) {
    if (!entries.defined()) return 0.0;
    return entries.data<double>()[static_cast<std::size_t>(
        entries.size() == shape[0] ? d : d * columns + column)];
  };
  Tensor result(ElementType::f64, {shape[0], columns, terms});
  for (std::int64_t d = 0; d < shape[0]; ++d)
    for (std::int64_t column = 0; column < columns; ++column) {
      const double scale = entry(scales, d, column), zero = entry(zeros, d, column);
      for (std::int64_t k = 0; k < terms; ++k)
        result.data<double>()[static_cast<std::size_t>((d * columns + column) * terms + k)] =
            scale *
            (steps.data<double>()[static_cast<std::size_t>((d * terms + k) * columns + column)] -
             zero);
    }
  return result;
}

/// All operands as f64, and what does not change along the sequences.
struct Recurrence {
  const Kind& kind;
  Extents extents;
  std::vector<Tensor> operands;
  std::vector<std::int64_t> lengths;

  std::span<const double> values(std::size_t i) const {
    return i < operands.size() && operands[i].defined() ? operands[i].data<double>()
                                                        : std::span<const double>();
  }
  /// The part of operand i that belongs to one direction.
  std::span<const double> part(std::size_t i, std::int64_t direction) const {
    const auto all = values(i);
    const std::size_t size = all.size() / static_cast<std::size_t>(extents.directions);
    return all.subspan(static_cast<std::size_t>(direction) * size, size);
  }
  CellWeights weights(std::int64_t direction) const {
    CellWeights result{
        extents.input,     extents.hidden, part(1, direction), part(2, direction), {}, {},
        part(7, direction)};
    const auto biases = part(3, direction);
    result.input_bias = biases.first(biases.size() / 2);
    result.recurrent_bias = biases.subspan(biases.size() / 2);
    return result;
  }
  CellState initial(std::int64_t direction, std::int64_t sequence) const {
    const auto hidden = static_cast<std::size_t>(extents.hidden);
    const auto row = static_cast<std::size_t>(extents.state_row(direction, sequence)) * hidden;
    CellState state{std::vector<double>(hidden), std::vector<double>(hidden)};
    if (const auto given = values(5); !given.empty())
      std::copy_n(given.begin() + static_cast<std::ptrdiff_t>(row), hidden, state.hidden.begin());
    if (const auto given = values(6); !given.empty())
      std::copy_n(given.begin() + static_cast<std::ptrdiff_t>(row), hidden, state.cell.begin());
    return state;
  }
};

Recurrence recurrence_of(const EvalContext& context) {
  const Node& node = context.node;
  Recurrence recurrence{kind_of(node),
                        extents_of(node, context.inputs[0].shape(), context.inputs[2].shape()),
                        {},
                        {}};
  for (std::size_t i = 0; i < context.inputs.size(); ++i)
    recurrence.operands.push_back(
        context.has(i) && i != 4 ? convert(context.inputs[i], ElementType::f64) : Tensor());
  if (has_byte_weights(node)) {
    round_to_bytes(node, recurrence.operands[0].data<double>());
    recurrence.operands[1] = byte_weights(context, 1, w_grid);
    recurrence.operands[2] = byte_weights(context, 2, r_grid);
  }
  recurrence.lengths.assign(static_cast<std::size_t>(recurrence.extents.batch),
                            recurrence.extents.steps);
  if (!context.has(4)) return recurrence;
  recurrence.lengths = integers_of(node, context.inputs[4], "operand sequence_lens");
  for (const std::int64_t length : recurrence.lengths)
    if (length < 0 || length > recurrence.extents.steps)
      refuse(node, "sequence_lens contains {}; lengths must lie in [0, {}]", length,
             recurrence.extents.steps);
  return recurrence;
}

CellOptions options_of(const Node& node, const Kind& kind, const Extents& extents,
                       std::int64_t direction) {
  CellOptions options;
  options.activations =
      recurrent_activations(node, static_cast<std::size_t>(direction),
                            static_cast<std::size_t>(extents.directions), kind.activations);
  options.clip = node.attributes.number("clip", 0);
  options.linear_before_reset = node.attributes.integer("linear_before_reset", 0) != 0;
  options.input_forget = node.attributes.integer("input_forget", 0) != 0;
  return options;
}

void write_row(Tensor& tensor, std::int64_t row, const std::vector<double>& values) {
  std::copy(values.begin(), values.end(),
            tensor.data<double>().begin() +
                static_cast<std::ptrdiff_t>(row * static_cast<std::int64_t>(values.size())));
}

/// Steps beyond a sequence's length stay zero in Y; the last state is that of the last real step.
void run_direction(const Node& node, const Recurrence& recurrence, std::int64_t direction,
                   std::vector<Tensor>& outputs) {
  const Extents& extents = recurrence.extents;
  const CellWeights weights = recurrence.weights(direction);
  const CellOptions options = options_of(node, recurrence.kind, extents, direction);
  const bool backwards =
      direction == 1 || node.attributes.text("direction", "forward") == "reverse";
  for (std::int64_t b = 0; b < extents.batch; ++b) {
    CellState state = recurrence.initial(direction, b);
    const std::int64_t length = recurrence.lengths[static_cast<std::size_t>(b)];
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t t = backwards ? length - 1 - i : i;
      if (has_byte_weights(node)) round_to_bytes(node, state.hidden);
      recurrence.kind.step(weights, options,
                           recurrence.values(0).subspan(
                               static_cast<std::size_t>(extents.x_row(t, b) * extents.input),
                               static_cast<std::size_t>(extents.input)),
                           state);
      write_row(outputs[0], extents.y_row(t, direction, b), state.hidden);
    }
    write_row(outputs[1], extents.state_row(direction, b), state.hidden);
    if (recurrence.kind.has_cell)
      write_row(outputs[2], extents.state_row(direction, b), state.cell);
  }
}

std::vector<Tensor> evaluate_recurrent(const EvalContext& context) {
  const std::vector<TensorType> types = output_types(context, infer_recurrent);
  const Recurrence recurrence = recurrence_of(context);
  std::vector<Tensor> outputs;
  for (const TensorType& type : types)
    outputs.push_back(allocate(context.node, {ElementType::f64, type.shape}));
  for (std::int64_t d = 0; d < recurrence.extents.directions; ++d)
    run_direction(context.node, recurrence, d, outputs);
  for (Tensor& output : outputs) output = convert(output, types[0].type);
  return outputs;
}

const Definition definitions[] = {
    {.op = "RNN", .first = 7, .infer = infer_recurrent, .evaluate = evaluate_recurrent},
    {.op = "GRU", .first = 7, .infer = infer_recurrent, .evaluate = evaluate_recurrent},
    {.op = "LSTM", .first = 7, .infer = infer_recurrent, .evaluate = evaluate_recurrent},
    {.op = "DynamicQuantizeLSTM",
     .domain = "com.microsoft",
     .infer = infer_recurrent,
     .evaluate = evaluate_recurrent},
};

}  // namespace

std::span<const Definition> recurrent_definitions() {
  return definitions;
}

}  // namespace intact

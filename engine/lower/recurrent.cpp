// LSTM, GRU and RNN with constant weights and the usual functions: in float, and with weights on
// byte grids (com.microsoft.DynamicQuantizeLSTM), where the inputs of all steps are multiplied at
// once and the state step by step.
#include "kernels/recurrent/recurrent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/checked.hpp"
#include "engine/lower/integer_product.hpp"
#include "engine/lower/reasons.hpp"
#include "graph/convert.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

using kernels::Cell;

bool is_absent(const Node& node, std::size_t i) {
  return !node.has_input(i);
}

/// All activation functions that the node names, in lower case.
std::vector<std::string> functions_of(const Node& node) {
  const auto found = node.attributes.all().find("activations");
  if (found == node.attributes.all().end()) return {};
  const auto* given = std::get_if<std::vector<std::string>>(&found->second);
  std::vector<std::string> names = given ? *given : std::vector<std::string>{""};
  for (std::string& name : names)
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return names;
}

/// The cell that computes the node in float; nothing for other functions than the usual ones.
std::optional<Cell> cell_of(const Node& node) {
  const std::vector<std::string> names = functions_of(node);
  const std::size_t directions =
      node.attributes.text("direction", "forward") == "bidirectional" ? 2 : 1;
  const auto all_are = [&](const std::vector<std::string>& usual) {
    if (!names.empty() && names.size() != directions * usual.size()) return false;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] != usual[i % usual.size()]) return false;
    return true;
  };
  if (node.op == "GRU" && all_are({"sigmoid", "tanh"}))
    return node.attributes.integer("linear_before_reset", 0) != 0 ? Cell::gru_reset_behind
                                                                  : Cell::gru;
  if (node.op == "RNN" && all_are({"tanh"})) return Cell::rnn;
  if (node.op == "RNN" && all_are({"relu"})) return Cell::rnn_relu;
  if (node.op.ends_with("LSTM") && all_are({"sigmoid", "tanh", "tanh"})) return Cell::lstm;
  return std::nullopt;
}

/// No sequence ends before the last step.
bool have_equal_lengths(const Lowering& lowering, const Node& node) {
  if (is_absent(node, 4)) return true;
  if (!lowering.is_constant(node.inputs[4])) return false;
  const Tensor lengths = convert(lowering.value(node.inputs[4]).constant, ElementType::s64);
  const std::int64_t steps = lowering.shape(node.inputs[0])[0];
  return std::ranges::all_of(lengths.data<std::int64_t>(),
                             [&](std::int64_t length) { return length == steps; });
}

bool has_kernel(const Lowering& lowering, const Node& node) {
  if (lowering.value(node.inputs[0]).type != ElementType::f32) return false;
  const Attributes& attributes = node.attributes;
  if (attributes.integer("layout", 0) != 0 || attributes.integer("input_forget", 0) != 0 ||
      attributes.number("clip", 0) != 0 || !cell_of(node))
    return false;
  if (!have_equal_lengths(lowering, node) || !is_absent(node, 7)) return false;  // peepholes
  for (std::size_t i = 1; i < node.inputs.size(); ++i)  // all but lengths and initial states
    if ((i < 4 || i > 6) && !is_absent(node, i) && !lowering.is_constant(node.inputs[i]))
      return false;
  return true;
}

/// ONNX's gates stand in the kernel's order: row g * hidden + j of W and R becomes column j of
/// gate g.
void pack(const Tensor& matrix, std::int64_t direction, std::int64_t hidden, float* packed) {
  const std::int64_t rows = matrix.shape()[1], columns = matrix.shape()[2];
  const std::int64_t pitch = kernels::unit_pitch(hidden), row_pitch = rows / hidden * pitch;
  const float* source = matrix.data<float>().data() + direction * rows * columns;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t k = 0; k < columns; ++k)
      packed[k * row_pitch + row / hidden * pitch + row % hidden] = source[row * columns + k];
}

/// The biases of W and R added; those of the third gate stay apart where `state_bias` is given.
void pack_bias(const Tensor& bias, std::int64_t direction, std::int64_t hidden, float* packed,
               float* state_bias = nullptr) {
  const std::int64_t rows = bias.shape()[1] / 2, pitch = kernels::unit_pitch(hidden);
  const float* of_w = bias.data<float>().data() + direction * 2 * rows;
  const float* of_r = of_w + rows;
  for (std::int64_t row = 0; row < rows; ++row) {
    const bool apart = state_bias != nullptr && row / hidden == 2;
    packed[row / hidden * pitch + row % hidden] = apart ? of_w[row] : of_w[row] + of_r[row];
    if (apart) state_bias[row % hidden] = of_r[row];
  }
}

/// What both forms have. `hidden` and `input` are extents of R and W.
RecurrentOperation form_of(const Node& node, std::int64_t input, std::int64_t hidden) {
  RecurrentOperation operation;
  operation.input = input;
  operation.hidden = hidden;
  operation.reverse = node.attributes.text("direction", "forward") == "reverse";
  operation.has_first_h = node.has_input(5);
  operation.has_first_c = node.has_input(6);
  return operation;
}

/// One direction's weights and biases, packed once for all plans.
RecurrentOperation::Direction direction_of(const Lowering& lowering, const Node& node, Cell cell,
                                           std::int64_t d) {
  std::string key = lowering.reals_key(node.inputs[1]);
  for (const std::size_t i : {2, 3}) {
    if (is_absent(node, i)) continue;
    const std::string operand = lowering.reals_key(node.inputs[i]);
    if (operand.empty()) key.clear();
    extend_key(key, operand);
  }
  const auto made = [&](std::string_view part, std::int64_t elements, const auto& fill) {
    std::string own = key;
    extend_key(own, fmt::format("{} of cell {}, direction {}", part, static_cast<int>(cell), d));
    return lowering.weights().tensor(own, [&] {
      Tensor tensor(ElementType::f32, {elements});
      std::ranges::fill(tensor.data<float>(), 0.0f);
      fill(tensor.data<float>().data());
      return tensor;
    });
  };
  const auto constant = [&](std::size_t i) {
    return real_constant(lowering.value(node.inputs[i]));
  };
  const std::int64_t input = lowering.value(node.inputs[1]).constant.shape()[2];
  const std::int64_t hidden = lowering.value(node.inputs[2]).constant.shape()[2];
  const std::int64_t pitch = kernels::unit_pitch(hidden);
  const std::int64_t row = kernels::gate_count(cell) * pitch;
  RecurrentOperation::Direction direction;
  direction.weights =
      made("weights", kernels::recurrent_weights(cell, input, hidden), [&](float* packed) {
        pack(constant(1), d, hidden, packed);
        pack(constant(2), d, hidden, packed + input * row);
      });
  const bool apart = cell == Cell::gru_reset_behind;
  direction.bias = made("biases", row + pitch, [&](float* packed) {
    if (node.has_input(3))
      pack_bias(constant(3), d, hidden, packed, apart ? packed + row : nullptr);
  });
  return direction;
}

RecurrentOperation read(const Lowering& lowering, const Node& node) {
  const Shape& w = lowering.value(node.inputs[1]).constant.shape();
  const Shape& r = lowering.value(node.inputs[2]).constant.shape();
  RecurrentOperation operation = form_of(node, w[2], r[2]);
  operation.cell = *cell_of(node);
  for (std::int64_t d = 0; d < w[0]; ++d)
    operation.directions.push_back(direction_of(lowering, node, operation.cell, d));
  return operation;
}

/// W or R of com.microsoft.DynamicQuantizeLSTM: integers [directions][terms][4 * hidden] with one
/// scale and zero point per direction or per column.
struct ByteMatrix {
  Tensor integers, scale, zero_point;
  std::int64_t directions, terms, columns, shift;

  ByteMatrix(const Lowering& lowering, const Node& node, std::size_t matrix, std::size_t grid)
      : integers(lowering.value(node.inputs[matrix]).constant),
        scale(real_constant(lowering.value(node.inputs[grid]))),
        directions(integers.shape()[0]),
        terms(integers.shape()[1]),
        columns(integers.shape()[2]),
        shift(weight_shift(integers.type())) {
    if (node.has_input(grid + 1))
      zero_point = convert(lowering.value(node.inputs[grid + 1]).constant, ElementType::s32);
  }
  /// As the kernels store it: u8 lowered by 128.
  std::int8_t weight(std::int64_t d, std::int64_t k, std::int64_t column) const {
    const auto* raw = static_cast<const std::uint8_t*>(integers.raw());
    return static_cast<std::int8_t>(raw[(d * terms + k) * columns + column] ^ shift);
  }
  float scale_of(std::int64_t d, std::int64_t column) const {
    return scale.data<float>()[entry(scale, d, column)];
  }
  /// Of the weights as stored.
  std::int32_t zero_of(std::int64_t d, std::int64_t column) const {
    const std::int32_t given =
        zero_point.defined() ? zero_point.data<std::int32_t>()[entry(zero_point, d, column)] : 0;
    return given - static_cast<std::int32_t>(shift);
  }

 private:
  std::size_t entry(const Tensor& entries, std::int64_t d, std::int64_t column) const {
    return static_cast<std::size_t>(entries.size() == directions ? d : d * columns + column);
  }
};

bool all_zeros(const std::vector<std::int32_t>& values) {
  return std::all_of(values.begin(), values.end(), [](std::int32_t x) { return x == 0; });
}

/// Column g * hidden + j of direction d in the padded row of all directions' gates.
std::int64_t padded(std::int64_t d, std::int64_t column, std::int64_t hidden) {
  const std::int64_t pitch = kernels::unit_pitch(hidden);
  return (d * 4 + column / hidden) * pitch + column % hidden;
}

RecurrentOperation::ByteDirection state_weights(const ByteMatrix& r, std::int64_t d) {
  const std::int64_t hidden = r.terms, groups = kernels::lstm_groups(hidden);
  const auto row = static_cast<std::size_t>(4 * kernels::unit_pitch(hidden));
  RecurrentOperation::ByteDirection direction;
  direction.weights.resize(static_cast<std::size_t>(kernels::lstm_byte_weights(hidden)));
  direction.scale.resize(row);
  direction.sum.resize(row);
  direction.zero_point.resize(row);
  for (std::int64_t column = 0; column < r.columns; ++column) {
    const auto c = static_cast<std::size_t>(padded(0, column, hidden));
    std::int8_t* target =
        direction.weights.data() + (c / 64 * static_cast<std::size_t>(groups) * 64 + c % 64) * 4;
    for (std::int64_t k = 0; k < hidden; ++k) {
      const std::int8_t weight = r.weight(d, k, column);
      target[k / 4 * 256 + k % 4] = weight;
      direction.sum[c] += weight;
    }
    direction.scale[c] = r.scale_of(d, column);
    direction.zero_point[c] = r.zero_of(d, column);
  }
  if (all_zeros(direction.zero_point)) direction.zero_point.clear();
  return direction;
}

/// X with W, and the biases: the starts of all gates, [steps, batch, directions * 4 * pitch].
ConvOperation input_product(const Lowering& lowering, const Node& node, const ByteMatrix& w,
                            std::int64_t rows) {
  const std::int64_t hidden = w.columns / 4, depth = w.terms;
  const std::int64_t columns = w.directions * 4 * kernels::unit_pitch(hidden);
  const auto count = static_cast<std::size_t>(columns);
  ConvOperation product;
  product.shape.in_channels = depth;
  product.shape.out_channels = columns;
  product.shape.in = product.shape.out = {1, 1, rows};
  product.bias.assign(count, 0);
  product.multiplier.assign(count, 0);
  product.float_bias.assign(count, 0);
  product.weight_zero_point.assign(count, 0);
  for (std::int64_t d = 0; d < w.directions; ++d)
    for (std::int64_t column = 0; column < w.columns; ++column) {
      const auto c = static_cast<std::size_t>(padded(d, column, hidden));
      product.multiplier[c] = w.scale_of(d, column);
      product.weight_zero_point[c] = w.zero_of(d, column);
    }
  if (all_zeros(product.weight_zero_point)) product.weight_zero_point.clear();
  if (node.has_input(3))
    for (std::int64_t d = 0; d < w.directions; ++d)
      pack_bias(real_constant(lowering.value(node.inputs[3])), d, hidden,
                product.float_bias.data() + d * 4 * kernels::unit_pitch(hidden));
  product.weights =
      signed_weights(lowering, w.integers)
          .rearranged(
              fmt::format("gates of LSTM {}", to_string(w.integers.shape())),
              [directions = w.directions, depth, hidden,
               count](const ProductWeights::Values& given) {
                ProductWeights::Values rows(count * static_cast<std::size_t>(depth));
                const std::int8_t* source = given.data();
                for (std::int64_t d = 0; d < directions; ++d)
                  for (std::int64_t k = 0; k < depth; ++k)
                    for (std::int64_t column = 0; column < 4 * hidden; ++column)
                      rows[static_cast<std::size_t>(padded(d, column, hidden) * depth + k)] =
                          *source++;
                return rows;
              });
  product.zero_point_at_run_time = product.scale_at_run_time = true;
  product.stage.output = kernels::Output::f32;
  return product;
}

/// Emits the product of the inputs; the tensor of starts.
TensorId emit_input_product(Lowering& lowering, const Node& node, ConvOperation product) {
  const Shape& x = lowering.shape(node.inputs[0]);
  const std::string& name = lowering.value(node.inputs[0]).name;
  const TensorId bytes = lowering.new_tensor(name + " rounded", ElementType::u8, x, Layout::plain);
  const TensorId scale = lowering.new_tensor(name + " scale", ElementType::f32, {}, Layout::plain);
  const TensorId zero =
      lowering.new_tensor(name + " zero point", ElementType::u8, {}, Layout::plain);
  Operation& rounding = lowering.emit(node, DynamicQuantizeOperation{},
                                      {lowering.real(node.inputs[0], Layout::plain)}, bytes);
  rounding.outputs = {bytes, scale, zero};
  rounding.op = "DynamicQuantizeLinear";
  rounding.name += " input";
  rounding.sources.clear();
  const TensorId starts =
      lowering.new_tensor(node.name + " gates", ElementType::f32,
                          {x[0], x[1], product.shape.out_channels}, Layout::plain);
  lowering.program().tensor(starts).sums = true;
  const std::int64_t macs = multiply_adds(product.shape);
  Operation& emitted = lowering.emit(node, std::move(product), {bytes, zero, scale}, starts);
  emitted.op = "MatMul";
  emitted.name += " input product";
  emitted.macs = macs;
  emitted.sources.clear();
  return starts;
}

/// The recurrence. `first`: what its steps read; `terms`: how many multiply-adds a gate has.
Operation& emit_recurrence(Lowering& lowering, const Node& node, RecurrentOperation operation,
                           TensorId first, std::int64_t terms) {
  const Shape& x = lowering.shape(node.inputs[0]);
  const std::int64_t directions =
      std::ssize(operation.directions) + std::ssize(operation.byte_directions);
  const std::int64_t macs = saturating_product(
      {x[0], x[1], directions, kernels::gate_count(operation.cell), operation.hidden, terms});
  std::vector<TensorId> inputs = {first};
  for (const std::size_t i : {5, 6})
    if (node.has_input(i)) inputs.push_back(lowering.real(node.inputs[i], Layout::plain));
  std::vector<TensorId> outputs;
  for (const ValueId id : node.outputs) {
    if (id == no_value) {
      outputs.push_back(no_tensor);
      continue;
    }
    outputs.push_back(lowering.new_tensor(lowering.value(id).name, ElementType::f32,
                                          lowering.shape(id), Layout::plain));
    lowering.bind(id, outputs.back());
  }
  Operation& emitted = lowering.emit(node, std::move(operation), std::move(inputs), outputs[0]);
  emitted.outputs = outputs;
  emitted.macs = macs;
  return emitted;
}

bool lower_float(Lowering& lowering, const Node& node) {
  RecurrentOperation operation = read(lowering, node);
  const std::int64_t terms = saturating_sum(operation.input, operation.hidden);
  Operation& emitted = emit_recurrence(lowering, node, std::move(operation),
                                       lowering.real(node.inputs[0], Layout::plain), terms);
  emitted.precision = Precision::floating;
  emitted.reason =
      node.op == "LSTM"
          ? "LSTM has no integer kernel; as com.microsoft.DynamicQuantizeLSTM (intact quantize "
            "--mode dynamic) its products run on bytes"
          : form_reason(node);
  return true;
}

bool lower_bytes(Lowering& lowering, const Node& node) {
  const ByteMatrix w(lowering, node, 1, 8), r(lowering, node, 2, 10);
  if (r.terms > kernels::lstm_byte_terms) return false;
  const Shape& x = lowering.shape(node.inputs[0]);
  ConvOperation product = input_product(lowering, node, w, x[0] * x[1]);
  std::string reason;
  if (!accumulator_fits(lowering, product, reason)) return false;
  RecurrentOperation operation = form_of(node, w.terms, r.terms);
  for (std::int64_t d = 0; d < r.directions; ++d)
    operation.byte_directions.push_back(state_weights(r, d));
  const TensorId starts = emit_input_product(lowering, node, std::move(product));
  emit_recurrence(lowering, node, std::move(operation), starts, r.terms);
  return true;
}

}  // namespace

bool lower_recurrent(Lowering& lowering, const Node& node) {
  const bool bytes = node.is("DynamicQuantizeLSTM", "com.microsoft");
  const bool floats = node.is("LSTM") || node.is("GRU") || node.is("RNN");
  if ((!bytes && !floats) || !has_kernel(lowering, node)) return false;
  return bytes ? lower_bytes(lowering, node) : lower_float(lowering, node);
}

}  // namespace intact

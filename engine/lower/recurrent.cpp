// LSTM with constant weights and the usual functions, in float.
#include "kernels/recurrent/recurrent.hpp"

#include <algorithm>

#include "core/checked.hpp"
#include "engine/lower/lowering.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

bool is_absent(const Node& node, std::size_t i) {
  return !node.has_input(i);
}

bool has_kernel(const Lowering& lowering, const Node& node) {
  if (!node.is("LSTM") || lowering.value(node.inputs[0]).type != ElementType::f32) return false;
  const Attributes& attributes = node.attributes;
  if (attributes.integer("layout", 0) != 0 || attributes.integer("input_forget", 0) != 0 ||
      attributes.number("clip", 0) != 0 || attributes.has("activations"))
    return false;
  if (!is_absent(node, 4) || !is_absent(node, 7)) return false;  // lengths, peepholes
  return std::all_of(
      node.inputs.begin() + 1,
      node.inputs.begin() + std::min<std::ptrdiff_t>(4, std::ssize(node.inputs)),
      [&](ValueId id) { return id == no_value || lowering.value(id).is_constant(); });
}

/// ONNX's gates stand in the kernel's order: row g * hidden + j of W and R becomes column j of
/// gate g.
void pack(const Tensor& matrix, std::int64_t direction, std::int64_t hidden, float* packed) {
  const std::int64_t columns = matrix.shape()[2], pitch = kernels::lstm_pitch(hidden);
  const float* source = matrix.data<float>().data() + direction * 4 * hidden * columns;
  for (std::int64_t row = 0; row < 4 * hidden; ++row)
    for (std::int64_t k = 0; k < columns; ++k)
      packed[k * 4 * pitch + row / hidden * pitch + row % hidden] = source[row * columns + k];
}

void pack_bias(const Tensor& bias, std::int64_t direction, std::int64_t hidden, float* packed) {
  const std::int64_t pitch = kernels::lstm_pitch(hidden);
  const float* source = bias.data<float>().data() + direction * 8 * hidden;
  for (std::int64_t row = 0; row < 4 * hidden; ++row)
    packed[row / hidden * pitch + row % hidden] = source[row] + source[4 * hidden + row];
}

LstmOperation read(const Lowering& lowering, const Node& node) {
  const auto constant = [&](std::size_t i) {
    return real_constant(lowering.value(node.inputs[i]));
  };
  const Tensor w = constant(1), r = constant(2);
  LstmOperation operation;
  operation.hidden = r.shape()[2];
  operation.input = w.shape()[2];
  operation.reverse = node.attributes.text("direction", "forward") == "reverse";
  operation.has_first_h = node.has_input(5);
  operation.has_first_c = node.has_input(6);
  const std::int64_t row = 4 * kernels::lstm_pitch(operation.hidden);
  for (std::int64_t d = 0; d < w.shape()[0]; ++d) {
    LstmOperation::Direction& direction = operation.directions.emplace_back();
    direction.weights.resize(
        static_cast<std::size_t>(kernels::lstm_weights(operation.input, operation.hidden)));
    direction.bias.resize(static_cast<std::size_t>(row));
    pack(w, d, operation.hidden, direction.weights.data());
    pack(r, d, operation.hidden, direction.weights.data() + operation.input * row);
    if (node.has_input(3)) pack_bias(constant(3), d, operation.hidden, direction.bias.data());
  }
  return operation;
}

}  // namespace

bool lower_recurrent(Lowering& lowering, const Node& node) {
  if (!has_kernel(lowering, node)) return false;
  LstmOperation operation = read(lowering, node);
  const Shape& x = lowering.shape(node.inputs[0]);
  const std::int64_t products =
      saturating_product({x[0], x[1], std::ssize(operation.directions), 4, operation.hidden,
                          saturating_sum(operation.input, operation.hidden)});
  std::vector<TensorId> inputs = {lowering.real(node.inputs[0], Layout::plain)};
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
  emitted.precision = Precision::floating;
  emitted.macs = products;
  emitted.reason =
      "LSTM has no integer kernel; its MatMuls run on bytes when they are written as operators of "
      "their "
      "own";
  return true;
}

}  // namespace intact

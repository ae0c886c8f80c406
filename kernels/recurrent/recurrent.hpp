// LSTM, GRU and RNN over sequences. Every step of a sequence is a product of the input and the
// state with the weights of all gates, and the cell:
//   gate[j] = bias[j] + sum over k of (x, h)[k] * weights[k][j], one fma per k in ascending order;
//   lstm: c = fma(sigmoid(forget), c, sigmoid(input) * tanh(cell)), h = sigmoid(output) * tanh(c);
//   gru:  n = tanh(hidden), h = fma(sigmoid(update), h - n, n), where the gate `hidden` sums
//         sigmoid(reset)[k] * h[k] instead of h[k];
//   gru_reset_behind: the same, where the sum over h is a number of its own,
//         m = state_bias[j] + sum of h[k] * weights[k][j], n = tanh(fma(sigmoid(reset), m,
//         hidden));
//   rnn:  h = tanh(gate), rnn_relu: h = max(0, gate);
// with the functions of kernels/elementwise/functions.hpp. Units stand in lanes, so no sum depends
// on the number of lanes. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"

namespace intact::kernels {

enum class Cell : std::uint8_t { lstm, gru, gru_reset_behind, rnn, rnn_relu };

/// Gates in the order of packed weights. LSTM: input, output, forget, cell; GRU: update, reset,
/// hidden.
inline std::int64_t gate_count(Cell cell) {
  if (cell == Cell::lstm) return 4;
  return cell == Cell::gru || cell == Cell::gru_reset_behind ? 3 : 1;
}
/// Units rounded up to whole groups of 16: the pitch of a gate in packed weights and scratch.
inline std::int64_t unit_pitch(std::int64_t hidden) {
  return (hidden + 15) / 16 * 16;
}
/// Floats of packed weights, [input + hidden][gates][unit_pitch(hidden)], zeros behind the last
/// unit. The bias is one more such row.
inline std::int64_t recurrent_weights(Cell cell, std::int64_t input, std::int64_t hidden) {
  return (input + hidden) * gate_count(cell) * unit_pitch(hidden);
}
/// Steps whose inputs are multiplied in one pass over their weights.
constexpr std::int64_t step_block = 4;
/// Floats of scratch: the state of one sequence, another row that the cell needs, and the gates of
/// a block of steps.
inline std::int64_t recurrent_scratch(Cell cell, std::int64_t hidden) {
  return (2 + gate_count(cell) * step_block) * unit_pitch(hidden);
}

/// What every form has. Null: zeros, or nothing to write.
struct Sequence {
  std::int64_t steps = 0;
  const float* first_h = nullptr;  ///< [hidden]
  const float* first_c = nullptr;  ///< LSTM
  float* y = nullptr;              ///< step t writes [hidden) to y + t * y_pitch
  std::ptrdiff_t y_pitch = 0;
  float* last_h = nullptr;  ///< [hidden]
  float* last_c = nullptr;  ///< LSTM
};

/// Weights and products in float.
struct FloatSequence : Sequence {
  const float* x = nullptr;  ///< step t reads [input) from x + t * x_pitch
  std::ptrdiff_t x_pitch = 0;
  const float* weights = nullptr;
  const float* bias = nullptr;
  const float* state_bias = nullptr;  ///< gru_reset_behind: [unit_pitch(hidden)]
};

/// Weights of the state on byte grids, one per column of [4][unit_pitch(hidden)].
struct LstmByteWeights {
  /// [columns / 64][groups][64][4]: row 4 * group + i of column c, lowered by 128 if they were u8;
  /// zeros behind the last unit and the last row.
  const std::int8_t* weights = nullptr;
  const float* scale = nullptr;
  const std::int32_t* sum = nullptr;         ///< of a column's weights
  const std::int32_t* zero_point = nullptr;  ///< of the weights as stored; null: zeros
};
/// Rows of packed bytes in fours.
inline std::int64_t lstm_groups(std::int64_t hidden) {
  return (hidden + 3) / 4;
}
inline std::int64_t lstm_byte_weights(std::int64_t hidden) {
  return lstm_groups(hidden) * 16 * unit_pitch(hidden);
}
/// Sums of more terms may not fit into 32 bits, with whatever weights and zero points.
constexpr std::int64_t lstm_byte_terms = 16384;

/// Every step rounds the state to the grid of DynamicQuantizeLinear for its range, and
///   gate[j] = fma(float(sum over k of (q - zero)[k] * (weight - zero)[k][j]), scale_h * scale[j],
///                 start[j]).
struct ByteLstmSequence : Sequence {
  /// What input and bias give: step t reads [4][unit_pitch(hidden)] from start + t * start_pitch.
  const float* start = nullptr;
  std::ptrdiff_t start_pitch = 0;
  LstmByteWeights weights;
};
/// Floats of scratch: state, cell, gates, sums and the state's bytes.
inline std::int64_t byte_lstm_scratch(std::int64_t hidden) {
  return 11 * unit_pitch(hidden);
}

template <class Form>
struct RecurrentArgsOf {
  std::int64_t input = 0, hidden = 0;  ///< input: of floats
  std::int64_t count = 0;              ///< of sequences, which threads divide
  const Form* sequences = nullptr;
  float* scratch = nullptr;  ///< of this thread
  Cell cell = Cell::lstm;
};
using RecurrentArgs = RecurrentArgsOf<FloatSequence>;
using ByteLstmArgs = RecurrentArgsOf<ByteLstmSequence>;

template <class Form>
struct RecurrentKernelOf {
  const char* name;
  Isa isa;
  void (*run)(const RecurrentArgsOf<Form>&, Part part);
};
using RecurrentKernel = RecurrentKernelOf<FloatSequence>;
using ByteLstmKernel = RecurrentKernelOf<ByteLstmSequence>;
std::span<const RecurrentKernel> recurrent_kernels();
/// LSTM alone.
std::span<const ByteLstmKernel> byte_lstm_kernels();

}  // namespace intact::kernels

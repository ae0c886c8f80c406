// LSTM over sequences. Every step of a sequence is a product of the input and the state with the
// weights of all gates, and the cell:
//   gate[j] = bias[j] + sum over k of (x, h)[k] * weights[k][j], one fma per k in ascending order;
//   c = fma(sigmoid(forget), c, sigmoid(input) * tanh(cell)), h = sigmoid(output) * tanh(c),
// with the functions of kernels/elementwise/functions.hpp. Units stand in lanes, so no sum depends
// on the number of lanes. Plain header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/thread_team.hpp"
#include "intact/isa.hpp"

namespace intact::kernels {

/// Units rounded up to whole groups of 16: the pitch of a gate in packed weights and scratch.
inline std::int64_t lstm_pitch(std::int64_t hidden) {
  return (hidden + 15) / 16 * 16;
}
/// Floats of packed weights, [input + hidden][4][lstm_pitch(hidden)]: gates input, output, forget,
/// cell of every unit, zeros behind the last unit. The bias is one more such row.
inline std::int64_t lstm_weights(std::int64_t input, std::int64_t hidden) {
  return (input + hidden) * 4 * lstm_pitch(hidden);
}
/// Steps whose inputs are multiplied in one pass over their weights.
constexpr std::int64_t lstm_block = 4;
/// Floats of scratch: the state and the cell of one sequence, and the gates of a block of steps.
inline std::int64_t lstm_scratch(std::int64_t hidden) {
  return (2 + 4 * lstm_block) * lstm_pitch(hidden);
}

/// What every form has. Null: zeros, or nothing to write.
struct LstmSequence {
  std::int64_t steps = 0;
  const float* first_h = nullptr;  ///< [hidden]
  const float* first_c = nullptr;
  float* y = nullptr;  ///< step t writes [hidden) to y + t * y_pitch
  std::ptrdiff_t y_pitch = 0;
  float* last_h = nullptr;  ///< [hidden]
  float* last_c = nullptr;
};

/// Weights and products in float.
struct FloatLstmSequence : LstmSequence {
  const float* x = nullptr;  ///< step t reads [input) from x + t * x_pitch
  std::ptrdiff_t x_pitch = 0;
  const float* weights = nullptr;
  const float* bias = nullptr;
};

/// Weights of the state on byte grids, one per column of [4][lstm_pitch(hidden)].
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
  return lstm_groups(hidden) * 16 * lstm_pitch(hidden);
}
/// Sums of more terms may not fit into 32 bits, with whatever weights and zero points.
constexpr std::int64_t lstm_byte_terms = 16384;

/// Every step rounds the state to the grid of DynamicQuantizeLinear for its range, and
///   gate[j] = fma(float(sum over k of (q - zero)[k] * (weight - zero)[k][j]), scale_h * scale[j],
///                 start[j]).
struct ByteLstmSequence : LstmSequence {
  /// What input and bias give: step t reads [4][lstm_pitch(hidden)] from start + t * start_pitch.
  const float* start = nullptr;
  std::ptrdiff_t start_pitch = 0;
  LstmByteWeights weights;
};
/// Floats of scratch: state, cell, gates, sums and the state's bytes.
inline std::int64_t byte_lstm_scratch(std::int64_t hidden) {
  return 11 * lstm_pitch(hidden);
}

template <class Sequence>
struct LstmArgsOf {
  std::int64_t input = 0, hidden = 0;  ///< input: of floats
  std::int64_t count = 0;              ///< of sequences, which threads divide
  const Sequence* sequences = nullptr;
  float* scratch = nullptr;  ///< of this thread
};
using LstmArgs = LstmArgsOf<FloatLstmSequence>;
using ByteLstmArgs = LstmArgsOf<ByteLstmSequence>;

template <class Sequence>
struct LstmKernelOf {
  const char* name;
  Isa isa;
  void (*run)(const LstmArgsOf<Sequence>&, Part part);
};
using LstmKernel = LstmKernelOf<FloatLstmSequence>;
using ByteLstmKernel = LstmKernelOf<ByteLstmSequence>;
std::span<const LstmKernel> lstm_kernels();
std::span<const ByteLstmKernel> byte_lstm_kernels();

}  // namespace intact::kernels

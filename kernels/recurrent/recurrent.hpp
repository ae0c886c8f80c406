// LSTM over sequences, in float. Every step of a sequence is a product of the input and the state
// with the weights of all gates, and the cell:
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

struct LstmSequence {
  std::int64_t steps = 0;
  const float* x = nullptr;  ///< step t reads [input) from x + t * x_pitch
  std::ptrdiff_t x_pitch = 0;
  const float* weights = nullptr;
  const float* bias = nullptr;
  const float* first_h = nullptr;  ///< [hidden]; null: zeros
  const float* first_c = nullptr;
  float* y = nullptr;  ///< step t writes [hidden) to y + t * y_pitch; null: nothing
  std::ptrdiff_t y_pitch = 0;
  float* last_h = nullptr;  ///< [hidden]; null: nothing
  float* last_c = nullptr;
};

struct LstmArgs {
  std::int64_t input = 0, hidden = 0;
  std::int64_t count = 0;  ///< of sequences, which threads divide
  const LstmSequence* sequences = nullptr;
  float* scratch = nullptr;  ///< of this thread
};

struct LstmKernel {
  const char* name;
  Isa isa;
  void (*run)(const LstmArgs&, Part part);
};
std::span<const LstmKernel> lstm_kernels();

}  // namespace intact::kernels

// LSTM, written once over the lane types of whichever lanes_*.hpp was included before this file.
// A panel of gates stays in registers while the inputs and the state pass by. Lanes behind the last
// unit hold zeros all the way, so only loads and stores of operands know of tails.
#pragma once

#include "kernels/elementwise/functions.hpp"
#include "kernels/recurrent/recurrent.hpp"

namespace intact::kernels {
namespace {

/// gates[j] = bias[j] + x * weights + h * weights for `registers` registers of j.
template <int registers>
[[gnu::always_inline]] inline void gate_panel(const float* bias, const float* weights,
                                              std::int64_t pitch, const float* x,
                                              std::int64_t input, const float* h,
                                              std::int64_t hidden, float* gates) {
  Floats sums[registers];
  for (int r = 0; r < registers; ++r) load(sums[r], bias + r * Floats::size);
  const auto add = [&](const float* values, std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k, weights += pitch) {
      const Floats value = constant(values[k]);
      for (int r = 0; r < registers; ++r) {
        Floats weight;
        load(weight, weights + r * Floats::size);
        sums[r] = fma(value, weight, sums[r]);
      }
    }
  };
  add(x, input);
  add(h, hidden);
  for (int r = 0; r < registers; ++r) store(gates + r * Floats::size, sums[r]);
}

[[gnu::always_inline]] inline int units_left(std::int64_t count) {
  return count < Floats::size ? static_cast<int>(count) : Floats::size;
}

/// Copies [hidden) to a padded row; zeros without a source.
void load_state(const float* source, std::int64_t hidden, float* state) {
  const std::int64_t pitch = lstm_pitch(hidden);
  for (std::int64_t j = 0; j < pitch; j += Floats::size) {
    Floats x = constant(0.0f);
    if (source != nullptr && j < hidden) load_first(x, source + j, units_left(hidden - j));
    store(state + j, x);
  }
}

void store_state(const float* state, std::int64_t hidden, float* target) {
  for (std::int64_t j = 0; j < hidden; j += Floats::size) {
    Floats x;
    load(x, state + j);
    store_first(target + j, x, units_left(hidden - j));
  }
}

void update_cells(std::int64_t pitch, const float* gates, float* h, float* c) {
  const Floats one = constant(1.0f);
  for (std::int64_t j = 0; j < pitch; j += Floats::size) {
    Floats in, out, forget, candidate, cell;
    load(in, gates + j);
    load(out, gates + pitch + j);
    load(forget, gates + 2 * pitch + j);
    load(candidate, gates + 3 * pitch + j);
    load(cell, c + j);
    const Floats added = scaled_sigmoid(in, one) * hyperbolic_tangent(candidate);
    cell = fma(scaled_sigmoid(forget, one), cell, added);
    store(c + j, cell);
    store(h + j, scaled_sigmoid(out, one) * hyperbolic_tangent(cell));
  }
}

void run_lstm(const LstmArgs& args, const LstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = lstm_pitch(hidden);
  float* h = args.scratch;
  float* c = h + pitch;
  float* gates = c + pitch;
  load_state(sequence.first_h, hidden, h);
  load_state(sequence.first_c, hidden, c);
  constexpr int registers = 8;
  constexpr std::int64_t panel = registers * Floats::size;
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    const float* x = sequence.x + t * sequence.x_pitch;
    std::int64_t j = 0;
    for (; j + panel <= 4 * pitch; j += panel)
      gate_panel<registers>(sequence.bias + j, sequence.weights + j, 4 * pitch, x, args.input, h,
                            hidden, gates + j);
    for (; j < 4 * pitch; j += Floats::size)
      gate_panel<1>(sequence.bias + j, sequence.weights + j, 4 * pitch, x, args.input, h, hidden,
                    gates + j);
    update_cells(pitch, gates, h, c);
    if (sequence.y != nullptr) store_state(h, hidden, sequence.y + t * sequence.y_pitch);
  }
  if (sequence.last_h != nullptr) store_state(h, hidden, sequence.last_h);
  if (sequence.last_c != nullptr) store_state(c, hidden, sequence.last_c);
}

}  // namespace
}  // namespace intact::kernels

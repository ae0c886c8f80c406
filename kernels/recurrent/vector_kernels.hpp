// LSTM, GRU and RNN, written once over the lane types of whichever lanes_*.hpp was included before
// this file. A panel of gates stays in registers while the inputs or the state pass by. The inputs
// of a block of steps, which wait for no state, share one pass over their weights. Lanes behind the
// last unit hold zeros all the way, so only loads and stores of operands know of tails.
#pragma once

#include "kernels/elementwise/functions.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/recurrent/recurrent.hpp"

namespace intact::kernels {
namespace {

/// Rows of `start` plus the products of rows of `values` with `columns` columns of weights
/// [count, pitch]. Rows lie *_pitch apart; `start` may be `sums`.
struct GateProduct {
  const float* start;
  std::ptrdiff_t start_pitch;
  const float* values;
  std::ptrdiff_t values_pitch;
  std::int64_t count;
  const float* weights;
  std::int64_t pitch;    ///< of weights and sums
  std::int64_t columns;  ///< a multiple of 16
  float* sums;
};

/// `rows` rows of `registers` registers from column j on.
template <int rows, int registers>
[[gnu::always_inline]] inline void gate_panel(const GateProduct& product, std::int64_t j) {
  Floats sums[rows][registers];
  for (int i = 0; i < rows; ++i)
    for (int r = 0; r < registers; ++r)
      load(sums[i][r], product.start + i * product.start_pitch + j + r * Floats::size);
  const float* weights = product.weights + j;
  for (std::int64_t k = 0; k < product.count; ++k, weights += product.pitch) {
    Floats weight[registers];
    for (int r = 0; r < registers; ++r) load(weight[r], weights + r * Floats::size);
    for (int i = 0; i < rows; ++i) {
      const Floats value = constant(product.values[i * product.values_pitch + k]);
      for (int r = 0; r < registers; ++r) sums[i][r] = fma(value, weight[r], sums[i][r]);
    }
  }
  for (int i = 0; i < rows; ++i)
    for (int r = 0; r < registers; ++r)
      store(product.sums + i * product.pitch + j + r * Floats::size, sums[i][r]);
}

/// A few rows of weights at a time, from end to end: as many streams as hardware prefetches. A
/// panel of all rows would jump from page to page.
template <int rows, int registers>
void multiply_gates(GateProduct product) {
  constexpr std::int64_t panel = registers * Floats::size, depth = 16;
  std::int64_t left = product.count;
  do {
    product.count = left < depth ? left : depth;
    std::int64_t j = 0;
    for (; j + panel <= product.columns; j += panel) gate_panel<rows, registers>(product, j);
    for (; j < product.columns; j += Floats::size) gate_panel<rows, 1>(product, j);
    product.start = product.sums;
    product.start_pitch = product.pitch;
    product.values += product.count;
    product.weights += product.count * product.pitch;
    left -= product.count;
  } while (left > 0);
}

[[gnu::always_inline]] inline int units_left(std::int64_t count) {
  return count < Floats::size ? static_cast<int>(count) : Floats::size;
}

/// Copies [hidden) to a padded row; zeros without a source.
void load_state(const float* source, std::int64_t hidden, float* state) {
  const std::int64_t pitch = unit_pitch(hidden);
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

void update_lstm(std::int64_t pitch, const float* gates, float* h, float* c) {
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

/// reset[j] = sigmoid(gate[j]) * h[j].
void reset_state(std::int64_t pitch, const float* gate, const float* h, float* reset) {
  for (std::int64_t j = 0; j < pitch; j += Floats::size) {
    Floats x, state;
    load(x, gate + j);
    load(state, h + j);
    store(reset + j, scaled_sigmoid(x, constant(1.0f)) * state);
  }
}

/// `memory`: the state's share in the hidden gate where that waits for the reset; else null.
void update_gru(std::int64_t pitch, const float* gates, const float* memory, float* h) {
  const Floats one = constant(1.0f);
  for (std::int64_t j = 0; j < pitch; j += Floats::size) {
    Floats update, hidden, state;
    load(update, gates + j);
    load(hidden, gates + 2 * pitch + j);
    load(state, h + j);
    if (memory != nullptr) {
      Floats reset, sum;
      load(reset, gates + pitch + j);
      load(sum, memory + j);
      hidden = fma(scaled_sigmoid(reset, one), sum, hidden);
    }
    const Floats candidate = hyperbolic_tangent(hidden);
    store(h + j, fma(scaled_sigmoid(update, one), state - candidate, candidate));
  }
}

template <bool relu>
void update_rnn(std::int64_t pitch, const float* gate, float* h) {
  for (std::int64_t j = 0; j < pitch; j += Floats::size) {
    Floats x;
    load(x, gate + j);
    store(h + j, relu ? maximum(constant(0.0f), x) : hyperbolic_tangent(x));
  }
}

/// gates[t] = bias + x[t] * weights for the next `steps` steps, at most a block: whole blocks read
/// the weights once.
void multiply_inputs(const RecurrentArgs& args, const FloatSequence& sequence, const float* x,
                     std::int64_t steps, float* gates) {
  const std::int64_t row = gate_count(args.cell) * unit_pitch(args.hidden);
  GateProduct product{sequence.bias, 0,   x,    sequence.x_pitch, args.input, sequence.weights,
                      row,           row, gates};
  if (steps == step_block) return multiply_gates<step_block, 2>(product);
  for (std::int64_t t = 0; t < steps; ++t) {
    multiply_gates<1, 8>(product);
    product.values += sequence.x_pitch;
    product.sums += row;
  }
}

/// One step, from gates that have what the inputs give. `spare`: the cell of LSTM, room of GRU.
void advance(const RecurrentArgs& args, const FloatSequence& sequence, float* gates, float* h,
             float* spare) {
  const std::int64_t hidden = args.hidden, pitch = unit_pitch(hidden);
  const std::int64_t row = gate_count(args.cell) * pitch;
  const float* weights = sequence.weights + args.input * row;
  /// Adds the products of `state` with the weights of `count` gates to `start`.
  const auto multiply = [&](const float* state, std::int64_t gate, std::int64_t count,
                            const float* start, float* sums) {
    multiply_gates<1, 8>(
        {start, 0, state, 0, hidden, weights + gate * pitch, row, count * pitch, sums});
  };
  switch (args.cell) {
    case Cell::lstm:
      multiply(h, 0, 4, gates, gates);
      return update_lstm(pitch, gates, h, spare);
    case Cell::gru:
      multiply(h, 0, 2, gates, gates);
      reset_state(pitch, gates + pitch, h, spare);
      multiply(spare, 2, 1, gates + 2 * pitch, gates + 2 * pitch);
      return update_gru(pitch, gates, nullptr, h);
    case Cell::gru_reset_behind:
      multiply(h, 0, 2, gates, gates);
      multiply(h, 2, 1, sequence.state_bias, spare);
      return update_gru(pitch, gates, spare, h);
    case Cell::rnn:
      multiply(h, 0, 1, gates, gates);
      return update_rnn<false>(pitch, gates, h);
    case Cell::rnn_relu:
      multiply(h, 0, 1, gates, gates);
      return update_rnn<true>(pitch, gates, h);
  }
}

/// `step(t)` makes the padded state h, and c, those behind step t.
template <class Step>
void run_steps(std::int64_t hidden, const Sequence& sequence, float* h, float* c,
               const Step& step) {
  load_state(sequence.first_h, hidden, h);
  load_state(sequence.first_c, hidden, c);
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    step(t);
    if (sequence.y != nullptr) store_state(h, hidden, sequence.y + t * sequence.y_pitch);
  }
  if (sequence.last_h != nullptr) store_state(h, hidden, sequence.last_h);
  if (sequence.last_c != nullptr) store_state(c, hidden, sequence.last_c);
}

void run_sequence(const RecurrentArgs& args, const FloatSequence& sequence) {
  const std::int64_t pitch = unit_pitch(args.hidden), row = gate_count(args.cell) * pitch;
  float* h = args.scratch;
  float* spare = h + pitch;
  float* block = spare + pitch;
  run_steps(args.hidden, sequence, h, spare, [&](std::int64_t t) {
    if (t % step_block == 0) {
      const std::int64_t left = sequence.steps - t;
      multiply_inputs(args, sequence, sequence.x + t * sequence.x_pitch,
                      left < step_block ? left : step_block, block);
    }
    advance(args, sequence, block + t % step_block * row, h, spare);
  });
}

struct BytePrimitives {
  ValueRange (*range)(const RangeArgs&);
  void (*quantize)(const QuantizeArgs&);
  /// sums[c] of 64 neighbouring columns: the state's `groups` fours of bytes times weights
  /// [groups][64][4].
  void (*multiply)(const std::uint8_t* state, const std::int8_t* weights, std::int64_t groups,
                   std::int32_t* sums);
};

/// Plain loops, which the compiler makes vectors of.
void finish_gates(const ByteLstmSequence& sequence, std::int64_t columns, ByteGrid grid,
                  std::int32_t state_sum, const float* start, std::int32_t* sums, float* gates) {
  const LstmByteWeights& weights = sequence.weights;
  for (std::int64_t j = 0; j < columns; ++j) sums[j] -= grid.zero_point * weights.sum[j];
  if (weights.zero_point != nullptr)
    for (std::int64_t j = 0; j < columns; ++j) sums[j] -= weights.zero_point[j] * state_sum;
  for (std::int64_t j = 0; j < columns; ++j)
    gates[j] = __builtin_fmaf(static_cast<float>(sums[j]), grid.scale * weights.scale[j], start[j]);
}

template <const BytePrimitives& primitives>
void run_sequence(const ByteLstmArgs& args, const ByteLstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = unit_pitch(hidden), columns = 4 * pitch;
  const std::int64_t groups = lstm_groups(hidden);
  float* h = args.scratch;
  float* c = h + pitch;
  float* gates = c + pitch;
  auto* sums = reinterpret_cast<std::int32_t*>(gates + columns);
  auto* bytes = reinterpret_cast<std::uint8_t*>(sums + columns);
  QuantizeArgs quantize;
  quantize.channels = hidden;
  quantize.pixels = 1;
  quantize.src = h;
  quantize.src_strides[1] = 1;
  quantize.dst = bytes;
  for (std::int64_t k = hidden; k < 4 * groups; ++k) bytes[k] = 0;
  run_steps(hidden, sequence, h, c, [&](std::int64_t t) {
    const ByteGrid grid = byte_grid(primitives.range({h, hidden}));
    quantize.scale = grid.scale;
    quantize.zero_point = grid.zero_point;
    primitives.quantize(quantize);
    std::int32_t state_sum = static_cast<std::int32_t>(-hidden * grid.zero_point);
    for (std::int64_t k = 0; k < hidden; ++k) state_sum += bytes[k];
    for (std::int64_t j = 0; j < columns; j += 64)
      primitives.multiply(bytes, sequence.weights.weights + j * 4 * groups, groups, sums + j);
    finish_gates(sequence, columns, grid, state_sum, sequence.start + t * sequence.start_pitch,
                 sums, gates);
    update_lstm(pitch, gates, h, c);
  });
}

}  // namespace
}  // namespace intact::kernels

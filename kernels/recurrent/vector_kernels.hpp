// LSTM, written once over the lane types of whichever lanes_*.hpp was included before this file.
// A panel of gates stays in registers while the inputs or the state pass by. The inputs of a block
// of steps, which wait for no state, share one pass over their weights. Lanes behind the last unit
// hold zeros all the way, so only loads and stores of operands know of tails.
#pragma once

#include "kernels/elementwise/functions.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/recurrent/recurrent.hpp"

namespace intact::kernels {
namespace {

/// Rows of `start` plus the products of rows of `values` with weights [count, pitch]. Rows lie
/// *_pitch apart; `start` may be `sums`.
struct GateProduct {
  const float* start;
  std::ptrdiff_t start_pitch;
  const float* values;
  std::ptrdiff_t values_pitch;
  std::int64_t count;
  const float* weights;
  std::int64_t pitch;  ///< of weights and sums
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
    for (; j + panel <= product.pitch; j += panel) gate_panel<rows, registers>(product, j);
    for (; j < product.pitch; j += Floats::size) gate_panel<rows, 1>(product, j);
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

/// gates[t] = bias + x[t] * weights for the next `steps` steps, at most a block: whole blocks read
/// the weights once.
void multiply_inputs(const LstmArgs& args, const FloatLstmSequence& sequence, const float* x,
                     std::int64_t steps, float* gates) {
  const std::int64_t row = 4 * lstm_pitch(args.hidden);
  GateProduct product{sequence.bias,    0,   x,    sequence.x_pitch, args.input,
                      sequence.weights, row, gates};
  if (steps == lstm_block) return multiply_gates<lstm_block, 2>(product);
  for (std::int64_t t = 0; t < steps; ++t) {
    multiply_gates<1, 8>(product);
    product.values += sequence.x_pitch;
    product.sums += row;
  }
}

/// `gates_of(t)` gives the gates of step t, from the padded state h.
template <class GatesOf>
void run_steps(std::int64_t hidden, const LstmSequence& sequence, float* h, float* c,
               const GatesOf& gates_of) {
  const std::int64_t pitch = lstm_pitch(hidden);
  load_state(sequence.first_h, hidden, h);
  load_state(sequence.first_c, hidden, c);
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    update_cells(pitch, gates_of(t), h, c);
    if (sequence.y != nullptr) store_state(h, hidden, sequence.y + t * sequence.y_pitch);
  }
  if (sequence.last_h != nullptr) store_state(h, hidden, sequence.last_h);
  if (sequence.last_c != nullptr) store_state(c, hidden, sequence.last_c);
}

void run_lstm(const LstmArgs& args, const FloatLstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = lstm_pitch(hidden), row = 4 * pitch;
  const float* state_weights = sequence.weights + args.input * row;
  float* h = args.scratch;
  float* block = h + 2 * pitch;
  run_steps(hidden, sequence, h, h + pitch, [&](std::int64_t t) {
    if (t % lstm_block == 0) {
      const std::int64_t left = sequence.steps - t;
      multiply_inputs(args, sequence, sequence.x + t * sequence.x_pitch,
                      left < lstm_block ? left : lstm_block, block);
    }
    float* gates = block + t % lstm_block * row;
    multiply_gates<1, 8>({gates, 0, h, 0, hidden, state_weights, row, gates});
    return gates;
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
void run_lstm(const ByteLstmArgs& args, const ByteLstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = lstm_pitch(hidden), columns = 4 * pitch;
  const std::int64_t groups = lstm_groups(hidden);
  float* h = args.scratch;
  float* gates = h + 2 * pitch;
  auto* sums = reinterpret_cast<std::int32_t*>(gates + columns);
  auto* bytes = reinterpret_cast<std::uint8_t*>(sums + columns);
  QuantizeArgs quantize;
  quantize.channels = hidden;
  quantize.pixels = 1;
  quantize.src = h;
  quantize.src_strides[1] = 1;
  quantize.dst = bytes;
  for (std::int64_t k = hidden; k < 4 * groups; ++k) bytes[k] = 0;
  run_steps(hidden, sequence, h, h + pitch, [&](std::int64_t t) {
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
    return gates;
  });
}

}  // namespace
}  // namespace intact::kernels

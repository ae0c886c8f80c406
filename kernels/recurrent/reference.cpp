// The scalar definition: gate after gate, unit after unit.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise/lanes_scalar.hpp"
#include "kernels/quantize/implementations.hpp"
#include "kernels/recurrent/implementations.hpp"
// Over the lanes included above.
#include "kernels/elementwise/functions.hpp"

namespace intact::kernels::reference {
namespace {

float sigmoid(float x) {
  return scaled_sigmoid({x}, {1.0f}).value;
}
float tangent(float x) {
  return hyperbolic_tangent({x}).value;
}

/// `step(t, h, c)` makes the states those behind step t.
template <class Step>
void run_steps(std::int64_t hidden, const Sequence& sequence, float* h, float* c,
               const Step& step) {
  for (std::int64_t j = 0; j < hidden; ++j) {
    h[j] = sequence.first_h ? sequence.first_h[j] : 0;
    c[j] = sequence.first_c ? sequence.first_c[j] : 0;
  }
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    step(t);
    if (sequence.y) std::copy_n(h, hidden, sequence.y + t * sequence.y_pitch);
  }
  if (sequence.last_h) std::copy_n(h, hidden, sequence.last_h);
  if (sequence.last_c) std::copy_n(c, hidden, sequence.last_c);
}

void update_lstm(std::int64_t hidden, const float* gates, float* h, float* c) {
  const std::int64_t pitch = unit_pitch(hidden);
  for (std::int64_t j = 0; j < hidden; ++j) {
    const float added = sigmoid(gates[j]) * tangent(gates[3 * pitch + j]);
    c[j] = std::fmaf(sigmoid(gates[2 * pitch + j]), c[j], added);
    h[j] = sigmoid(gates[pitch + j]) * tangent(c[j]);
  }
}

/// sum + values * column `j` of `count` rows of weights.
float add_products(float sum, const float* values, const float* weights, std::int64_t count,
                   std::int64_t pitch) {
  for (std::int64_t k = 0; k < count; ++k) sum = std::fmaf(values[k], weights[k * pitch], sum);
  return sum;
}

}  // namespace

void recur(const RecurrentArgs& args, const FloatSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = unit_pitch(hidden);
  const std::int64_t count = gate_count(args.cell), row = count * pitch;
  const bool is_gru = args.cell == Cell::gru || args.cell == Cell::gru_reset_behind;
  const std::int64_t behind_reset = is_gru ? 2 : count;  // gates from here on wait for it
  const float* state_weights = sequence.weights + args.input * row;
  float* const h = args.scratch;
  float* const spare = h + pitch;
  float* const gates = spare + pitch;
  const auto from_state = [&](float start, const float* state, std::int64_t column) {
    return add_products(start, state, state_weights + column, hidden, row);
  };
  const auto step = [&](std::int64_t t) {
    const float* x = sequence.x + t * sequence.x_pitch;
    for (std::int64_t gate = 0; gate < count; ++gate)
      for (std::int64_t j = gate * pitch; j < gate * pitch + hidden; ++j) {
        gates[j] = add_products(sequence.bias[j], x, sequence.weights + j, args.input, row);
        if (gate < behind_reset) gates[j] = from_state(gates[j], h, j);
      }
    if (args.cell == Cell::lstm) return update_lstm(hidden, gates, h, spare);
    if (!is_gru) {
      for (std::int64_t j = 0; j < hidden; ++j)
        h[j] = args.cell == Cell::rnn ? tangent(gates[j]) : maximum({0.0f}, {gates[j]}).value;
      return;
    }
    float* const candidate = gates + 2 * pitch;
    if (args.cell == Cell::gru)
      for (std::int64_t j = 0; j < hidden; ++j) spare[j] = sigmoid(gates[pitch + j]) * h[j];
    for (std::int64_t j = 0; j < hidden; ++j)
      candidate[j] =
          args.cell == Cell::gru
              ? from_state(candidate[j], spare, 2 * pitch + j)
              : std::fmaf(sigmoid(gates[pitch + j]),
                          from_state(sequence.state_bias[j], h, 2 * pitch + j), candidate[j]);
    for (std::int64_t j = 0; j < hidden; ++j) {
      const float n = tangent(candidate[j]);
      h[j] = std::fmaf(sigmoid(gates[j]), h[j] - n, n);
    }
  };
  run_steps(hidden, sequence, h, spare, step);
}

void lstm_bytes(const ByteLstmArgs& args, const ByteLstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = unit_pitch(hidden);
  const std::int64_t groups = lstm_groups(hidden);
  const LstmByteWeights& weights = sequence.weights;
  float* const h = args.scratch;
  float* const c = h + pitch;
  float* const gates = c + pitch;
  auto* const bytes = reinterpret_cast<std::uint8_t*>(args.scratch + 10 * pitch);
  const auto step = [&](std::int64_t t) {
    const ByteGrid grid = byte_grid(range({h, hidden}));
    QuantizeArgs rounding;
    rounding.channels = hidden;
    rounding.pixels = 1;
    rounding.src = h;
    rounding.src_strides[1] = 1;
    rounding.scale = grid.scale;
    rounding.zero_point = grid.zero_point;
    rounding.dst = bytes;
    quantize(rounding, {});
    const float* start = sequence.start + t * sequence.start_pitch;
    for (std::int64_t gate = 0; gate < 4; ++gate)
      for (std::int64_t j = gate * pitch; j < gate * pitch + hidden; ++j) {
        const std::int8_t* column = weights.weights + (j / 64 * groups * 64 + j % 64) * 4;
        const std::int32_t zero = weights.zero_point ? weights.zero_point[j] : 0;
        std::int32_t sum = 0;
        for (std::int64_t k = 0; k < hidden; ++k)
          sum += (bytes[k] - grid.zero_point) * (column[k / 4 * 256 + k % 4] - zero);
        gates[j] = std::fmaf(static_cast<float>(sum), grid.scale * weights.scale[j], start[j]);
      }
    update_lstm(hidden, gates, h, c);
  };
  run_steps(hidden, sequence, h, c, step);
}

}  // namespace intact::kernels::reference

// The scalar definition of LSTM: gate after gate, unit after unit.
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

/// `fill_gates(t, h, gates)` computes [4][pitch] gates of step t.
template <class FillGates>
void run_steps(std::int64_t hidden, const LstmSequence& sequence, float* scratch,
               const FillGates& fill_gates) {
  const std::int64_t pitch = lstm_pitch(hidden);
  float* h = scratch;
  float* c = h + pitch;
  float* gates = c + pitch;
  for (std::int64_t j = 0; j < hidden; ++j) {
    h[j] = sequence.first_h ? sequence.first_h[j] : 0;
    c[j] = sequence.first_c ? sequence.first_c[j] : 0;
  }
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    fill_gates(t, h, gates);
    for (std::int64_t j = 0; j < hidden; ++j) {
      const float added = sigmoid(gates[j]) * tangent(gates[3 * pitch + j]);
      c[j] = std::fmaf(sigmoid(gates[2 * pitch + j]), c[j], added);
      h[j] = sigmoid(gates[pitch + j]) * tangent(c[j]);
      if (sequence.y) sequence.y[t * sequence.y_pitch + j] = h[j];
    }
  }
  if (sequence.last_h) std::copy_n(h, hidden, sequence.last_h);
  if (sequence.last_c) std::copy_n(c, hidden, sequence.last_c);
}

}  // namespace

void lstm(const LstmArgs& args, const FloatLstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = lstm_pitch(hidden);
  const auto fill_gates = [&](std::int64_t t, const float* h, float* gates) {
    const float* x = sequence.x + t * sequence.x_pitch;
    for (std::int64_t gate = 0; gate < 4; ++gate)
      for (std::int64_t j = gate * pitch; j < gate * pitch + hidden; ++j) {
        const float* weight = sequence.weights + j;
        float sum = sequence.bias[j];
        for (std::int64_t k = 0; k < args.input; ++k, weight += 4 * pitch)
          sum = std::fmaf(x[k], *weight, sum);
        for (std::int64_t k = 0; k < hidden; ++k, weight += 4 * pitch)
          sum = std::fmaf(h[k], *weight, sum);
        gates[j] = sum;
      }
  };
  run_steps(hidden, sequence, args.scratch, fill_gates);
}

void lstm(const ByteLstmArgs& args, const ByteLstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = lstm_pitch(hidden);
  const std::int64_t groups = lstm_groups(hidden);
  const LstmByteWeights& weights = sequence.weights;
  auto* const bytes = reinterpret_cast<std::uint8_t*>(args.scratch + 10 * pitch);
  const auto fill_gates = [&](std::int64_t t, const float* h, float* gates) {
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
  };
  run_steps(hidden, sequence, args.scratch, fill_gates);
}

}  // namespace intact::kernels::reference

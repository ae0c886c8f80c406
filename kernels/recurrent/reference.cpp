// The scalar definition of LSTM: gate after gate, unit after unit.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise/lanes_scalar.hpp"
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

}  // namespace

void lstm(const LstmArgs& args, const LstmSequence& sequence) {
  const std::int64_t hidden = args.hidden, pitch = lstm_pitch(hidden);
  float* h = args.scratch;
  float* c = h + pitch;
  float* gates = c + pitch;
  for (std::int64_t j = 0; j < hidden; ++j) {
    h[j] = sequence.first_h ? sequence.first_h[j] : 0;
    c[j] = sequence.first_c ? sequence.first_c[j] : 0;
  }
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
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

}  // namespace intact::kernels::reference

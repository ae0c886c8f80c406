// LSTM kernels: every kernel gives the bits of the reference, which follows the formulas.
#include "kernels/recurrent/recurrent.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

/// Packed rows of small numbers, with the zeros behind the last unit.
std::vector<float> packed(std::int64_t rows, std::int64_t hidden, unsigned seed) {
  const std::int64_t pitch = lstm_pitch(hidden);
  Buffer<float> source(static_cast<std::size_t>(rows * 4 * pitch), seed);
  std::vector<float> result(source.data(), source.data() + rows * 4 * pitch);
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<std::int64_t>(i) % pitch < hidden ? result[i] * 0.1f : 0;
  return result;
}

struct Problem {
  static constexpr std::int64_t sequences = 3, steps = 6;  // a block and a rest
  std::int64_t input, hidden;
  bool with_state, backwards;
  std::vector<float> weights, bias;
  Buffer<float> x, h, c;

  Problem(std::int64_t input, std::int64_t hidden, bool with_state, bool backwards)
      : input(input),
        hidden(hidden),
        with_state(with_state),
        backwards(backwards),
        weights(packed(input + hidden, hidden, 1)),
        bias(packed(1, hidden, 2)),
        x(static_cast<std::size_t>(sequences * steps * (input + 1)), 3),
        h(static_cast<std::size_t>(sequences * hidden), 4),
        c(static_cast<std::size_t>(sequences * hidden), 5) {}
};

/// y, last h and last c in one buffer.
Buffer<float> result(const LstmKernel& kernel, Problem& problem, int parts) {
  const std::int64_t hidden = problem.hidden;
  const std::int64_t y_pitch = hidden + 2, per_sequence = Problem::steps * y_pitch + 2 * hidden;
  Buffer<float> out(static_cast<std::size_t>(Problem::sequences * per_sequence), 9);
  std::vector<float> scratch(static_cast<std::size_t>(lstm_scratch(hidden)));
  std::vector<LstmSequence> sequences;
  for (std::int64_t i = 0; i < Problem::sequences; ++i) {
    LstmSequence sequence;
    sequence.steps = Problem::steps;
    sequence.x = problem.x.data() + i * Problem::steps * (problem.input + 1);
    sequence.x_pitch = problem.input + 1;
    sequence.weights = problem.weights.data();
    sequence.bias = problem.bias.data();
    if (problem.with_state) {
      sequence.first_h = problem.h.data() + i * hidden;
      sequence.first_c = problem.c.data() + i * hidden;
    }
    float* own = out.data() + i * per_sequence;
    sequence.y = own;
    sequence.y_pitch = y_pitch;
    sequence.last_h = own + Problem::steps * y_pitch;
    sequence.last_c = sequence.last_h + hidden;
    if (problem.backwards) {
      sequence.x += (Problem::steps - 1) * sequence.x_pitch;
      sequence.x_pitch = -sequence.x_pitch;
      sequence.y += (Problem::steps - 1) * sequence.y_pitch;
      sequence.y_pitch = -sequence.y_pitch;
    }
    sequences.push_back(sequence);
  }
  run_in_parts(
      kernel, LstmArgs{problem.input, hidden, Problem::sequences, sequences.data(), scratch.data()},
      parts);
  return out;
}

TEST(Lstm, EqualTheReference) {
  for (const std::int64_t input : {1, 16, 19})
    for (const std::int64_t hidden : {1, 8, 17, 31, 70})
      for (const bool with_state : {false, true}) {
        Problem problem(input, hidden, with_state, hidden % 2 == 0);
        const Buffer<float> expected = result(lstm_kernels().back(), problem, 1);
        for (const LstmKernel& kernel : runnable(lstm_kernels()))
          for (const int parts : {1, 2})
            ASSERT_EQ(first_difference(result(kernel, problem, parts), expected), equal)
                << kernel.name << ", input " << input << ", hidden " << hidden << ", parts "
                << parts;
      }
}

/// One unit, one step, worked out in double.
TEST(Lstm, FollowsTheFormulas) {
  std::vector<float> weights(static_cast<std::size_t>(lstm_weights(1, 1)));
  std::vector<float> bias(64);
  const double w[] = {0.5, -0.25, 0.75, 1}, r[] = {0.1, 0.2, -0.3, 0.4}, b[] = {0, 0.5, -0.5, 0.25};
  for (std::size_t gate = 0; gate < 4; ++gate) {
    weights[16 * gate] = static_cast<float>(w[gate]);
    weights[64 + 16 * gate] = static_cast<float>(r[gate]);
    bias[16 * gate] = static_cast<float>(b[gate]);
  }
  const float x = 0.6f, h = -0.4f, c = 0.9f;
  float y = 0, last_c = 0;
  std::vector<float> scratch(static_cast<std::size_t>(lstm_scratch(1)));
  LstmSequence sequence;
  sequence.steps = 1;
  sequence.x = &x;
  sequence.weights = weights.data();
  sequence.bias = bias.data();
  sequence.first_h = &h;
  sequence.first_c = &c;
  sequence.last_h = &y;
  sequence.last_c = &last_c;
  const auto gate = [&](int i) { return w[i] * 0.6 - r[i] * 0.4 + b[i]; };
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  const double cell = sigmoid(gate(2)) * 0.9 + sigmoid(gate(0)) * std::tanh(gate(3));
  for (const LstmKernel& kernel : runnable(lstm_kernels())) {
    kernel.run({1, 1, 1, &sequence, scratch.data()}, {});
    EXPECT_NEAR(last_c, cell, 1e-6) << kernel.name;
    EXPECT_NEAR(y, sigmoid(gate(1)) * std::tanh(cell), 1e-6) << kernel.name;
  }
}

}  // namespace
}  // namespace intact::kernels

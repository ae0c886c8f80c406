// LSTM, GRU and RNN kernels: every kernel gives the bits of the reference, which follows the
// formulas.
#include "kernels/recurrent/recurrent.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "buffers.hpp"

namespace intact::kernels {
namespace {

/// Packed rows of small numbers, with the zeros behind the last unit.
std::vector<float> packed(std::int64_t rows, std::int64_t hidden, unsigned seed) {
  const std::int64_t pitch = unit_pitch(hidden);
  Buffer<float> source(static_cast<std::size_t>(rows * pitch), seed);
  std::vector<float> result(source.data(), source.data() + rows * pitch);
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<std::int64_t>(i) % pitch < hidden ? result[i] * 0.1f : 0;
  return result;
}

struct Problem {
  static constexpr std::int64_t sequences = 3, steps = 6;  // a block and a rest
  Cell cell;
  std::int64_t input, hidden;
  bool with_state, backwards;
  std::vector<float> weights, bias, state_bias;
  Buffer<float> x, h, c;

  Problem(Cell cell, std::int64_t input, std::int64_t hidden, bool with_state, bool backwards)
      : cell(cell),
        input(input),
        hidden(hidden),
        with_state(with_state),
        backwards(backwards),
        weights(packed((input + hidden) * gate_count(cell), hidden, 1)),
        bias(packed(gate_count(cell), hidden, 2)),
        state_bias(packed(1, hidden, 6)),
        x(static_cast<std::size_t>(sequences * steps * (input + 1)), 3),
        h(static_cast<std::size_t>(sequences * hidden), 4),
        c(static_cast<std::size_t>(sequences * hidden), 5) {}
};

/// y, last h and last c in one buffer.
Buffer<float> result(const RecurrentKernel& kernel, Problem& problem, int parts) {
  const std::int64_t hidden = problem.hidden;
  const std::int64_t y_pitch = hidden + 2, per_sequence = Problem::steps * y_pitch + 2 * hidden;
  Buffer<float> out(static_cast<std::size_t>(Problem::sequences * per_sequence), 9);
  std::vector<float> scratch(static_cast<std::size_t>(recurrent_scratch(problem.cell, hidden)));
  std::vector<FloatSequence> sequences;
  for (std::int64_t i = 0; i < Problem::sequences; ++i) {
    FloatSequence sequence;
    sequence.steps = Problem::steps;
    sequence.x = problem.x.data() + i * Problem::steps * (problem.input + 1);
    sequence.x_pitch = problem.input + 1;
    sequence.weights = problem.weights.data();
    sequence.bias = problem.bias.data();
    if (problem.cell == Cell::gru_reset_behind) sequence.state_bias = problem.state_bias.data();
    if (problem.with_state) {
      sequence.first_h = problem.h.data() + i * hidden;
      if (problem.cell == Cell::lstm) sequence.first_c = problem.c.data() + i * hidden;
    }
    float* own = out.data() + i * per_sequence;
    sequence.y = own;
    sequence.y_pitch = y_pitch;
    sequence.last_h = own + Problem::steps * y_pitch;
    if (problem.cell == Cell::lstm) sequence.last_c = sequence.last_h + hidden;
    if (problem.backwards) {
      sequence.x += (Problem::steps - 1) * sequence.x_pitch;
      sequence.x_pitch = -sequence.x_pitch;
      sequence.y += (Problem::steps - 1) * sequence.y_pitch;
      sequence.y_pitch = -sequence.y_pitch;
    }
    sequences.push_back(sequence);
  }
  RecurrentArgs args;
  args.input = problem.input;
  args.hidden = hidden;
  args.count = Problem::sequences;
  args.sequences = sequences.data();
  args.scratch = scratch.data();
  args.cell = problem.cell;
  run_in_parts(kernel, args, parts);
  return out;
}

constexpr Cell cells[] = {Cell::lstm, Cell::gru, Cell::gru_reset_behind, Cell::rnn, Cell::rnn_relu};

TEST(Recurrent, EqualTheReference) {
  for (const Cell cell : cells)
    for (const std::int64_t input : {1, 16, 19})
      for (const std::int64_t hidden : {1, 8, 17, 31, 70})
        for (const bool with_state : {false, true}) {
          Problem problem(cell, input, hidden, with_state, hidden % 2 == 0);
          const Buffer<float> expected = result(recurrent_kernels().back(), problem, 1);
          for (const RecurrentKernel& kernel : runnable(recurrent_kernels()))
            for (const int parts : {1, 2})
              ASSERT_EQ(first_difference(result(kernel, problem, parts), expected), equal)
                  << kernel.name << ", cell " << static_cast<int>(cell) << ", input " << input
                  << ", hidden " << hidden << ", parts " << parts;
        }
}

/// Weights on byte grids.
struct ByteProblem {
  static constexpr std::int64_t sequences = 3, steps = 4;
  std::int64_t hidden, row;
  Buffer<std::int8_t> source;
  std::vector<std::int8_t> weights;
  std::vector<float> scale;
  std::vector<std::int32_t> sum, zero_point;
  Buffer<float> start, h, c;

  ByteProblem(std::int64_t hidden, bool with_zero_points)
      : hidden(hidden),
        row(4 * unit_pitch(hidden)),
        source(static_cast<std::size_t>(hidden * row), 1),
        weights(static_cast<std::size_t>(lstm_byte_weights(hidden))),
        scale(static_cast<std::size_t>(row)),
        sum(scale.size()),
        start(static_cast<std::size_t>(sequences * steps * (row + 3)), 3),
        h(static_cast<std::size_t>(sequences * hidden), 4),
        c(static_cast<std::size_t>(sequences * hidden), 5) {
    if (with_zero_points) zero_point.resize(sum.size());
    for (std::int64_t column = 0; column < row; ++column) {
      if (column % unit_pitch(hidden) >= hidden) continue;
      const auto at = static_cast<std::size_t>(column);
      scale[at] = 0.0001f * static_cast<float>(1 + column % 7);
      if (with_zero_points) zero_point[at] = static_cast<std::int32_t>(column % 256) - 128;
      for (std::int64_t k = 0; k < hidden; ++k) {
        const std::int8_t weight = source.data()[k * row + column];
        weights[static_cast<std::size_t>(
            ((column / 64 * lstm_groups(hidden) + k / 4) * 64 + column % 64) * 4 + k % 4)] = weight;
        sum[at] += weight;
      }
    }
    // Behind the last unit a sequence starts from zeros too, as products with padded weights do.
    for (std::int64_t i = 0; i < sequences * steps; ++i)
      for (std::int64_t column = 0; column < row; ++column)
        if (column % unit_pitch(hidden) >= hidden) start.data()[i * (row + 3) + column] = 0;
  }
};

/// y, last h and last c in one buffer.
Buffer<float> result(const ByteLstmKernel& kernel, ByteProblem& problem, int parts) {
  const std::int64_t hidden = problem.hidden, y_pitch = hidden + 2;
  const std::int64_t per_sequence = ByteProblem::steps * y_pitch + 2 * hidden;
  Buffer<float> out(static_cast<std::size_t>(ByteProblem::sequences * per_sequence), 9);
  std::vector<float> scratch(static_cast<std::size_t>(byte_lstm_scratch(hidden)));
  std::vector<ByteLstmSequence> sequences(ByteProblem::sequences);
  for (std::int64_t i = 0; i < ByteProblem::sequences; ++i) {
    ByteLstmSequence& sequence = sequences[static_cast<std::size_t>(i)];
    sequence.steps = ByteProblem::steps;
    sequence.weights = {problem.weights.data(), problem.scale.data(), problem.sum.data(),
                        problem.zero_point.empty() ? nullptr : problem.zero_point.data()};
    sequence.start = problem.start.data() + i * ByteProblem::steps * (problem.row + 3);
    sequence.start_pitch = problem.row + 3;
    if (i != 0) {  // the first one begins with zeros
      sequence.first_h = problem.h.data() + i * hidden;
      sequence.first_c = problem.c.data() + i * hidden;
    }
    sequence.y = out.data() + i * per_sequence;
    sequence.y_pitch = y_pitch;
    sequence.last_h = sequence.y + ByteProblem::steps * y_pitch;
    sequence.last_c = sequence.last_h + hidden;
  }
  run_in_parts(
      kernel,
      ByteLstmArgs{0, hidden, ByteProblem::sequences, sequences.data(), scratch.data(), Cell::lstm},
      parts);
  return out;
}

TEST(ByteLstm, EqualTheReference) {
  for (const std::int64_t hidden : {1, 4, 8, 17, 31, 70, 129})
    for (const bool with_zero_points : {false, true}) {
      ByteProblem problem(hidden, with_zero_points);
      const Buffer<float> expected = result(byte_lstm_kernels().back(), problem, 1);
      for (const ByteLstmKernel& kernel : runnable(byte_lstm_kernels()))
        for (const int parts : {1, 2})
          ASSERT_EQ(first_difference(result(kernel, problem, parts), expected), equal)
              << kernel.name << ", hidden " << hidden << ", parts " << parts;
    }
}

/// One unit, one step: h = -0.4 is the byte 0 of the grid from -0.4 to 0, weight by weight.
TEST(ByteLstm, FollowsTheFormulas) {
  std::vector<std::int8_t> weights(static_cast<std::size_t>(lstm_byte_weights(1)));
  std::vector<float> scale(64, 0.01f), start(64);
  std::vector<std::int32_t> sum(64), zero_point(64, 2);
  const int r[] = {10, 20, -30, 40};
  const double first[] = {0, 0.5, -0.5, 0.25};
  for (std::size_t gate = 0; gate < 4; ++gate) {
    weights[16 * gate * 4] = static_cast<std::int8_t>(r[gate]);
    sum[16 * gate] = r[gate];
    start[16 * gate] = static_cast<float>(first[gate]);
  }
  const float h = -0.4f, c = 0.9f;
  float last_h = 0, last_c = 0;
  std::vector<float> scratch(static_cast<std::size_t>(byte_lstm_scratch(1)));
  ByteLstmSequence sequence;
  sequence.steps = 1;
  sequence.start = start.data();
  sequence.weights = {weights.data(), scale.data(), sum.data(), zero_point.data()};
  sequence.first_h = &h;
  sequence.first_c = &c;
  sequence.last_h = &last_h;
  sequence.last_c = &last_c;
  const auto gate = [&](int i) { return first[i] - 0.4 * 0.01 * (r[i] - 2); };
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  const double cell = sigmoid(gate(2)) * 0.9 + sigmoid(gate(0)) * std::tanh(gate(3));
  for (const ByteLstmKernel& kernel : runnable(byte_lstm_kernels())) {
    kernel.run({0, 1, 1, &sequence, scratch.data(), Cell::lstm}, {});
    EXPECT_NEAR(last_c, cell, 1e-6) << kernel.name;
    EXPECT_NEAR(last_h, sigmoid(gate(1)) * std::tanh(cell), 1e-6) << kernel.name;
  }
}

/// One unit, one step, with the numbers of as many gates as the cell has.
struct OneStep {
  static constexpr double w[] = {0.5, -0.25, 0.75, 1}, r[] = {0.1, 0.2, -0.3, 0.4};
  static constexpr double b[] = {0, 0.5, -0.5, 0.25}, state_bias = 0.7, x = 0.6, h = -0.4, c = 0.9;
  static double gate(int i) { return w[i] * x + r[i] * h + b[i]; }

  float last_h = 0, last_c = 0;

  OneStep(const RecurrentKernel& kernel, Cell cell) {
    const auto gates = static_cast<std::size_t>(gate_count(cell));
    std::vector<float> weights(static_cast<std::size_t>(recurrent_weights(cell, 1, 1)));
    std::vector<float> bias(16 * gates), apart(16);
    for (std::size_t gate = 0; gate < gates; ++gate) {
      weights[16 * gate] = static_cast<float>(w[gate]);
      weights[16 * (gates + gate)] = static_cast<float>(r[gate]);
      bias[16 * gate] = static_cast<float>(b[gate]);
    }
    apart[0] = static_cast<float>(state_bias);
    const float input = x, first_h = h, first_c = c;
    std::vector<float> scratch(static_cast<std::size_t>(recurrent_scratch(cell, 1)));
    FloatSequence sequence;
    sequence.steps = 1;
    sequence.x = &input;
    sequence.weights = weights.data();
    sequence.bias = bias.data();
    sequence.state_bias = apart.data();
    sequence.first_h = &first_h;
    sequence.last_h = &last_h;
    if (cell == Cell::lstm) {
      sequence.first_c = &first_c;
      sequence.last_c = &last_c;
    }
    kernel.run({1, 1, 1, &sequence, scratch.data(), cell}, {});
  }
};

/// Worked out in double.
TEST(Recurrent, FollowsTheFormulas) {
  const auto gate = OneStep::gate;
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  const double h = OneStep::h;
  const double cell = sigmoid(gate(2)) * OneStep::c + sigmoid(gate(0)) * std::tanh(gate(3));
  const double update = sigmoid(gate(0)), reset = sigmoid(gate(1));
  const double from_input = OneStep::w[2] * OneStep::x + OneStep::b[2];
  const double n = std::tanh(from_input + OneStep::r[2] * reset * h);
  const double behind = std::tanh(from_input + reset * (OneStep::r[2] * h + OneStep::state_bias));
  for (const RecurrentKernel& kernel : runnable(recurrent_kernels())) {
    SCOPED_TRACE(kernel.name);
    const OneStep lstm(kernel, Cell::lstm);
    EXPECT_NEAR(lstm.last_c, cell, 1e-6);
    EXPECT_NEAR(lstm.last_h, sigmoid(gate(1)) * std::tanh(cell), 1e-6);
    EXPECT_NEAR(OneStep(kernel, Cell::gru).last_h, (1 - update) * n + update * h, 1e-6);
    EXPECT_NEAR(OneStep(kernel, Cell::gru_reset_behind).last_h, (1 - update) * behind + update * h,
                1e-6);
    EXPECT_NEAR(OneStep(kernel, Cell::rnn).last_h, std::tanh(gate(0)), 1e-6);
    EXPECT_NEAR(OneStep(kernel, Cell::rnn_relu).last_h, gate(0), 1e-6);
  }
}

}  // namespace
}  // namespace intact::kernels

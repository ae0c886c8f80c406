// Recurrent operators, by hand.
#include <cmath>

#include "tests/graph/evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;

void expect_near(const Tensor& actual, const std::vector<double>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(actual.data<float>()[i]), expected[i], 1e-6) << "element " << i;
}
const Tensor none;

TEST(Rnn, LengthsAndDirection) {
  // h = relu(x + h / 2), two sequences of which the second has one step.
  Op rnn("RNN", 2);
  rnn.with("hidden_size", 1).with("activations", std::vector<std::string>{"Relu"});
  const Tensor x = floats({2, 2, 1}, {4, 6, 8, 100});
  const Tensor w = floats({1, 1, 1}, {1}), r = floats({1, 1, 1}, {0.5F});
  const Tensor lengths = Tensor::from<std::int32_t>({2}, std::vector<std::int32_t>{2, 1});
  const auto forward = rnn.all({x, w, r, none, lengths});
  expect_near(forward[0], {4, 6, 10, 0});
  expect_near(forward[1], {10, 6});
  const auto backward = rnn.with("direction", "reverse").all({x, w, r, none, lengths});
  expect_near(backward[0], {8, 6, 8, 0});
  expect_near(backward[1], {8, 6});
}

TEST(Gru, BlendsWithTheUpdateGate) {
  // All weights zero: update = sigmoid(0) = 1/2, candidate = tanh(0) = 0.
  const Tensor zero = Tensor(ElementType::f32, {1, 3, 1});
  const auto y =
      Op("GRU", 2)
          .with("hidden_size", 1)
          .all({floats({2, 1, 1}, {1, 1}), zero, zero, none, none, floats({1, 1, 1}, {8})});
  expect_near(y[0], {4, 2});
}

TEST(Lstm, GatesInOrder) {
  // Biases open the input (i), output (o) and cell (c) gates and close the forget gate.
  const Tensor zero = Tensor(ElementType::f32, {1, 4, 1});
  const Tensor bias = floats({1, 8}, {50, 50, -50, 50, 0, 0, 0, 0});
  const auto y =
      Op("LSTM", 3)
          .with("hidden_size", 1)
          .all({floats({1, 1, 1}, {1}), zero, zero, bias, none, none, floats({1, 1, 1}, {7})});
  expect_near(y[2], {1});
  expect_near(y[1], {std::tanh(1.0)});
}

/// com.microsoft.DynamicQuantizeLSTM: one step of two units, of one input each.
struct DynamicLstm {
  Tensor w =
      Tensor::from<std::int8_t>({1, 2, 8}, std::vector<std::int8_t>{1, -2, 3, -4, 5, -6, 7, -8,  //
                                                                    8, 7, -6, -5, 4, 3, -2, -1});
  Tensor zero_points = Tensor::from<std::int8_t>({1}, std::vector<std::int8_t>{3});
  Tensor scale = floats({1}, {0.1F});

  std::vector<Tensor> run(const Tensor& x, const Tensor& h) const {
    Op op("DynamicQuantizeLSTM", 3);
    return op.in("com.microsoft")
        .with("hidden_size", 2)
        .all({x, w, w, none, none, h, none, none, scale, zero_points, scale, zero_points});
  }
  /// LSTM of the weights' reals.
  std::vector<Tensor> real(const Tensor& x, const Tensor& h) const {
    Tensor reals(ElementType::f32, {1, 8, 2});
    for (std::size_t k = 0; k < 2; ++k)
      for (std::size_t j = 0; j < 8; ++j)
        reals.data<float>()[2 * j + k] =
            0.1F * static_cast<float>(w.data<std::int8_t>()[8 * k + j] - 3);
    return Op("LSTM", 3).with("hidden_size", 2).all({x, reals, reals, none, none, h});
  }
};

TEST(DynamicLstm, RoundsInputsTogetherAndTheStateAtEveryStep) {
  const DynamicLstm lstm;
  // The inputs' range is [-0.3, 1]: scale 1.3 / 255, zero point 59, so -59 and 196 steps. The
  // state's is [0, 0.5].
  const double step = 1.3 / 255;
  const Tensor x = floats({1, 1, 2}, {1, -0.3F}), h = floats({1, 1, 2}, {0.5F, 0.3001F});
  const auto actual = lstm.run(x, h);
  const auto expected =
      lstm.real(floats({1, 1, 2}, {static_cast<float>(196 * step), static_cast<float>(-59 * step)}),
                floats({1, 1, 2}, {0.5F, static_cast<float>(153 * 0.5 / 255)}));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto values = values_of<float>(expected[i]);
    expect_near(actual[i], std::vector<double>(values.begin(), values.end()));
  }
}

TEST(DynamicLstm, RefusesWrongOperands) {
  DynamicLstm lstm;
  const Tensor x = floats({1, 1, 2}, {1, 1}), h = floats({1, 1, 2}, {0, 0});
  lstm.scale = floats({3}, {1, 1, 1});
  EXPECT_EQ(error_of([&] { lstm.run(x, h); }),
            "com.microsoft.DynamicQuantizeLSTM 'n' (opset 18): operand 8 has shape [3]; it must be "
            "[1] or [1,8]");
  EXPECT_EQ(error_of([&] {
              DynamicLstm().run(floats({1, 1, 3}, {1, 1, 1}), h);
            }),
            "com.microsoft.DynamicQuantizeLSTM 'n' (opset 18): operand W has shape [1,2,8]; it "
            "must be [1,3,8]");
}

TEST(Recurrent, RefusesWrongOperands) {
  const Tensor x = floats({1, 1, 2}, {1, 1}), w(ElementType::f32, {1, 4, 1}), r = w;
  EXPECT_EQ(error_of([&] { Op("LSTM").with("hidden_size", 1).infer(x, w, r); }),
            "LSTM 'n' (opset 18): operand W has shape [1,4,1]; it must be [1,4,2]");
  const Tensor fitting(ElementType::f32, {1, 4, 2});
  EXPECT_EQ(error_of([&] {
              Op("LSTM")
                  .with("hidden_size", 1)
                  .with("activations", std::vector<std::string>{"Tanh"})(x, fitting, r);
            }),
            "LSTM 'n' (opset 18): 1 activations are given; it takes 3 for each of 1 direction(s)");
  EXPECT_EQ(error_of([&] {
              Op("LSTM").with("hidden_size", 1)(
                  x, fitting, r, none,
                  Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{5}));
            }),
            "LSTM 'n' (opset 18): sequence_lens contains 5; lengths must lie in [0, 1]");
}

}  // namespace
}  // namespace intact

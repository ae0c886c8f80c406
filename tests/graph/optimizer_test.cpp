// Operators of a training step: values by hand.
#include "evaluate.hpp"

namespace intact::testing {
namespace {

using Floats = std::vector<float>;

const Tensor one_step = Tensor::scalar(std::int64_t{1});

void expect_near(const Tensor& actual, const Floats& expected) {
  ASSERT_EQ(actual.size(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_FLOAT_EQ(actual.data<float>()[i], expected[i]) << "element " << i;
}

Op optimizer(const char* name, int outputs) {
  Op op(name, outputs);
  return op.in("ai.onnx.preview.training").at(1);
}

TEST(Optimizers, adagrad_divides_by_the_root_of_squared_gradients) {
  const auto results = optimizer("Adagrad", 2)
                           .with("epsilon", 0.0f)
                           .with("decay_factor", 1.0f)
                           .all({Tensor::scalar(0.5f), one_step, floats({2}, {1, 2}),
                                 floats({2}, {3, 4}), floats({2}, {16, 9})});
  EXPECT_EQ(values_of<float>(results[1]), (Floats{25, 25}));
  // The rate is 0.5 / (1 + 1 * 1).
  expect_near(results[0], {1 - 0.25f * 3 / 5, 2 - 0.25f * 4 / 5});
}

TEST(Optimizers, momentum_keeps_a_running_gradient) {
  const std::vector<Tensor> inputs = {Tensor::scalar(0.1f), one_step, floats({1}, {1}),
                                      floats({1}, {2}), floats({1}, {10})};
  auto standard = optimizer("Momentum", 2).with("alpha", 0.5f).with("beta", 2.0f).all(inputs);
  EXPECT_FLOAT_EQ(standard[1].data<float>()[0], 0.5f * 10 + 2 * 2);
  EXPECT_FLOAT_EQ(standard[0].data<float>()[0], 1 - 0.1f * 9);
  auto nesterov = optimizer("Momentum", 2)
                      .with("alpha", 0.5f)
                      .with("beta", 2.0f)
                      .with("mode", "nesterov")
                      .all(inputs);
  EXPECT_FLOAT_EQ(nesterov[0].data<float>()[0], 1 - 0.1f * (2 + 0.5f * 9));
}

TEST(Optimizers, take_several_tensors_grouped_by_kind) {
  const auto results =
      optimizer("Momentum", 4)
          .with("alpha", 1.0f)
          .with("beta", 1.0f)
          .all({Tensor::scalar(0.5f), one_step, floats({1}, {1}), floats({2}, {2, 3}),
                floats({1}, {10}), floats({2}, {20, 30}), floats({1}, {4}), floats({2}, {6, 8})});
  EXPECT_EQ(values_of<float>(results[0]), (Floats{1 - 7}));
  EXPECT_EQ(values_of<float>(results[1]), (Floats{2 - 13, 3 - 19}));
  EXPECT_EQ(values_of<float>(results[2]), (Floats{14}));
  EXPECT_EQ(values_of<float>(results[3]), (Floats{26, 38}));
}

TEST(Optimizers, count_their_operands) {
  const std::string text = error_of([] {
    optimizer("Momentum", 2).all({Tensor::scalar(0.1f), one_step, floats({1}, {1})});
  });
  EXPECT_NE(text.find("3 operands"), std::string::npos) << text;
}

}  // namespace
}  // namespace intact::testing

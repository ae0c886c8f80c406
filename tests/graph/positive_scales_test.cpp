// Constants under negative scales and zeros: the real numbers stay the same.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "evaluate.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

struct Weights {
  Tensor integers, scale, zero_point;
  AttributeList attributes;
  int opset = 21;
};

/// x + weights, with x zeros: the weights' real numbers as the file's reader sees them.
std::vector<float> reals_of(const Weights& weights) {
  ModelBuilder model(weights.opset);
  std::vector<ValueId> operands = {model.constant("w", weights.integers),
                                   model.constant("s", weights.scale)};
  if (weights.zero_point.defined()) operands.push_back(model.constant("z", weights.zero_point));
  const ValueId reals = model.node("DequantizeLinear", "dq", operands, weights.attributes);
  const Shape shape = weights.integers.shape();
  const ValueId x = model.input("x", ElementType::f32, shape);
  const Graph raw = model.build({model.node("Add", "add", {x, reals})});
  const Tensor zeros(ElementType::f32, shape);
  const Tensor y = interpret(canonical(raw), std::vector<Tensor>{zeros})[0];
  return {y.data<float>().begin(), y.data<float>().end()};
}

TEST(PositiveScales, PerTensor) {
  const Tensor q = Tensor::from<std::int8_t>({4}, std::vector<std::int8_t>{-128, -1, 0, 127});
  EXPECT_EQ(reals_of({q, floats({}, {-0.5f}), Tensor(), {}}),
            (std::vector<float>{64, 0.5f, 0, -63.5f}));
  EXPECT_EQ(reals_of({q, floats({1}, {0.0f}), Tensor::scalar<std::int8_t>(3).reshaped({1}), {}}),
            (std::vector<float>{0, 0, 0, 0}));
}

TEST(PositiveScales, PerChannel) {
  const Tensor q =
      Tensor::from<std::uint8_t>({2, 3}, std::vector<std::uint8_t>{0, 7, 255, 1, 2, 3});
  const Tensor z = Tensor::from<std::uint8_t>({3}, std::vector<std::uint8_t>{10, 5, 255});
  EXPECT_EQ(reals_of({q, floats({3}, {-1, 2, 0}), z, {{"axis", std::int64_t{1}}}}),
            (std::vector<float>{10, 4, 0, 9, -6, 0}));
  EXPECT_EQ(reals_of({q, floats({2}, {-1, 1}), Tensor(), {{"axis", std::int64_t{-2}}}}),
            (std::vector<float>{0, -7, -255, 1, 2, 3}));
}

TEST(PositiveScales, OfABias) {
  const Tensor q = Tensor::from<std::int32_t>({3}, std::vector<std::int32_t>{-5, 7, 100});
  EXPECT_EQ(reals_of({q, floats({3}, {0, -2, 0.5f}), Tensor(), {{"axis", std::int64_t{0}}}, 13}),
            (std::vector<float>{0, -14, 50}));
}

TEST(PositiveScales, Blocks) {
  Tensor q(ElementType::s4, {3, 2});
  const std::int8_t values[] = {-8, 7, 1, 2, 3, -4};
  std::copy(std::begin(values), std::end(values), q.data<std::int8_t>().begin());
  const AttributeList blocks = {{"axis", std::int64_t{0}}, {"block_size", std::int64_t{2}}};
  EXPECT_EQ(reals_of({q, floats({2, 2}, {-1, 1, 2, 0}), Tensor(), blocks}),
            (std::vector<float>{8, 7, -1, 2, 6, 0}));
}

}  // namespace
}  // namespace intact::testing

// Resize against values computed by hand from the ONNX formulas.
#include "graph/ops/resize.hpp"

#include "tests/graph/evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

void expect_near(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.data<float>()[i], expected[i], 1e-5) << "element " << i;
}
Tensor scales(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return floats({count}, std::move(values));
}
Op resize(const char* mode, const char* coordinates) {
  return Op("Resize").with("mode", mode).with("coordinate_transformation_mode", coordinates);
}

const Tensor row = floats({4}, {0, 10, 20, 30});
const Tensor none;

TEST(Resize, LinearCoordinates) {
  expect_near(resize("linear", "half_pixel")(row, none, scales({0.5F})), {5, 25});
  expect_near(resize("linear", "align_corners")(row, none, none, list({3})), {0, 15, 30});
  expect_near(resize("linear", "asymmetric")(row, none, scales({2})),
              {0, 5, 10, 15, 20, 25, 30, 30});
  expect_near(resize("linear", "pytorch_half_pixel")(row, none, none, list({1})), {0});
  expect_near(resize("linear", "half_pixel")(row, none, none, list({1})), {15});
}

TEST(Resize, NearestModes) {
  // Asymmetric with scale 2: positions 0, 0.5, 1, ..., 3.5.
  const auto picked = [](const char* mode) {
    return values_of<float>(
        resize("nearest", "asymmetric").with("nearest_mode", mode)(row, none, scales({2})));
  };
  using Row = std::vector<float>;
  EXPECT_EQ(picked("floor"), (Row{0, 0, 10, 10, 20, 20, 30, 30}));
  EXPECT_EQ(picked("ceil"), (Row{0, 10, 10, 20, 20, 30, 30, 30}));
  EXPECT_EQ(picked("round_prefer_floor"), (Row{0, 0, 10, 10, 20, 20, 30, 30}));
  EXPECT_EQ(picked("round_prefer_ceil"), (Row{0, 10, 10, 20, 20, 30, 30, 30}));
}

TEST(Resize, ScalesThatMeanIntegersGiveThem) {
  // With scale 2/3, position 2 is 3 and not just below.
  const Tensor x = floats({6}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(
      values_of<float>(
          resize("nearest", "asymmetric").with("nearest_mode", "floor")(x, none, none, list({4}))),
      (std::vector<float>{0, 1, 3, 4}));
}

TEST(Resize, CubicMeetsThePointsAndTheirNeighbours) {
  // a = -0.75 at distance 0.5 of the two inner and 1.5 of the two outer points: 0.59375, -0.09375.
  const Tensor y = resize("cubic", "asymmetric")(row, none, scales({2}));
  EXPECT_NEAR(y.data<float>()[2], 10, 1e-6);
  EXPECT_NEAR(y.data<float>()[3], 0.59375 * (10 + 20) - 0.09375 * (0 + 30), 1e-6);
  // At 0.5 the outer left tap lies outside and repeats the edge, or is left out.
  EXPECT_NEAR(y.data<float>()[1], 0.59375 * 10 - 0.09375 * 20, 1e-6);
  const Tensor z = resize("cubic", "asymmetric").with("exclude_outside", 1)(row, none, scales({2}));
  EXPECT_NEAR(z.data<float>()[1], (0.59375 * 10 - 0.09375 * 20) / 1.09375, 1e-5);
}

TEST(Resize, AntialiasWidensTheFilter) {
  // Scale 0.5: a triangle of radius 2 around 0.5 has weights 0.125 0.375 0.375 0.125.
  const Tensor x = floats({6}, {0, 8, 16, 24, 32, 40});
  const Tensor y = resize("linear", "half_pixel").with("antialias", 1)(x, none, scales({0.5F}));
  EXPECT_NEAR(y.data<float>()[1], 20, 1e-5);
  EXPECT_NEAR(y.data<float>()[0], 0.125 * 0 + 0.375 * 0 + 0.375 * 8 + 0.125 * 16, 1e-5);
}

TEST(Resize, CropExtrapolates) {
  const Tensor y =
      resize("linear", "tf_crop_and_resize")
          .with("extrapolation_value", -1.0F)(row, scales({0.5F, 1.5F}), none, list({3}));
  expect_near(y, {15, 30, -1});
}

TEST(Resize, AxesAndAspectRatio) {
  const Tensor x = Tensor(ElementType::f32, {1, 10, 20, 3});
  const auto shape = [&](const char* policy) {
    return *resize("linear", "half_pixel")
                .with("axes", Ints{1, 2})
                .with("keep_aspect_ratio_policy", policy)
                .infer(x, none, none, list({5, 5}))[0]
                .shape;
  };
  EXPECT_EQ(shape("stretch"), (Shape{1, 5, 5, 3}));
  EXPECT_EQ(shape("not_larger"), (Shape{1, 3, 5, 3}));
  EXPECT_EQ(shape("not_smaller"), (Shape{1, 5, 10, 3}));
}

TEST(Resize, OldOperatorSets) {
  expect_near(Op("Resize").at(10).with("mode", "linear")(row, scales({2})),
              {0, 5, 10, 15, 20, 25, 30, 30});
  expect_near(Op("Upsample").at(9)(row, scales({2})), {0, 0, 10, 10, 20, 20, 30, 30});
  expect_near(Op("Upsample").at(7).with("scales", std::vector<float>{2})(row),
              {0, 0, 10, 10, 20, 20, 30, 30});
}

TEST(Resize, NearestMovesAnyType) {
  const Tensor x = Tensor::from<std::int8_t>({2}, std::vector<std::int8_t>{-3, 5});
  EXPECT_EQ(values_of<std::int8_t>(Op("Resize")(x, none, scales({2}))),
            (std::vector<std::int8_t>{-3, -3, 5, 5}));
}

TEST(Resize, RefusesWrongOperands) {
  EXPECT_EQ(
      error_of([] {
        Op("Resize").infer(row, none, scales({1, 2}));
      }),
      "Resize 'n' (opset 18): scales has 2 entries; it must have 1, one per resized axis of the "
      "input [4]");
  EXPECT_EQ(
      error_of([] { Op("Resize").infer(row, none, scales({-1})); }),
      "Resize 'n' (opset 18): the scale -1 of an axis with extent 4 is not usable; scales must "
      "be positive and extents below 2^31");
  EXPECT_EQ(error_of([] { Op("Resize").infer(row, none, scales({2}), list({8})); }),
            "Resize 'n' (opset 18): both scales and sizes are given; it takes one of them");
  EXPECT_EQ(error_of([] { Op("Resize").with("mode", "spline")(row, none, scales({2})); }),
            "Resize 'n' (opset 18): mode is 'spline'; it must be nearest, linear or cubic");
  EXPECT_FALSE(Op("Resize").infer(row)[0].shape.has_value());
}

TEST(ResizeAxes, WeightsSumToOne) {
  Node node;
  node.op = "Resize";
  node.version = 18;
  node.attributes.set("mode", std::string("cubic"));
  const ResizeOperands operands{{}, {}, list({7})};
  const auto extents = resize_extents(node, {5}, operands);
  const ResizeAxis axis = resize_axes(node, {5}, *extents, operands)[0];
  ASSERT_EQ(axis.taps, 4);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    double sum = 0;
    for (std::int64_t k = 0; k < axis.taps; ++k)
      sum += axis.weights[static_cast<std::size_t>(i * axis.taps + k)];
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

}  // namespace
}  // namespace intact

// Convolutions and window geometry against values computed by hand.
#include "evaluate.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

template <class T>
Tensor tensor(Shape shape, std::vector<T> values) {
  return Tensor::from<T>(std::move(shape), values);
}

Tensor ones(Shape shape) {
  Tensor result(ElementType::f32, std::move(shape));
  for (float& x : result.data<float>()) x = 1;
  return result;
}

TEST(Conv, SumsWindowsWithPaddingAndBias) {
  const Tensor x = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Tensor y =
      Op("Conv").with("pads", Ints{1, 1, 0, 0})(x, ones({1, 1, 2, 2}), floats({1}, {10}));
  EXPECT_EQ(y.shape(), (Shape{1, 1, 3, 3}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{11, 13, 15, 15, 22, 26, 21, 34, 38}));
}

TEST(Conv, StridesDilationsAndGroups) {
  // Two groups of one channel; taps two apart, every second position.
  const Tensor x = floats({1, 2, 5}, {1, 2, 3, 4, 5, 10, 20, 30, 40, 50});
  const Tensor w = floats({2, 1, 2}, {1, -1, 2, 1});
  const Tensor y =
      Op("Conv").with("group", 2).with("strides", Ints{2}).with("dilations", Ints{2})(x, w);
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{-2, -2, 50, 110}));
}

TEST(Conv, PointwiseAndThreeAxes) {
  const Tensor x = doubles({1, 2, 1, 1, 2}, {1, 2, 3, 4});
  const Tensor y = Op("Conv")(x, doubles({1, 2, 1, 1, 1}, {10, 1}));
  EXPECT_EQ(values_of<double>(y), (std::vector<double>{13, 24}));
}

TEST(Conv, RoundsOnceFromDouble) {
  // 2^24 + 1 - 2^24: single precision would lose the 1.
  const Tensor x = floats({1, 3, 1}, {16777216, 1, -16777216});
  EXPECT_EQ(values_of<float>(Op("Conv")(x, ones({1, 3, 1}))), std::vector<float>{1});
}

TEST(Conv, SameUpperPutsTheOddPadBehind) {
  const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4});
  const Tensor w = ones({1, 1, 2});
  EXPECT_EQ(values_of<float>(Op("Conv").with("auto_pad", "SAME_UPPER")(x, w)),
            (std::vector<float>{3, 5, 7, 4}));
  EXPECT_EQ(values_of<float>(Op("Conv").with("auto_pad", "SAME_LOWER")(x, w)),
            (std::vector<float>{1, 3, 5, 7}));
  EXPECT_EQ(values_of<float>(Op("Conv").with("auto_pad", "VALID")(x, w)),
            (std::vector<float>{3, 5, 7}));
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const Tensor x = ones({1, 4, 5, 5}), w = ones({2, 4, 3, 3});
  EXPECT_EQ(error_of([&] {
              Op("Conv").infer(x, ones({2, 3, 3, 3}));
            }),
            "Conv 'n' (opset 18): the input [1,4,5,5] has 4 channels, but weights [2,3,3,3] in 1 "
            "group(s) take 3 per group; channels must be their product");
  EXPECT_EQ(error_of([&] {
              Op("Conv").with("strides", Ints{1, 0}).infer(x, w);
            }),
            "Conv 'n' (opset 18): strides contains 0; entries must be at least 1 and below 2^31");
  EXPECT_EQ(error_of([&] {
              Op("Conv").with("pads", Ints{1, 1}).infer(x, w);
            }),
            "Conv 'n' (opset 18): pads has 2 entries; it must have 4 for 2 spatial axes");
  EXPECT_EQ(
      error_of([&] {
        Op("Conv").infer(x, ones({2, 4, 7, 3}));
      }),
      "Conv 'n' (opset 18): along spatial axis 0 the kernel reaches over 7 positions, but the "
      "padded input has 5; the kernel must fit into it");
  EXPECT_EQ(error_of([&] {
              Op("Conv").with("dilations", Ints{1, 1LL << 40}).infer(x, w);
            }),
            "Conv 'n' (opset 18): dilations contains 1099511627776; entries must be at least 1 and "
            "below 2^31");
  EXPECT_EQ(
      error_of([&] {
        Op("Conv").with("kernel_shape", Ints{2, 2}).infer(x, w);
      }),
      "Conv 'n' (opset 18): kernel_shape is [2,2], but the weights have the kernel [3,3]; they "
      "must be equal");
  EXPECT_EQ(error_of([&] { Op("Conv").infer(x, w, ones({3})); }),
            "Conv 'n' (opset 18): the bias has shape [3]; it must be [2]");
  EXPECT_EQ(error_of([&] { Op("Conv").with("auto_pad", "SAME").infer(x, w); }),
            "Conv 'n' (opset 18): auto_pad is 'SAME'; it must be NOTSET, SAME_UPPER, SAME_LOWER or "
            "VALID");
  EXPECT_NE(error_of([&] { Op("Conv").with("group", 0).infer(x, w); }).find("group is 0"),
            std::string::npos);
}

TEST(Conv, RefusesAnOutputBeyond64Bits) {
  const Shape large = {1LL << 31, 1, 1LL << 30, 1LL << 30};
  const TensorType types[] = {{ElementType::f32, large}, {ElementType::f32, Shape{16, 1, 1, 1}}};
  const Tensor unknown[2];
  Node node;
  node.op = "Conv";
  node.version = 18;
  node.inputs = {0, 1};
  EXPECT_NE(error_of([&] {
              definition_of(node).infer({node, types, unknown});
            }).find("64 bits"),
            std::string::npos);
}

TEST(ConvTranspose, ScattersWithStridesAndOutputPadding) {
  const Tensor x = floats({1, 1, 2}, {1, 2}), w = floats({1, 1, 3}, {1, 10, 100});
  EXPECT_EQ(values_of<float>(Op("ConvTranspose").with("strides", Ints{2})(x, w)),
            (std::vector<float>{1, 10, 102, 20, 200}));
  EXPECT_EQ(values_of<float>(Op("ConvTranspose")
                                 .with("strides", Ints{2})
                                 .with("pads", Ints{1, 1})
                                 .with("output_padding", Ints{1})(x, w, floats({1}, {5}))),
            (std::vector<float>{15, 107, 25, 205}));
}

TEST(ConvTranspose, OutputShapeDistributesPads) {
  const Tensor x = floats({1, 1, 2}, {1, 2}), w = floats({1, 1, 3}, {1, 10, 100});
  // The full output 1 10 102 20 200 is cut by 2, one on either side.
  EXPECT_EQ(values_of<float>(
                Op("ConvTranspose").with("strides", Ints{2}).with("output_shape", Ints{3})(x, w)),
            (std::vector<float>{10, 102, 20}));
}

TEST(ConvTranspose, GroupsAndMismatch) {
  const Tensor x = floats({1, 2, 1}, {3, 5}), w = floats({2, 1, 1}, {2, 10});
  EXPECT_EQ(values_of<float>(Op("ConvTranspose").with("group", 2)(x, w)),
            (std::vector<float>{6, 50}));
  EXPECT_NE(error_of([&] {
              Op("ConvTranspose").infer(x, ones({3, 1, 1}));
            }).find("3 in 1 group"),
            std::string::npos);
}

TEST(ConvInteger, PaddingIsTheZeroPoint) {
  const Tensor x = tensor<std::uint8_t>({1, 1, 3}, {11, 12, 13});
  const Tensor w = tensor<std::int8_t>({2, 1, 2}, {1, 2, -3, 5});
  const Tensor zeros = tensor<std::int8_t>({2}, {0, 1});
  const Tensor y =
      Op("ConvInteger").with("pads", Ints{1, 0})(x, w, Tensor::scalar<std::uint8_t>(10), zeros);
  // Steps 0 1 2 3; weights (1 2) and (-4 4).
  EXPECT_EQ(values_of<std::int32_t>(y), (std::vector<std::int32_t>{2, 5, 8, 4, 4, 4}));
}

TEST(ConvInteger, RefusesZeroPointsOfOtherSizes) {
  const Tensor x = tensor<std::uint8_t>({1, 1, 3}, {1, 2, 3});
  const Tensor w = tensor<std::int8_t>({2, 1, 2}, {1, 2, 3, 4});
  EXPECT_EQ(
      error_of([&] {
        Op("ConvInteger")
            .infer(x, w, Tensor::scalar<std::uint8_t>(1), tensor<std::int8_t>({3}, {1, 2, 3}));
      }),
      "ConvInteger 'n' (opset 18): the zero point of the weights (operand 3) has shape [3]; it "
      "must have one element, or 2 for axis 0");
}

TEST(Geometry, CeilModeDropsWindowsThatStartInThePadding) {
  Node node;
  node.op = "MaxPool";
  node.attributes.set("kernel_shape", Ints{2});
  node.attributes.set("strides", Ints{3});
  node.attributes.set("pads", Ints{0, 1});
  node.attributes.set("ceil_mode", std::int64_t{1});
  // Windows start at 0, 3, 6: of an input of 6, the last one would see padding only.
  EXPECT_EQ(pool_geometry(node, {1, 1, 6}).out, Shape{2});
  EXPECT_EQ(pool_geometry(node, {1, 1, 7}).out, Shape{3});
}

}  // namespace
}  // namespace intact

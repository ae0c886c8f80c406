// Operators that move data: values by hand, every spelling of the operator sets, hostile operands.
#include <cstring>
#include <limits>
#include <numeric>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();

/// 0, 1, 2, ... in the shape.
Tensor counting(Shape shape) {
  Tensor tensor(ElementType::s64, std::move(shape));
  std::iota(tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end(), 0);
  return tensor;
}

Ints ints(const Tensor& tensor) {
  return values_of<std::int64_t>(tensor);
}

TEST(Movement, ConcatJoinsAlongAnAxis) {
  const Tensor a = counting({2, 1}), b = counting({2, 2});
  const Tensor joined = Op("Concat").with("axis", -1)(a, b);
  EXPECT_EQ(joined.shape(), (Shape{2, 3}));
  EXPECT_EQ(ints(joined), (Ints{0, 0, 1, 1, 2, 3}));
  EXPECT_THROW(Op("Concat").with("axis", 0)(a, b), Error);
  EXPECT_THROW(Op("Concat")(a, b), Error);
  EXPECT_THROW(Op("Concat").with("axis", 2)(a, b), Error);
}

TEST(Movement, SplitBySizesOrIntoEqualParts) {
  const Tensor x = counting({5});
  const auto by_operand = Op("Split", 2).at(13).all({x, list({2, 3})});
  EXPECT_EQ(ints(by_operand[0]), (Ints{0, 1}));
  EXPECT_EQ(ints(by_operand[1]), (Ints{2, 3, 4}));
  const auto by_attribute = Op("Split", 2).at(11).with("split", Ints{4, 1}).all({x});
  EXPECT_EQ(ints(by_attribute[1]), Ints{4});
  const auto uneven = Op("Split", 2).at(18).with("num_outputs", 2).all({x});
  EXPECT_EQ(ints(uneven[0]), (Ints{0, 1, 2}));
  EXPECT_EQ(ints(uneven[1]), (Ints{3, 4}));
  EXPECT_THROW(Op("Split", 2).at(13).all({x}), Error);
  EXPECT_THROW(Op("Split", 2).at(13).all({x, list({2, 2})}), Error);
  EXPECT_THROW(Op("Split", 2).at(13).all({x, list({-2, 7})}), Error);
}

TEST(Movement, TransposeReversesByDefault) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(ints(Op("Transpose")(x)), (Ints{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(Op("Transpose").with("perm", Ints{2, 0, 1})(counting({2, 3, 4})).shape(),
            (Shape{4, 2, 3}));
  EXPECT_THROW(Op("Transpose").with("perm", Ints{0, 0})(x), Error);
  EXPECT_THROW(Op("Transpose").with("perm", Ints{0})(x), Error);
}

TEST(Movement, MovesElementsOfEveryWidth) {
  for (const ElementType type : {ElementType::u8, ElementType::f16, ElementType::f32,
                                 ElementType::f64, ElementType::boolean, ElementType::s4}) {
    Tensor x(type, {2, 3});
    auto* bytes = static_cast<std::uint8_t*>(x.raw());
    const std::size_t width = element_size(type);
    for (std::size_t i = 0; i < 6; ++i) bytes[i * width] = static_cast<std::uint8_t>(i % 2);
    const Tensor turned = Op("Transpose")(Op("Transpose")(x));
    EXPECT_EQ(turned.type(), type);
    EXPECT_EQ(std::memcmp(turned.raw(), x.raw(), x.bytes()), 0) << element_name(type);
  }
}

TEST(Movement, ExpandBroadcastsBothWays) {
  const Tensor x = counting({3, 1});
  EXPECT_EQ(ints(Op("Expand")(x, list({1, 2}))), (Ints{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(Op("Expand")(x, list({2, 1, 1})).shape(), (Shape{2, 3, 1}));
  EXPECT_THROW(Op("Expand")(x, list({2, 2})), Error);
  EXPECT_THROW(Op("Expand")(x, list({-1, 1})), Error);
}

TEST(Movement, TileRepeatsBlocks) {
  EXPECT_EQ(ints(Op("Tile")(counting({2, 2}), list({1, 2}))), (Ints{0, 1, 0, 1, 2, 3, 2, 3}));
  EXPECT_EQ(ints(Op("Tile")(counting({2}), list({3}))), (Ints{0, 1, 0, 1, 0, 1}));
  EXPECT_THROW(Op("Tile")(counting({2}), list({1, 1})), Error);
  EXPECT_THROW(Op("Tile")(counting({2}), list({far})), Error);
}

TEST(Movement, DepthAndSpace) {
  const Tensor x = counting({1, 8, 1, 1});
  const Tensor depth_first = Op("DepthToSpace").with("blocksize", 2)(x);
  EXPECT_EQ(depth_first.shape(), (Shape{1, 2, 2, 2}));
  EXPECT_EQ(ints(depth_first), (Ints{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(ints(Op("DepthToSpace").with("blocksize", 2).with("mode", "CRD")(x)),
            (Ints{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(ints(Op("SpaceToDepth").with("blocksize", 2)(depth_first)), ints(x));
  EXPECT_THROW(Op("DepthToSpace").with("blocksize", 3)(x), Error);
  EXPECT_THROW(Op("DepthToSpace")(x), Error);
}

TEST(Movement, ReshapeResolvesZeroAndMinusOne) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_EQ(Op("Reshape")(x, list({0, -1})).shape(), (Shape{2, 12}));
  EXPECT_EQ(Op("Reshape")(x, list({4, -1, 2})).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(Op("Reshape").with("allowzero", 1)(counting({0, 3}), list({3, 0})).shape(),
            (Shape{3, 0}));
  EXPECT_EQ(Op("Reshape")(counting({0, 3}), list({0, 3})).shape(), (Shape{0, 3}));
  const auto refused = [&](Ints shape) {
    return error_of([&] { Op("Reshape")(x, list(std::move(shape))); });
  };
  EXPECT_NE(refused({5, 5}).find("[2,3,4] cannot be reshaped to [5,5]"), std::string::npos);
  EXPECT_NE(refused({-1, -1}).find("more than one -1"), std::string::npos);
  EXPECT_NE(refused({5, -1}).find("cannot be reshaped"), std::string::npos);
  EXPECT_NE(refused({-2, 12}).find("cannot be reshaped"), std::string::npos);
  EXPECT_NE(refused({1, 1, 1, 0}).find("cannot be reshaped"), std::string::npos);
  EXPECT_NE(refused({far, far}).find("cannot be reshaped"), std::string::npos);
}

TEST(Movement, FlattenCutsAtAnAxis) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_EQ(Op("Flatten")(x).shape(), (Shape{2, 12}));
  EXPECT_EQ(Op("Flatten").with("axis", 0)(x).shape(), (Shape{1, 24}));
  EXPECT_EQ(Op("Flatten").with("axis", -1)(x).shape(), (Shape{6, 4}));
  EXPECT_EQ(Op("Flatten").with("axis", 3)(x).shape(), (Shape{24, 1}));
  EXPECT_THROW(Op("Flatten").with("axis", 4)(x), Error);
}

TEST(Movement, SqueezeTakesAxesAsAttributeThenAsOperand) {
  const Tensor x = counting({1, 3, 1, 5});
  EXPECT_EQ(Op("Squeeze").at(11)(x).shape(), (Shape{3, 5}));
  EXPECT_EQ(Op("Squeeze").at(11).with("axes", Ints{0})(x).shape(), (Shape{3, 1, 5}));
  EXPECT_EQ(Op("Squeeze").at(13)(x, list({-2})).shape(), (Shape{1, 3, 5}));
  EXPECT_THROW(Op("Squeeze").at(13)(x, list({1})), Error);
  EXPECT_THROW(Op("Squeeze").at(13)(x, list({0, 0})), Error);
}

TEST(Movement, UnsqueezeTakesAxesAsAttributeThenAsOperand) {
  const Tensor x = counting({3, 5});
  EXPECT_EQ(Op("Unsqueeze").at(11).with("axes", Ints{0, 3})(x).shape(), (Shape{1, 3, 5, 1}));
  EXPECT_EQ(Op("Unsqueeze").at(13)(x, list({-1, 1})).shape(), (Shape{3, 1, 5, 1}));
  EXPECT_THROW(Op("Unsqueeze").at(13)(x, list({4})), Error);
  EXPECT_THROW(Op("Unsqueeze").at(13)(x), Error);
  EXPECT_THROW(Op("Unsqueeze").at(13)(x, counting({1000})), Error);
}

TEST(Movement, SliceClampsBounds) {
  const Tensor x = counting({6});
  const auto slice = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
    return ints(Op("Slice")(x, list({start}), list({end}), list({0}), list({step})));
  };
  EXPECT_EQ(slice(1, 4, 1), (Ints{1, 2, 3}));
  EXPECT_EQ(slice(-2, far, 1), (Ints{4, 5}));
  EXPECT_EQ(slice(0, far, far), Ints{0});
  EXPECT_EQ(slice(4, 1, 1), Ints{});
  EXPECT_EQ(slice(far, -far - 1, -1), (Ints{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(5, 0, -2), (Ints{5, 3, 1}));
  EXPECT_EQ(slice(-1, -far - 1, -far - 1), Ints{5});
  EXPECT_THROW(slice(0, 1, 0), Error);
}

TEST(Movement, SliceTakesAttributesThenOperands) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(
      ints(
          Op("Slice").at(9).with("starts", Ints{1}).with("ends", Ints{3}).with("axes", Ints{1})(x)),
      (Ints{1, 2, 4, 5}));
  EXPECT_EQ(ints(Op("Slice").at(9).with("starts", Ints{1, 0}).with("ends", Ints{2, 2})(x)),
            (Ints{3, 4}));
  EXPECT_EQ(ints(Op("Slice").at(13)(x, list({1}), list({2}))), (Ints{3, 4, 5}));
  EXPECT_THROW(Op("Slice").at(13)(x, list({1}), list({2, 3})), Error);
  EXPECT_THROW(Op("Slice").at(13)(x, list({0, 0}), list({1, 1}), list({1, -1})), Error);
  EXPECT_THROW(Op("Slice").at(13)(x), Error);
}

TEST(Movement, PadModes) {
  const Tensor x = counting({3});
  const Tensor pads = list({2, 2});
  const auto pad = [&](const char* mode) { return ints(Op("Pad").with("mode", mode)(x, pads)); };
  EXPECT_EQ(pad("constant"), (Ints{0, 0, 0, 1, 2, 0, 0}));
  EXPECT_EQ(pad("edge"), (Ints{0, 0, 0, 1, 2, 2, 2}));
  EXPECT_EQ(pad("reflect"), (Ints{2, 1, 0, 1, 2, 1, 0}));
  EXPECT_EQ(pad("wrap"), (Ints{1, 2, 0, 1, 2, 0, 1}));
  EXPECT_THROW(pad("mirror"), Error);
}

TEST(Movement, PadTakesAttributesThenOperandsThenAxes) {
  const Tensor x = floats({1, 2}, {1, 2});
  using Floats = std::vector<float>;
  EXPECT_EQ(
      values_of<float>(Op("Pad").at(10).with("pads", Ints{0, 1, 0, 0}).with("value", 9.0f)(x)),
      (Floats{9, 1, 2}));
  EXPECT_EQ(values_of<float>(Op("Pad").at(13)(x, list({0, 1, 0, 0}), floats({}, {9}))),
            (Floats{9, 1, 2}));
  EXPECT_EQ(values_of<float>(Op("Pad").at(18)(x, list({0, 2}), Tensor{}, list({-1}))),
            (Floats{1, 2, 0, 0}));
  EXPECT_EQ(values_of<float>(Op("Pad").at(13)(x, list({0, -1, 0, 1}))), (Floats{2, 0}));
}

TEST(Movement, HostilePadsAreRefusedBeforeAllocation) {
  const Tensor x = counting({2});
  EXPECT_THROW(Op("Pad")(x, list({far, far})), Error);
  EXPECT_THROW(Op("Pad")(x, list({-3, 0})), Error);
  EXPECT_THROW(Op("Pad")(x, list({1})), Error);
  EXPECT_NE(error_of([&] { Op("Pad")(x, list({far / 64, 0})); }).find("memory"), std::string::npos);
  EXPECT_THROW(Op("Expand")(x, list({far / 64, 2})), Error);
}

TEST(Movement, GatherAlongAnAxis) {
  const Tensor x = counting({2, 3});
  const Tensor picked = Op("Gather").with("axis", 1)(x, int64s({2, 1}, {-1, 0}));
  EXPECT_EQ(picked.shape(), (Shape{2, 2, 1}));
  EXPECT_EQ(ints(picked), (Ints{2, 0, 5, 3}));
  EXPECT_EQ(Op("Gather")(x, int64s({}, {1})).shape(), Shape{3});
  const std::string text = error_of([&] { Op("Gather")(x, list({2})); });
  EXPECT_NE(text.find("index 2 is out of range for an axis of 2 elements"), std::string::npos);
  EXPECT_THROW(Op("Gather")(x, floats({1}, {0})), Error);
}

TEST(Movement, GatherElementsAndScatterElements) {
  const Tensor x = counting({2, 2});
  const Tensor indices = int64s({2, 2}, {0, 0, -1, 0});
  EXPECT_EQ(ints(Op("GatherElements").with("axis", 1)(x, indices)), (Ints{0, 0, 3, 2}));
  EXPECT_EQ(
      ints(
          Op("ScatterElements").with("axis", 1)(x, int64s({2, 1}, {1, 0}), int64s({2, 1}, {8, 9}))),
      (Ints{0, 8, 9, 3}));
  EXPECT_EQ(ints(Op("ScatterElements")
                     .with("reduction", "add")(x, int64s({2, 1}, {0, 0}), int64s({2, 1}, {5, 6}))),
            (Ints{11, 1, 2, 3}));
  EXPECT_THROW(Op("GatherElements")(x, int64s({1, 3}, {0, 0, 0})), Error);
  EXPECT_THROW(Op("ScatterElements")(x, int64s({1, 1}, {0}), int64s({1, 2}, {0, 0})), Error);
  EXPECT_THROW(Op("ScatterElements")(x, int64s({1, 1}, {7}), int64s({1, 1}, {0})), Error);
}

TEST(Movement, GatherNdAndScatterNd) {
  const Tensor x = counting({2, 2, 2});
  EXPECT_EQ(ints(Op("GatherND")(x, int64s({2, 2}, {0, 1, 1, 0}))), (Ints{2, 3, 4, 5}));
  EXPECT_EQ(ints(Op("GatherND").with("batch_dims", 1)(x, int64s({2, 1}, {1, 0}))),
            (Ints{2, 3, 4, 5}));
  EXPECT_EQ(ints(Op("ScatterND")(counting({4}), int64s({2, 1}, {3, -4}), list({8, 9}))),
            (Ints{9, 1, 2, 8}));
  EXPECT_EQ(
      ints(Op("ScatterND")
               .with("reduction", "max")(counting({2}), int64s({2, 1}, {0, 0}), list({-5, 7}))),
      (Ints{7, 1}));
  EXPECT_THROW(Op("GatherND")(x, int64s({1, 4}, {0, 0, 0, 0})), Error);
  EXPECT_THROW(Op("GatherND")(x, int64s({1, 1}, {2})), Error);
  EXPECT_THROW(Op("ScatterND")(x, int64s({1, 1}, {0}), list({1})), Error);
}

TEST(Movement, TensorScatterWritesRows) {
  const Tensor cache = counting({2, 3, 1}), rows = int64s({2, 2, 1}, {7, 8, 9, 10});
  EXPECT_EQ(ints(Op("TensorScatter").at(24)(cache, rows)),
            (std::vector<std::int64_t>{7, 8, 2, 9, 10, 5}));
  EXPECT_EQ(ints(Op("TensorScatter").at(24)(cache, rows, list({1, 0}))),
            (std::vector<std::int64_t>{0, 7, 8, 9, 10, 5}));
  EXPECT_EQ(ints(Op("TensorScatter").at(24).with("mode", "circular")(cache, rows, list({2, 4}))),
            (std::vector<std::int64_t>{8, 1, 7, 3, 9, 10}));
  const auto refusal = [&](Op op, const Tensor& update, const Tensor& at) {
    return error_of([&] { op.at(24)(cache, update, at); });
  };
  EXPECT_NE(refusal(Op("TensorScatter"), rows, list({2, 0}))
                .find("write index 2 is out of range for 2 rows in a cache of 3"),
            std::string::npos);
  EXPECT_NE(refusal(Op("TensorScatter"), int64s({2, 1, 2}, {1, 2, 3, 4}), list({0, 0}))
                .find("only the extent of axis 1 may be smaller"),
            std::string::npos);
  EXPECT_NE(refusal(Op("TensorScatter").with("axis", 0), rows, list({0, 0}))
                .find("the rows lie along axis 0, which is that of the batch"),
            std::string::npos);
  EXPECT_NE(refusal(Op("TensorScatter").with("mode", "ring"), rows, list({0, 0}))
                .find("the attribute mode is 'ring'; it must be linear or circular"),
            std::string::npos);
}

}  // namespace
}  // namespace intact

// Operators that move data: values by hand, every spelling of the operator sets.
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

}  // namespace
}  // namespace intact

// Operators about shapes, and operators that make tensors: values by hand.
#include <limits>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

Ints ints(const Tensor& tensor) {
  return values_of<std::int64_t>(tensor);
}

TEST(ShapeOperators, ShapeTakesARangeOfAxes) {
  const Tensor x(ElementType::f32, {2, 3, 4});
  EXPECT_EQ(ints(Op("Shape")(x)), (Ints{2, 3, 4}));
  EXPECT_EQ(ints(Op("Shape").with("start", 1)(x)), (Ints{3, 4}));
  EXPECT_EQ(ints(Op("Shape").with("start", -3).with("end", -1)(x)), (Ints{2, 3}));
  EXPECT_EQ(ints(Op("Shape").with("start", 9)(x)), Ints{});
  EXPECT_EQ(ints(Op("Size")(x)), Ints{24});
}

TEST(ShapeOperators, ConstantOfEachAttribute) {
  EXPECT_EQ(ints(Op("Constant").with("value", list({7}))()), Ints{7});
  EXPECT_EQ(values_of<float>(Op("Constant").with("value_float", 2.5f)()), Floats{2.5f});
  EXPECT_EQ(Op("Constant").with("value_int", 3)().shape(), Shape{});
  EXPECT_EQ(values_of<float>(Op("Constant").with("value_floats", Floats{1, 2})()), (Floats{1, 2}));
  EXPECT_EQ(ints(Op("Constant").with("value_ints", Ints{4, 5})()), (Ints{4, 5}));
  EXPECT_THROW(Op("Constant").with("value_string", "a")(), Unsupported);
}

TEST(ShapeOperators, ConstantOfShapeFills) {
  EXPECT_EQ(values_of<float>(Op("ConstantOfShape")(list({2}))), (Floats{0, 0}));
  EXPECT_EQ(ints(Op("ConstantOfShape").with("value", list({6}))(list({2, 1}))), (Ints{6, 6}));
  EXPECT_EQ(Op("ConstantOfShape")(list({})).shape(), Shape{});
  EXPECT_EQ(Op("ConstantOfShape")(list({0, 3})).size(), 0);
  EXPECT_THROW(Op("ConstantOfShape")(list({-1})), Error);
  EXPECT_THROW(Op("ConstantOfShape")(list({1 << 30, 1 << 30})), Error);
  EXPECT_THROW(Op("ConstantOfShape")(list({1LL << 40, 1LL << 40})), Error);
}

TEST(ShapeOperators, RangeCountsTowardsTheLimit) {
  const auto range = [](std::int64_t start, std::int64_t limit, std::int64_t delta) {
    return ints(Op("Range")(int64s({}, {start}), int64s({}, {limit}), int64s({}, {delta})));
  };
  EXPECT_EQ(range(1, 6, 2), (Ints{1, 3, 5}));
  EXPECT_EQ(range(3, 0, -2), (Ints{3, 1}));
  EXPECT_EQ(range(3, 0, 1), Ints{});
  EXPECT_THROW(range(0, 5, 0), Error);
  EXPECT_THROW(range(0, std::numeric_limits<std::int64_t>::max(), 1), Error);
  EXPECT_EQ(values_of<float>(Op("Range")(floats({}, {0}), floats({}, {1}), floats({}, {0.25f}))),
            (Floats{0, 0.25f, 0.5f, 0.75f}));
}

TEST(ShapeOperators, EyeLikeAndTrilu) {
  const Tensor x = int64s({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(ints(Op("EyeLike")(x)), (Ints{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(values_of<float>(Op("EyeLike").with("k", 1).with("dtype", 1)(x)),
            (Floats{0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(ints(Op("Trilu")(x)), (Ints{1, 2, 3, 0, 5, 6}));
  EXPECT_EQ(ints(Op("Trilu").with("upper", 0)(x, int64s({}, {1}))), (Ints{1, 2, 0, 4, 5, 6}));
  EXPECT_THROW(Op("EyeLike")(list({1})), Error);
  EXPECT_THROW(Op("Trilu")(list({1})), Error);
}

TEST(ShapeOperators, OneHotAtAnyAxis) {
  const Tensor indices = list({1, -1, 5}), depth = int64s({}, {3}), values = floats({2}, {0, 9});
  const Tensor last = Op("OneHot")(indices, depth, values);
  EXPECT_EQ(last.shape(), (Shape{3, 3}));
  EXPECT_EQ(values_of<float>(last), (Floats{0, 9, 0, 0, 0, 9, 0, 0, 0}));
  EXPECT_EQ(values_of<float>(Op("OneHot").with("axis", 0)(indices, depth, values)),
            (Floats{0, 0, 0, 9, 0, 0, 0, 9, 0}));
  EXPECT_THROW(Op("OneHot")(indices, int64s({}, {0}), values), Error);
  EXPECT_THROW(Op("OneHot")(indices, depth, floats({1}, {0})), Error);
}

}  // namespace
}  // namespace intact

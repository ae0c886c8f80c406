// Operators that depend on the order of elements: values by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

Ints ints(const Tensor& tensor) {
  return values_of<std::int64_t>(tensor);
}

TEST(Order, TopKKeepsTheOrderOfEqualElements) {
  const Tensor x = floats({1, 5}, {3, 1, 3, 2, 1});
  const auto top = Op("TopK", 2).all({x, list({3})});
  EXPECT_EQ(values_of<float>(top[0]), (Floats{3, 3, 2}));
  EXPECT_EQ(ints(top[1]), (Ints{0, 2, 3}));
  const auto low = Op("TopK", 2).with("largest", 0).all({x, list({2})});
  EXPECT_EQ(ints(low[1]), (Ints{1, 4}));
  EXPECT_EQ(ints(Op("TopK", 2).at(9).with("k", 1).all({x})[1]), Ints{0});
  const auto rows = Op("TopK", 2).with("axis", 0).all({floats({2, 2}, {1, 4, 3, 2}), list({1})});
  EXPECT_EQ(values_of<float>(rows[0]), (Floats{3, 4}));
  EXPECT_THROW(Op("TopK", 2).all({x, list({6})}), Error);
  EXPECT_THROW(Op("TopK", 2).all({x, list({-1})}), Error);
}

TEST(Order, CumSumInBothDirections) {
  const Tensor x = floats({4}, {1, 2, 3, 4}), axis = int64s({}, {0});
  EXPECT_EQ(values_of<float>(Op("CumSum")(x, axis)), (Floats{1, 3, 6, 10}));
  EXPECT_EQ(values_of<float>(Op("CumSum").with("exclusive", 1)(x, axis)), (Floats{0, 1, 3, 6}));
  EXPECT_EQ(values_of<float>(Op("CumSum").with("reverse", 1)(x, axis)), (Floats{10, 9, 7, 4}));
  EXPECT_EQ(ints(Op("CumSum")(int64s({2, 2}, {1, 2, 3, 4}), int64s({}, {-2}))), (Ints{1, 2, 4, 6}));
  EXPECT_THROW(Op("CumSum")(x, int64s({}, {1})), Error);
}

TEST(Order, NonZeroListsIndicesByAxis) {
  const Tensor x = floats({2, 2}, {0, 5, 6, 0});
  EXPECT_EQ(Op("NonZero")(x).shape(), (Shape{2, 2}));
  EXPECT_EQ(ints(Op("NonZero")(x)), (Ints{0, 1, 1, 0}));
  EXPECT_EQ(Op("NonZero")(floats({2}, {0, 0})).shape(), (Shape{1, 0}));
}

TEST(Order, CompressKeepsChosenSlices) {
  const Tensor x = int64s({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(ints(Op("Compress").with("axis", 1)(x, booleans({3}, {true, false, true}))),
            (Ints{1, 3, 4, 6}));
  EXPECT_EQ(ints(Op("Compress")(x, booleans({4}, {false, true, false, true}))), (Ints{2, 4}));
  EXPECT_THROW(Op("Compress").with("axis", 0)(x, booleans({3}, {true, true, true})), Error);
}

TEST(Order, ReverseSequenceReversesEachLength) {
  const Tensor x = int64s({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(ints(Op("ReverseSequence")(x, list({3, 2}))), (Ints{5, 4, 3, 2, 1, 6}));
  EXPECT_THROW(Op("ReverseSequence")(x, list({4, 2})), Error);
  EXPECT_THROW(Op("ReverseSequence")(x, list({1})), Error);
}

}  // namespace
}  // namespace intact

// Gathering and scattering: values by hand.
#include <numeric>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

/// 0, 1, 2, ... in the shape.
Tensor counting(Shape shape) {
  Tensor tensor(ElementType::s64, std::move(shape));
  std::iota(tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end(), 0);
  return tensor;
}

Ints ints(const Tensor& tensor) {
  return values_of<std::int64_t>(tensor);
}

TEST(Gather, GatherAlongAnAxis) {
  const Tensor x = counting({2, 3});
  const Tensor picked = Op("Gather").with("axis", 1)(x, int64s({2, 1}, {-1, 0}));
  EXPECT_EQ(picked.shape(), (Shape{2, 2, 1}));
  EXPECT_EQ(ints(picked), (Ints{2, 0, 5, 3}));
  EXPECT_EQ(Op("Gather")(x, int64s({}, {1})).shape(), Shape{3});
  const std::string text = error_of([&] { Op("Gather")(x, list({2})); });
  EXPECT_NE(text.find("index 2 is out of range for an axis of 2 elements"), std::string::npos);
  EXPECT_THROW(Op("Gather")(x, floats({1}, {0})), Error);
}

TEST(Gather, GatherElementsAndScatterElements) {
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

TEST(Gather, GatherNdAndScatterNd) {
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

}  // namespace
}  // namespace intact

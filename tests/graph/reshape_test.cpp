// Operators that give a tensor another shape: values by hand, every spelling of the operator sets.
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

TEST(Reshape, ReshapeResolvesZeroAndMinusOne) {
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

TEST(Reshape, FlattenCutsAtAnAxis) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_EQ(Op("Flatten")(x).shape(), (Shape{2, 12}));
  EXPECT_EQ(Op("Flatten").with("axis", 0)(x).shape(), (Shape{1, 24}));
  EXPECT_EQ(Op("Flatten").with("axis", -1)(x).shape(), (Shape{6, 4}));
  EXPECT_EQ(Op("Flatten").with("axis", 3)(x).shape(), (Shape{24, 1}));
  EXPECT_THROW(Op("Flatten").with("axis", 4)(x), Error);
}

TEST(Reshape, SqueezeTakesAxesAsAttributeThenAsOperand) {
  const Tensor x = counting({1, 3, 1, 5});
  EXPECT_EQ(Op("Squeeze").at(11)(x).shape(), (Shape{3, 5}));
  EXPECT_EQ(Op("Squeeze").at(11).with("axes", Ints{0})(x).shape(), (Shape{3, 1, 5}));
  EXPECT_EQ(Op("Squeeze").at(13)(x, list({-2})).shape(), (Shape{1, 3, 5}));
  EXPECT_THROW(Op("Squeeze").at(13)(x, list({1})), Error);
  EXPECT_THROW(Op("Squeeze").at(13)(x, list({0, 0})), Error);
}

TEST(Reshape, UnsqueezeTakesAxesAsAttributeThenAsOperand) {
  const Tensor x = counting({3, 5});
  EXPECT_EQ(Op("Unsqueeze").at(11).with("axes", Ints{0, 3})(x).shape(), (Shape{1, 3, 5, 1}));
  EXPECT_EQ(Op("Unsqueeze").at(13)(x, list({-1, 1})).shape(), (Shape{3, 1, 5, 1}));
  EXPECT_THROW(Op("Unsqueeze").at(13)(x, list({4})), Error);
  EXPECT_THROW(Op("Unsqueeze").at(13)(x), Error);
  EXPECT_THROW(Op("Unsqueeze").at(13)(x, counting({1000})), Error);
}

}  // namespace
}  // namespace intact

// Einsum: values by hand, and equations that do not fit.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;

Tensor einsum(const char* equation, const std::vector<Tensor>& operands) {
  return Op("Einsum").with("equation", equation).all(operands)[0];
}

TEST(Einsum, ExplicitAndImplicitForms) {
  const Tensor a = floats({2, 2}, {1, 2, 3, 4}), b = floats({2, 2}, {5, 6, 7, 8});
  EXPECT_EQ(values_of<float>(einsum("ij, jk -> ik", {a, b})), (Floats{19, 22, 43, 50}));
  EXPECT_EQ(values_of<float>(einsum("ij,jk", {a, b})), (Floats{19, 22, 43, 50}));
  EXPECT_EQ(values_of<float>(einsum("ji", {a})), (Floats{1, 3, 2, 4}));
  EXPECT_EQ(values_of<float>(einsum("ii", {a})), Floats{5});
  EXPECT_EQ(values_of<float>(einsum("ii->i", {a})), (Floats{1, 4}));
  EXPECT_EQ(values_of<std::int64_t>(einsum("i,i->", {list({1, -2}), list({3, 4})})), Ints{-5});
}

TEST(Einsum, EllipsisBroadcasts) {
  const Tensor batch = floats({2, 1, 2}, {1, 2, 3, 4}), b = floats({2, 2}, {5, 6, 7, 8});
  const Tensor product = einsum("...ij,...jk->...ik", {batch, b});
  EXPECT_EQ(product.shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(values_of<float>(product), (Floats{19, 22, 43, 50}));
}

TEST(Einsum, RefusesWhatDoesNotFit) {
  const Tensor a = floats({2, 2}, {1, 2, 3, 4}), c = floats({3}, {1, 2, 3});
  EXPECT_THROW(einsum("ij,j->i", {a, c}), Error);
  EXPECT_THROW(einsum("ij->i", {a, c}), Error);
  EXPECT_THROW(einsum("ijk->i", {a}), Error);
  EXPECT_THROW(einsum("ij->k", {a}), Error);
  EXPECT_THROW(einsum("ij->ii", {a}), Error);
  EXPECT_THROW(einsum("i?->i", {a}), Error);
  EXPECT_THROW(einsum("", {a}), Error);
}

}  // namespace
}  // namespace intact

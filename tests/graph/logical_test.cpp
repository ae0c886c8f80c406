// Comparisons, logic and shifts: values by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Bools = std::vector<bool>;

template <class T>
Tensor vec(std::vector<T> values) {
  return Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(Logical, ComparisonsAndLogicGiveBooleans) {
  const Tensor a = list({1, 2, 3}), b = list({3, 2, 1});
  EXPECT_EQ(values_of<bool>(Op("Equal")(a, b)), (Bools{false, true, false}));
  EXPECT_EQ(values_of<bool>(Op("Greater")(a, b)), (Bools{false, false, true}));
  EXPECT_EQ(values_of<bool>(Op("GreaterOrEqual")(a, b)), (Bools{false, true, true}));
  EXPECT_EQ(values_of<bool>(Op("Less")(a, b)), (Bools{true, false, false}));
  EXPECT_EQ(values_of<bool>(Op("LessOrEqual")(a, b)), (Bools{true, true, false}));
  const Tensor p = booleans({4}, {true, true, false, false});
  const Tensor q = booleans({4}, {true, false, true, false});
  EXPECT_EQ(values_of<bool>(Op("And")(p, q)), (Bools{true, false, false, false}));
  EXPECT_EQ(values_of<bool>(Op("Or")(p, q)), (Bools{true, true, true, false}));
  EXPECT_EQ(values_of<bool>(Op("Xor")(p, q)), (Bools{false, true, true, false}));
  EXPECT_EQ(values_of<bool>(Op("Not")(p)), (Bools{false, false, true, true}));
  EXPECT_THROW(Op("And")(a, b), Error);
}

TEST(Logical, ShiftsByTheWidthGiveZero) {
  const Tensor x = vec<std::uint8_t>({16, 4, 255}), n = vec<std::uint8_t>({1, 2, 8});
  EXPECT_EQ(values_of<std::uint8_t>(Op("BitShift").with("direction", "RIGHT")(x, n)),
            (std::vector<std::uint8_t>{8, 1, 0}));
  EXPECT_EQ(values_of<std::uint8_t>(Op("BitShift").with("direction", "LEFT")(x, n)),
            (std::vector<std::uint8_t>{32, 16, 0}));
  EXPECT_THROW(Op("BitShift")(x, n), Error);
  EXPECT_EQ(values_of<std::uint8_t>(Op("BitwiseXor")(x, n)),
            (std::vector<std::uint8_t>{17, 6, 247}));
}

}  // namespace
}  // namespace intact

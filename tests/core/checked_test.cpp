// Arithmetic on sizes from files.
#include "core/checked.hpp"

#include <gtest/gtest.h>

namespace intact {
namespace {

constexpr std::int64_t greatest = std::numeric_limits<std::int64_t>::max();

TEST(Checked, CountsStayAtTheGreatestNumber) {
  EXPECT_EQ(saturating_sum(greatest - 1, 1), greatest);
  EXPECT_EQ(saturating_sum(greatest, 5), greatest);
  EXPECT_EQ(saturating_product({3, 5, 7}), 105);
  EXPECT_EQ(saturating_product({greatest, 2, 3}), greatest);
  EXPECT_EQ(saturating_product({greatest, 2, 0}), 0);
  EXPECT_EQ(saturating_product({}), 1);
}

}  // namespace
}  // namespace intact

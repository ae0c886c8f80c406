// AffineGrid: values by hand, and operands that do not fit.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;

TEST(AffineGrid, PlacesPoints) {
  // Twice as wide, and one to the right.
  const Tensor theta = floats({1, 2, 3}, {2, 0, 1, 0, 1, 0});
  const Tensor size = list({1, 1, 1, 2});
  EXPECT_EQ(values_of<float>(Op("AffineGrid")(theta, size)), (Floats{0, 0, 2, 0}));
  EXPECT_EQ(values_of<float>(Op("AffineGrid").with("align_corners", 1)(theta, size)),
            (Floats{-1, -1, 3, -1}));
  // In three dimensions the axes come as x, y, z.
  const Tensor swapped = floats({1, 3, 4}, {0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0});
  EXPECT_EQ(values_of<float>(Op("AffineGrid")(swapped, list({1, 1, 1, 1, 2}))),
            (Floats{0, 0, -0.5f, 0, 0, 0.5f}));
}

TEST(AffineGrid, Refusals) {
  const Tensor theta = floats({1, 2, 3}, {2, 0, 1, 0, 1, 0});
  EXPECT_NE(error_of([&] {
              Op("AffineGrid")(theta, list({1, 1, 2}));
            }).find("size has 3 entries; it must have 4 (N, C, H, W) or 5 (N, C, D, H, W)"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              Op("AffineGrid")(theta, list({2, 1, 2, 2}));
            }).find("theta has shape [1,2,3]; for this size it must be [2,2,3]"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              Op("AffineGrid")(theta, list({1, 1, 0, 2}));
            }).find("extents must be positive"),
            std::string::npos);
}

}  // namespace
}  // namespace intact

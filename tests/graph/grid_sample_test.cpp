// GridSample: values by hand, and points that are not finite.
#include <cmath>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;

TEST(GridSample, ReadsBetweenAndOutside) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor points = floats({1, 1, 3, 2}, {0, 0, -1, -1, 3, -1});
  const auto read = [&](const char* padding, int align) {
    return values_of<float>(
        Op("GridSample").with("padding_mode", padding).with("align_corners", align)(x, points));
  };
  EXPECT_EQ(read("zeros", 1), (Floats{2.5f, 1, 0}));
  EXPECT_EQ(read("border", 1), (Floats{2.5f, 1, 2}));
  EXPECT_EQ(read("reflection", 1), (Floats{2.5f, 1, 1}));
  EXPECT_EQ(read("zeros", 0), (Floats{2.5f, 0.25f, 0}));
  EXPECT_THROW(read("wrap", 0), Error);
  EXPECT_THROW(Op("GridSample")(x, floats({1, 1, 1, 3}, {0, 0, 0})), Error);
}

TEST(GridSample, SurvivesPointsThatAreNotFinite) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor points = floats({1, 1, 2, 2}, {NAN, INFINITY, -1e30f, 1e30f});
  for (const char* mode : {"bilinear", "nearest", "bicubic"})
    for (const char* padding : {"zeros", "border", "reflection"})
      EXPECT_NO_THROW(Op("GridSample").with("mode", mode).with("padding_mode", padding)(x, points));
}

}  // namespace
}  // namespace intact

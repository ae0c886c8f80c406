// Col2Im against values computed by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;

TEST(Col2Im, AddsBlocksUp) {
  // Two blocks of 1x2 in an image of 1x3 share the middle.
  const Tensor columns = floats({1, 2, 2}, {1, 2, 3, 4});
  const Tensor image = int64s({2}, {1, 3}), block = int64s({2}, {1, 2});
  const Tensor y = Op("Col2Im")(columns, image, block);
  EXPECT_EQ(y.shape(), (Shape{1, 1, 1, 3}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{1, 5, 4}));
  // Strides, dilations and padding: taps at -1 and 1, and at 1 and 3.
  const auto spread =
      Op("Col2Im")
          .with("strides", std::vector<std::int64_t>{1, 2})
          .with("dilations", std::vector<std::int64_t>{1, 2})
          .with("pads", std::vector<std::int64_t>{0, 1, 0, 1})(columns, image, block);
  EXPECT_EQ(values_of<float>(spread), (std::vector<float>{0, 5, 0}));
  EXPECT_NE(error_of([&] {
              Op("Col2Im")(columns, int64s({2}, {1, 4}), block);
            }).find("an image of [1,4] has 3 blocks of [1,2]"),
            std::string::npos);
}

}  // namespace
}  // namespace intact

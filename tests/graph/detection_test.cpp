// NonMaxSuppression and RoiAlign: values by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;

TEST(Detection, SuppressesOverlappingBoxes) {
  const Tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 5, 5, 6, 6});
  const Tensor scores = floats({1, 1, 3}, {0.8f, 0.9f, 0.3f});
  const auto kept = [&](std::int64_t most, float overlap, float score) {
    return values_of<std::int64_t>(Op("NonMaxSuppression")(
        boxes, scores, int64s({}, {most}), floats({}, {overlap}), floats({}, {score})));
  };
  EXPECT_EQ(kept(3, 0.5f, 0), (Ints{0, 0, 1, 0, 0, 2}));
  EXPECT_EQ(kept(3, 0.9f, 0), (Ints{0, 0, 1, 0, 0, 0, 0, 0, 2}));
  EXPECT_EQ(kept(1, 0.5f, 0), (Ints{0, 0, 1}));
  EXPECT_EQ(kept(3, 0.5f, 0.5f), (Ints{0, 0, 1}));
  EXPECT_EQ(kept(0, 0.5f, 0), Ints{});
  EXPECT_THROW(Op("NonMaxSuppression")(boxes, floats({1, 1, 2}, {0, 0})), Error);
}

TEST(Detection, RoiAlignAveragesSamples) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor whole = floats({1, 4}, {0, 0, 1, 1});
  EXPECT_EQ(values_of<float>(Op("RoiAlign")
                                 .with("coordinate_transformation_mode", "output_half_pixel")(
                                     x, whole, list({0}))),
            Floats{2.5f});
  EXPECT_EQ(values_of<float>(Op("RoiAlign")(x, floats({1, 4}, {0, 0, 2, 2}), list({0}))),
            Floats{2.5f});
  EXPECT_THROW(Op("RoiAlign")(x, whole, list({1})), Error);
  EXPECT_THROW(Op("RoiAlign").with("output_height", 0)(x, whole, list({0})), Error);
}

}  // namespace
}  // namespace intact

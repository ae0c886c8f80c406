// Einsum, losses, detection and GridSample: values by hand, and operands that do not fit.
#include <cmath>

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

TEST(Loss, NegativeLogLikelihood) {
  const Tensor scores = floats({2, 2}, {-1, -2, -3, -4}), labels = list({1, 0});
  const auto loss = [&](const char* mode) {
    return Op("NegativeLogLikelihoodLoss").with("reduction", mode);
  };
  EXPECT_EQ(values_of<float>(loss("none")(scores, labels)), (Floats{2, 3}));
  EXPECT_EQ(values_of<float>(loss("sum")(scores, labels)), Floats{5});
  EXPECT_EQ(values_of<float>(loss("mean")(scores, labels, floats({2}, {1, 3}))), Floats{9.0f / 4});
  EXPECT_EQ(values_of<float>(loss("mean").with("ignore_index", 1)(scores, labels)), Floats{3});
  EXPECT_THROW(loss("mean")(scores, list({2, 0})), Error);
  EXPECT_THROW(loss("mean")(scores, list({0})), Error);
  EXPECT_THROW(loss("median")(scores, labels), Error);
}

TEST(Loss, SoftmaxCrossEntropyGivesLogProbabilitiesToo) {
  const auto results =
      Op("SoftmaxCrossEntropyLoss", 2).all({floats({1, 2}, {1000, 1000}), list({0})});
  EXPECT_FLOAT_EQ(results[0].data<float>()[0], std::log(2.0f));
  EXPECT_FLOAT_EQ(results[1].data<float>()[1], -std::log(2.0f));
}

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

TEST(GridSample, SurvivesPointsThatAreNotFinite) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor points = floats({1, 1, 2, 2}, {NAN, INFINITY, -1e30f, 1e30f});
  for (const char* mode : {"bilinear", "nearest", "bicubic"})
    for (const char* padding : {"zeros", "border", "reflection"})
      EXPECT_NO_THROW(Op("GridSample").with("mode", mode).with("padding_mode", padding)(x, points));
}

}  // namespace
}  // namespace intact

// Losses: values by hand.
#include <cmath>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;

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

}  // namespace
}  // namespace intact

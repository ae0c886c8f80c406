// Activations: values by hand, and their spellings in the operator sets.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;

template <class T>
Tensor vec(std::vector<T> values) {
  return Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(Activations, AtChosenPoints) {
  const Tensor x = vec<float>({-4, -1, 0, 1, 4});
  EXPECT_EQ(values_of<float>(Op("Relu")(x)), (Floats{0, 0, 0, 1, 4}));
  EXPECT_EQ(values_of<float>(Op("LeakyRelu").with("alpha", 0.25f)(x)),
            (Floats{-1, -0.25f, 0, 1, 4}));
  EXPECT_EQ(values_of<float>(Op("HardSwish")(x)),
            (Floats{0, static_cast<float>(-1.0 / 3.0), 0, static_cast<float>(2.0 / 3.0), 4}));
  EXPECT_EQ(values_of<float>(Op("HardSigmoid").with("alpha", 0.25f)(x)),
            (Floats{0, 0.25f, 0.5f, 0.75f, 1}));
  EXPECT_EQ(values_of<float>(Op("ThresholdedRelu")(x)), (Floats{0, 0, 0, 0, 4}));
  EXPECT_EQ(values_of<float>(Op("Softsign")(x)), (Floats{-0.8f, -0.5f, 0, 0.5f, 0.8f}));
  EXPECT_FLOAT_EQ(Op("Elu")(x).data<float>()[1], -0.63212056f);
  EXPECT_FLOAT_EQ(Op("Selu")(x).data<float>()[1], -1.1113307f);
  EXPECT_FLOAT_EQ(Op("Celu").with("alpha", 2.0f)(x).data<float>()[1], -0.78693868f);
  EXPECT_FLOAT_EQ(Op("Softplus")(x).data<float>()[3], 1.3132616f);
  EXPECT_FLOAT_EQ(Op("Gelu")(x).data<float>()[3], 0.84134475f);
  EXPECT_FLOAT_EQ(Op("Gelu").with("approximate", "tanh")(x).data<float>()[3], 0.84119199f);
  EXPECT_FLOAT_EQ(Op("Mish")(x).data<float>()[3], 0.86509836f);
  EXPECT_FLOAT_EQ(Op("Swish")(x).data<float>()[3], 0.73105860f);
  EXPECT_FLOAT_EQ(Op("Swish").with("alpha", 1.702f)(x).data<float>()[3], 0.84579575f);
}

TEST(Activations, SoftplusOfLargeNumbersStaysFinite) {
  EXPECT_EQ(values_of<float>(Op("Softplus")(vec<float>({1000, -1000}))), (Floats{1000, 0}));
}

TEST(Activations, ClipTakesBoundsAsAttributesThenAsOperands) {
  const Tensor x = vec<float>({-3, 0.5f, 9});
  EXPECT_EQ(values_of<float>(Op("Clip").at(6).with("min", 0.0f).with("max", 6.0f)(x)),
            (Floats{0, 0.5f, 6}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x, floats({}, {0}), floats({}, {6}))),
            (Floats{0, 0.5f, 6}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x, Tensor{}, floats({}, {6}))),
            (Floats{-3, 0.5f, 6}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x)), (Floats{-3, 0.5f, 9}));
  EXPECT_EQ(values_of<float>(Op("Clip").at(13)(x, floats({}, {7}), floats({}, {6}))),
            (Floats{6, 6, 6}));
  EXPECT_EQ(values_of<std::int64_t>(Op("Clip")(list({-9, 9}), int64s({}, {-1}), int64s({}, {1}))),
            (Ints{-1, 1}));
  EXPECT_THROW(Op("Clip").at(13)(x, floats({2}, {0, 0})), Error);
}

}  // namespace
}  // namespace intact

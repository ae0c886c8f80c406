// DeformConv against values computed by hand.
#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;

template <class T>
Tensor tensor(Shape shape, std::vector<T> values) {
  return Tensor::from<T>(std::move(shape), values);
}

TEST(DeformConv, ReadsWhereTheOffsetsPoint) {
  const Tensor x = floats({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}), w = floats({1, 1, 1, 1}, {2});
  // Half a column to the right everywhere, and the last row one row down: out of the image.
  Tensor offsets(ElementType::f32, {1, 2, 2, 3});
  for (std::size_t i = 0; i < 6; ++i) {
    offsets.data<float>()[i] = i < 3 ? 0.0f : 1.0f;
    offsets.data<float>()[6 + i] = 0.5f;
  }
  EXPECT_EQ(values_of<float>(Op("DeformConv")(x, w, offsets)),
            (std::vector<float>{3, 5, 3, 0, 0, 0}));
  const Tensor bias = floats({1}, {10}), mask = floats({1, 1, 2, 3}, {0, 1, 0.5f, 1, 1, 1});
  EXPECT_EQ(values_of<float>(Op("DeformConv")(x, w, offsets, bias, mask)),
            (std::vector<float>{10, 15, 11.5f, 10, 10, 10}));
}

TEST(DeformConv, WithoutOffsetsItIsAConvolution) {
  Tensor x(ElementType::f32, {2, 4, 5, 6}), w(ElementType::f32, {6, 2, 3, 2});
  for (std::size_t i = 0; i < x.data<float>().size(); ++i)
    x.data<float>()[i] = static_cast<float>(i * 7 % 11) - 5;
  for (std::size_t i = 0; i < w.data<float>().size(); ++i)
    w.data<float>()[i] = static_cast<float>(i * 5 % 7) - 3;
  const auto with = [](Op op) {
    return op.with("group", 2)
        .with("strides", std::vector<std::int64_t>{2, 1})
        .with("dilations", std::vector<std::int64_t>{1, 2})
        .with("pads", std::vector<std::int64_t>{1, 1, 0, 1});
  };
  const Tensor expected = with(Op("Conv"))(x, w);
  const Shape& shape = expected.shape();
  const Tensor offsets(ElementType::f32, {2, 2 * 2 * 6, shape[2], shape[3]});
  EXPECT_EQ(values_of<float>(with(Op("DeformConv")).with("offset_group", 2)(x, w, offsets)),
            values_of<float>(expected));
  EXPECT_NE(error_of([&] {
              with(Op("DeformConv")).with("offset_group", 3)(x, w, offsets);
            }).find("offset_group is 3; it must divide the 4 channels"),
            std::string::npos);
  EXPECT_NE(error_of([&] { with(Op("DeformConv"))(x, w, offsets); }).find("the tensor of offsets"),
            std::string::npos);
}

}  // namespace
}  // namespace intact

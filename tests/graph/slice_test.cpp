// Slice and Pad: values by hand, every spelling of the operator sets, hostile operands.
#include <limits>
#include <numeric>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();

/// 0, 1, 2, ... in the shape.
Tensor counting(Shape shape) {
  Tensor tensor(ElementType::s64, std::move(shape));
  std::iota(tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end(), 0);
  return tensor;
}

Ints ints(const Tensor& tensor) {
  return values_of<std::int64_t>(tensor);
}

TEST(Slice, SliceClampsBounds) {
  const Tensor x = counting({6});
  const auto slice = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
    return ints(Op("Slice")(x, list({start}), list({end}), list({0}), list({step})));
  };
  EXPECT_EQ(slice(1, 4, 1), (Ints{1, 2, 3}));
  EXPECT_EQ(slice(-2, far, 1), (Ints{4, 5}));
  EXPECT_EQ(slice(0, far, far), Ints{0});
  EXPECT_EQ(slice(4, 1, 1), Ints{});
  EXPECT_EQ(slice(far, -far - 1, -1), (Ints{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(5, 0, -2), (Ints{5, 3, 1}));
  EXPECT_EQ(slice(-1, -far - 1, -far - 1), Ints{5});
  EXPECT_THROW(slice(0, 1, 0), Error);
}

TEST(Slice, SliceTakesAttributesThenOperands) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(
      ints(
          Op("Slice").at(9).with("starts", Ints{1}).with("ends", Ints{3}).with("axes", Ints{1})(x)),
      (Ints{1, 2, 4, 5}));
  EXPECT_EQ(ints(Op("Slice").at(9).with("starts", Ints{1, 0}).with("ends", Ints{2, 2})(x)),
            (Ints{3, 4}));
  EXPECT_EQ(ints(Op("Slice").at(13)(x, list({1}), list({2}))), (Ints{3, 4, 5}));
  EXPECT_THROW(Op("Slice").at(13)(x, list({1}), list({2, 3})), Error);
  EXPECT_THROW(Op("Slice").at(13)(x, list({0, 0}), list({1, 1}), list({1, -1})), Error);
  EXPECT_THROW(Op("Slice").at(13)(x), Error);
}

TEST(Slice, PadModes) {
  const Tensor x = counting({3});
  const Tensor pads = list({2, 2});
  const auto pad = [&](const char* mode) { return ints(Op("Pad").with("mode", mode)(x, pads)); };
  EXPECT_EQ(pad("constant"), (Ints{0, 0, 0, 1, 2, 0, 0}));
  EXPECT_EQ(pad("edge"), (Ints{0, 0, 0, 1, 2, 2, 2}));
  EXPECT_EQ(pad("reflect"), (Ints{2, 1, 0, 1, 2, 1, 0}));
  EXPECT_EQ(pad("wrap"), (Ints{1, 2, 0, 1, 2, 0, 1}));
  EXPECT_THROW(pad("mirror"), Error);
}

TEST(Slice, PadTakesAttributesThenOperandsThenAxes) {
  const Tensor x = floats({1, 2}, {1, 2});
  using Floats = std::vector<float>;
  EXPECT_EQ(
      values_of<float>(Op("Pad").at(10).with("pads", Ints{0, 1, 0, 0}).with("value", 9.0f)(x)),
      (Floats{9, 1, 2}));
  EXPECT_EQ(values_of<float>(Op("Pad").at(13)(x, list({0, 1, 0, 0}), floats({}, {9}))),
            (Floats{9, 1, 2}));
  EXPECT_EQ(values_of<float>(Op("Pad").at(18)(x, list({0, 2}), Tensor{}, list({-1}))),
            (Floats{1, 2, 0, 0}));
  EXPECT_EQ(values_of<float>(Op("Pad").at(13)(x, list({0, -1, 0, 1}))), (Floats{2, 0}));
}

TEST(Slice, HostilePadsAreRefusedBeforeAllocation) {
  const Tensor x = counting({2});
  EXPECT_THROW(Op("Pad")(x, list({far, far})), Error);
  EXPECT_THROW(Op("Pad")(x, list({-3, 0})), Error);
  EXPECT_THROW(Op("Pad")(x, list({1})), Error);
  EXPECT_NE(error_of([&] { Op("Pad")(x, list({far / 64, 0})); }).find("memory"), std::string::npos);
  EXPECT_THROW(Op("Expand")(x, list({far / 64, 2})), Error);
}

}  // namespace
}  // namespace intact

// TensorScatter: values by hand.
#include <numeric>

#include "evaluate.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Ints = std::vector<std::int64_t>;

/// 0, 1, 2, ... in the shape.
Tensor counting(Shape shape) {
  Tensor tensor(ElementType::s64, std::move(shape));
  std::iota(tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end(), 0);
  return tensor;
}

Ints ints(const Tensor& tensor) {
  return values_of<std::int64_t>(tensor);
}

TEST(TensorScatter, WritesRows) {
  const Tensor cache = counting({2, 3, 1}), rows = int64s({2, 2, 1}, {7, 8, 9, 10});
  EXPECT_EQ(ints(Op("TensorScatter").at(24)(cache, rows)),
            (std::vector<std::int64_t>{7, 8, 2, 9, 10, 5}));
  EXPECT_EQ(ints(Op("TensorScatter").at(24)(cache, rows, list({1, 0}))),
            (std::vector<std::int64_t>{0, 7, 8, 9, 10, 5}));
  EXPECT_EQ(ints(Op("TensorScatter").at(24).with("mode", "circular")(cache, rows, list({2, 4}))),
            (std::vector<std::int64_t>{8, 1, 7, 3, 9, 10}));
  const auto refusal = [&](Op op, const Tensor& update, const Tensor& at) {
    return error_of([&] { op.at(24)(cache, update, at); });
  };
  EXPECT_NE(refusal(Op("TensorScatter"), rows, list({2, 0}))
                .find("write index 2 is out of range for 2 rows in a cache of 3"),
            std::string::npos);
  EXPECT_NE(refusal(Op("TensorScatter"), int64s({2, 1, 2}, {1, 2, 3, 4}), list({0, 0}))
                .find("only the extent of axis 1 may be smaller"),
            std::string::npos);
  EXPECT_NE(refusal(Op("TensorScatter").with("axis", 0), rows, list({0, 0}))
                .find("the rows lie along axis 0, which is that of the batch"),
            std::string::npos);
  EXPECT_NE(refusal(Op("TensorScatter").with("mode", "ring"), rows, list({0, 0}))
                .find("the attribute mode is 'ring'; it must be linear or circular"),
            std::string::npos);
}

}  // namespace
}  // namespace intact

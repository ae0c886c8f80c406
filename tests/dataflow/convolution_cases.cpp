// Convolutions of every kind, and what follows them.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

/// A u8 graph input behind a DequantizeLinear: bytes from the start.
ValueId image(ModelBuilder& b, const Shape& shape) {
  return b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.021f, std::uint8_t{117});
}

FoldModel conv_rounded(ModelBuilder& b) {
  const Shape shape = {1, 8, 7, 9};
  const ValueId w = grid_weights(b, "w", {16, 8, 3, 3});
  const ValueId y = b.node("Conv", "conv", {image(b, shape), w});
  return {{b.round("y", y, 0.153f, std::uint8_t{131})}, {random_integers<std::uint8_t>(shape, 3)}};
}

}  // namespace

std::vector<FoldCase> convolution_cases() {
  return {{"conv_rounded", conv_rounded}};
}

}  // namespace intact::testing

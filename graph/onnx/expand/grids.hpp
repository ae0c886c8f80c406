// Quantized operands and results of an expansion: DequantizeLinear and QuantizeLinear.
#pragma once

#include <optional>

#include "graph/onnx/expand/expansion.hpp"

namespace intact {

/// Where a node has the integers of a tensor, their scale and their zero point (which may be
/// absent: 0).
struct QuantizedPlace {
  std::size_t integers, scale, zero_point;
};

/// A tensor's integers with what they stand for; `zero_point` may be no_value.
struct QuantizedValue {
  ValueId integers, scale, zero_point;
};

QuantizedValue quantized_at(const Expansion& expansion, QuantizedPlace place);

/// The real numbers. Several scales run along `axis` (-1: the last) of a tensor of any rank, one
/// zero point may serve them all; scales of several axes that broadcast to the tensor are possible
/// too, without a grid then.
ValueId dequantized(Expansion& expansion, QuantizedValue value, int axis = 0);

/// The 32-bit integers of a bias that counts in `factor` times the products of two operands'
/// scales, along `axis`.
ValueId dequantized_bias(Expansion& expansion, ValueId bias, ValueId scale_a, ValueId scale_b,
                         float factor, int axis);

/// Integers of real numbers, on the grid at operands `scale` and `scale` + 1 of the node. Without a
/// zero point they have the type `fallback`, or u8 when that is not known.
ValueId quantized(Expansion& expansion, ValueId reals, std::size_t scale, ElementType fallback);

}  // namespace intact

// What the spelling cases share: quantization operators with any scales, zero points and element
// types, and small models around one operator whose operands they spell.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fold_case.hpp"
#include "graph/convert.hpp"
#include "graph/reals.hpp"

namespace intact::testing {

/// Scales, zero points and attributes as a file gives them.
struct Spelled {
  ElementType type = ElementType::u8;
  std::vector<float> scale = {0.02f};
  std::vector<int> zero_point = {0};  ///< empty: the operand is absent
  AttributeList attributes = {};
};

/// Any integer of the type, 4- and 2-bit ones included.
Tensor integers(ElementType type, const Shape& shape, unsigned seed);
/// One element is a scalar.
Tensor zero_points(ElementType type, const std::vector<int>& values);
/// The operands of a QuantizeLinear or DequantizeLinear behind its first one.
std::vector<ValueId> grid_operands(ModelBuilder& b, const std::string& name, const Spelled& grid);
ValueId quantize(ModelBuilder& b, const std::string& name, ValueId x, const Spelled& grid);
ValueId dequantize(ModelBuilder& b, const std::string& name, ValueId q, const Spelled& grid);
/// "<name>.q" and "<name>.dq".
ValueId pair(ModelBuilder& b, const std::string& name, ValueId x, const Spelled& grid);

/// Scales between 0.5 and 1.5 times `scale`.
std::vector<float> spread_scales(std::size_t count, float scale, unsigned seed = 5);

/// One operand of the operator under test, given its shape.
using Operand = std::function<ValueId(ModelBuilder&, const Shape&)>;
/// The integers as an initializer behind DequantizeLinear.
Operand stored(const Spelled& grid, unsigned seed = 2);
/// Float values behind QuantizeLinear and DequantizeLinear.
Operand rounded_floats(const Spelled& grid, float magnitude = 1);
Operand no_operand();

/// x -> pair -> operator with these weights and bias -> pair: [1,4,6,5] by Conv 3x3 to 6 channels,
/// by ConvTranspose 2x2 to 6 channels, [7,12] by Gemm and MatMul to 10 columns.
FoldCase conv_with(const std::string& name, int opset, const Operand& weights,
                   const Operand& bias = no_operand());
FoldCase conv_transpose_with(const std::string& name, int opset, const Operand& weights,
                             const Operand& bias = no_operand());
FoldCase gemm_with(const std::string& name, int opset, bool transpose_b, const Operand& weights,
                   const Operand& bias = no_operand());
FoldCase matmul_with(const std::string& name, int opset, const Operand& weights,
                     const Operand& bias = no_operand());
/// The same with an operator that stays in float.
FoldCase in_float(FoldCase fold, const std::string& reason, int float_nodes = 1);

/// x [1,4,6,5] -> `between` -> Conv -> pair.
FoldCase before_conv(const std::string& name, int opset,
                     const std::function<ValueId(ModelBuilder&, ValueId)>& between);
/// x -> pair -> Conv -> `behind`.
FoldCase behind_conv(const std::string& name, int opset,
                     const std::function<std::vector<ValueId>(ModelBuilder&, ValueId)>& behind);

/// The grid of the activations of all of these models.
Spelled image_grid();

}  // namespace intact::testing

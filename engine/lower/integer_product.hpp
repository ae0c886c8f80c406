// What Conv, MatMul and Gemm share when they run on integers: weights on a grid, bias, multipliers,
// and the proof that the accumulator cannot overflow.
#pragma once

#include "engine/lower/lowering.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {

struct IntegerProduct {
  ValueId activation = no_value;
  bool transposed = false;  ///< the activation is a matrix [K, M]
  float factor = 1;         ///< of the sum: Gemm's alpha
  ValueId bias = no_value;  ///< constant; per output channel, or one element
  float bias_factor = 1;    ///< Gemm's beta
  /// What is added in float behind the product, times bias_factor: Gemm's C where it is no bias.
  ValueId addend = no_value;
  /// The Add behind the product, where its sum is rounded and the product itself is not, and what
  /// it adds: bytes of the product's shape.
  const Node* addition = nullptr;
  ValueId residual = no_value;
  kernels::ConvShape shape;
  ProductWeights weights;                       ///< in the order of ConvOperation once complete
  std::vector<std::int32_t> weight_zero_point;  ///< per output channel; empty when all are zero
  std::vector<float> weight_scale;              ///< per output channel
};

/// Fills weights (in the file's order, as s8), zero points and scales of a constant on an 8-bit
/// grid whose channels run along `axis` (for every group again where it has those of one group
/// only). False, with the reason, when the activation is not on a grid of 8 or 16 bits.
bool read_weights(const Lowering& lowering, const Node& node, ValueId weights, int axis,
                  IntegerProduct& product, std::string& reason);

/// What u8 weights and their zero points are lowered by to be stored as s8; 0 for other types.
int weight_shift(ElementType type);
/// False, with the reason, for weights on a grid of more than 8 bits.
bool weights_are_bytes(const Value& weights, std::string& reason);

/// The convolution with the tail behind `last`, whose stage it carries; takes product.weights.
/// Nothing, with the reason, when the accumulator or the requantized value could overflow.
std::optional<ConvOperation> convolution_of(const Lowering& lowering, const Node& last,
                                            IntegerProduct& product, std::string& reason);

/// Emits the convolution with the tail behind `last`: the node itself, or the addition of a
/// constant behind it that became product.bias. False, with the reason, when the accumulator or the
/// requantized value could overflow.
bool lower_integer_product(Lowering& lowering, const Node& node, const Node& last,
                           IntegerProduct& product, Layout layout, std::string& reason);

/// A matrix product whose constant operand, on a grid, has its scales per block of terms, or more
/// terms than an accumulator holds: a sum of products. `terms_axis`: 0 for [terms, columns], 1 for
/// [columns, terms]. `product`: activation, bias and shape. False, with the reason, when the
/// operands are not on byte grids or the blocks run along the other axis.
bool lower_blocked_product(Lowering& lowering, const Node& node, const Node& last,
                           const IntegerProduct& product, ValueId weights, int terms_axis,
                           Layout layout, std::string& reason);
/// What follows a product in its own operation: the tail behind its residual addition, if it has
/// one, else behind `last`; nothing where it has an addend.
Tail product_tail(const Lowering& lowering, const Node& last, const IntegerProduct& product);
/// The activation's bytes as the product reads them.
TensorId activation_bytes(Lowering& lowering, const Node& node, const IntegerProduct& product,
                          Layout layout);
/// Emits `kind`, made for product_tail, with the addition of the addend or the tail behind `last`.
void emit_product(Lowering& lowering, const Node& node, const Node& last,
                  const IntegerProduct& product, OperationKind kind, std::vector<TensorId> inputs,
                  Layout layout, std::int64_t macs);

/// The same for the matrix product of two tensors on byte grids. `product`: activation, bias and
/// the shape of one pair of matrices; `second`: the other operand; `matmul`: which matrices meet.
bool lower_activation_product(Lowering& lowering, const Node& node, const Node& last,
                              IntegerProduct& product, ValueId second,
                              ActivationMatMulOperation matmul, std::string& reason);

/// A few rows of floats times a constant matrix on a grid, which the file left without a grid of
/// their own: [rows, depth] x [depth, columns].
struct VectorProduct {
  ValueId x = no_value, weights = no_value;
  std::int64_t rows = 0, depth = 0, columns = 0;
  bool transposed = false;     ///< weights are [columns, depth]
  ValueId bias = no_value;     ///< constant, one element per column
  const Node* last = nullptr;  ///< the node itself, or the Add behind it that the bias comes from
};
/// Emits it with the clamps behind it in our own float kernels, which may share a step with other
/// operations. False for many rows, for x on a grid, and for weights without one.
bool lower_vector_product(Lowering& lowering, const Node& node, const VectorProduct& product,
                          Layout layout, const std::string& reason);

/// What is left of a product of tensors on 16-bit grids when its sums are floats: scales, bias, and
/// the addend or the clamps behind `last`.
void emit_float_result(Lowering& lowering, const Node& node, const Node& last,
                       const IntegerProduct& product, AffineOperation affine, TensorId sum,
                       Layout layout);

/// One product for the high bytes of an activation on a 16-bit grid and one for its low ones.
bool lower_word_product(Lowering& lowering, const Node& node, const Node& last,
                        IntegerProduct& product, Layout layout, std::string& reason);
/// Their common form, without planes; nothing, with the reason, where a sum could overflow.
std::optional<ConvOperation> word_convolution(const Lowering& lowering, IntegerProduct& product,
                                              std::string& reason);
/// Emits both products and their sum, a float tensor of this shape.
TensorId emit_word_sum(Lowering& lowering, const Node& node, const IntegerProduct& product,
                       ConvOperation conv, const Shape& shape, Layout layout);
/// The scales and the bias that turn such a sum into reals.
AffineOperation scales_of(const Lowering& lowering, const IntegerProduct& product);
/// The matrix product of two activations of which at least one lies on a 16-bit grid: the products
/// of their planes.
bool lower_word_activations(Lowering& lowering, const Node& node, const Node& last,
                            IntegerProduct& product, ValueId second,
                            const ActivationMatMulOperation& matmul, std::string& reason);

/// Copies the bytes of a matrix [K, M] as [M, K].
TensorId transposed_bytes(Lowering& lowering, const Node& node, TensorId from);
/// With any bytes as weights, `depth` of them; else the reason.
bool fits_any_weights(const ConvOperation& conv, std::int64_t depth, std::string& reason);
/// False, with the reason, when the accumulator of a channel, or its rescaled value, could
/// overflow.
bool accumulator_fits(const Lowering& lowering, const ConvOperation& conv, std::string& reason);

/// Weights [O, I/g, spatial...] as [O][tap][I/g].
ProductWeights taps_outside(const ProductWeights& weights, const kernels::ConvShape& shape);
/// Constant [K, N] as [N][K].
ProductWeights transposed(const ProductWeights& weights, std::int64_t k, std::int64_t n);
/// The bytes of a constant of 8-bit (or unpacked 4-bit) integers as s8, each lowered by 128 when
/// they are u8.
ProductWeights signed_weights(const Lowering& lowering, const Tensor& constant);

/// The same windows with axes of one element and one position in front, where kernels expect them:
/// an image of width 1 is a line. No element changes its place in memory.
SpatialGeometry long_axes_last(const SpatialGeometry& geometry);
/// Of the whole convolution, padding counted like pixels.
std::int64_t multiply_adds(const kernels::ConvShape& shape);

kernels::ConvShape conv_shape(const Shape& input, const Shape& output, std::int64_t groups,
                              const SpatialGeometry& geometry);
/// Spatial values for {depth, height, width}, with leading zeros.
std::array<std::int64_t, 3> trailing_three(const Shape& values);

}  // namespace intact

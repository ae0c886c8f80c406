// Matrix products whose constant matrix comes in blocks of terms: with scales per block, or with
// more terms than a 32-bit accumulator holds. Each block is an integer product of its own; the
// kernel adds their reals (docs/numerics.md).
#include <fmt/format.h>

#include <algorithm>

#include "engine/lower/integer_product.hpp"

namespace intact {
namespace {

/// The constant matrix as [columns][terms] in s8, with its grid.
struct Matrix {
  ProductWeights weights;
  std::int64_t terms = 0, columns = 0;
  const Grid* grid = nullptr;
  bool rows_are_columns = false;  ///< stored as [columns][terms]

  std::int64_t block() const { return grid->block != 0 ? grid->block : terms; }
  /// Index of the scale of a column's terms from `begin` on.
  std::size_t entry(std::int64_t column, std::int64_t begin) const {
    if (grid->per_tensor()) return 0;
    if (grid->block == 0) return static_cast<std::size_t>(column);
    const std::int64_t at = begin / grid->block;
    const std::int64_t blocks = terms / grid->block + (terms % grid->block != 0 ? 1 : 0);
    return static_cast<std::size_t>(rows_are_columns ? column * blocks + at
                                                     : at * columns + column);
  }
};

/// The product of the terms [begin, end), in float.
ConvOperation block_of(const Lowering& lowering, const IntegerProduct& product,
                       const Matrix& matrix, std::int64_t begin, std::int64_t end) {
  const Grid& activation = *lowering.value(product.activation).grid;
  const int shift = weight_shift(matrix.grid->type);
  const auto columns = static_cast<std::size_t>(matrix.columns);
  ConvOperation block;
  block.shape = product.shape;
  block.shape.in_channels = end - begin;
  block.src_zero_point = stored_zero_point(activation);
  block.stage.output = kernels::Output::f32;
  block.bias.assign(columns, 0);
  for (std::int64_t n = 0; n < matrix.columns; ++n) {
    const std::size_t k = matrix.entry(n, begin);
    block.multiplier.push_back(activation.scale[0] * matrix.grid->scale[k] * product.factor);
    block.weight_zero_point.push_back(matrix.grid->zero_point[k] - shift);
  }
  return block;
}

/// The terms [begin, end) of every column.
ProductWeights slice(const Matrix& matrix, std::int64_t begin, std::int64_t end) {
  return matrix.weights.rearranged(
      fmt::format("terms {} to {} of {}", begin, end, matrix.terms),
      [terms = matrix.terms, begin, end](const ProductWeights::Values& given) {
        ProductWeights::Values part;
        for (auto row = given.begin(); row != given.end(); row += terms)
          part.insert(part.end(), row + begin, row + end);
        return part;
      });
}

/// Appends the product of the terms [begin, end), halved until no accumulator can overflow.
void append(const Lowering& lowering, const IntegerProduct& product, const Matrix& matrix,
            std::int64_t begin, std::int64_t end, std::vector<ConvOperation>& blocks) {
  ConvOperation block = block_of(lowering, product, matrix, begin, end);
  block.weights = slice(matrix, begin, end);
  std::string reason;
  const bool fits = accumulator_fits(lowering, block, reason);
  block.weights = {};
  if (fits) return blocks.push_back(std::move(block));
  const std::int64_t middle = begin + (end - begin) / 2;
  append(lowering, product, matrix, begin, middle, blocks);
  append(lowering, product, matrix, middle, end, blocks);
}

}  // namespace

bool lower_blocked_product(Lowering& lowering, const Node& node, const Node& last,
                           const IntegerProduct& product, ValueId weights, int terms_axis,
                           Layout layout, std::string& reason) {
  if (!lowering.on_byte_grid(product.activation)) {
    reason = lowering.no_grid_reason(node, 0);
    return false;
  }
  const Value& value = lowering.value(weights);
  if (!weights_are_bytes(value, reason)) return false;
  if (value.grid->block != 0 && *value.grid->axis != terms_axis) {
    reason = fmt::format(
        "the blocks of the weights '{}' run along axis {}; quantize them in blocks along axis {}, "
        "whose products are summed",
        value.name, *value.grid->axis, terms_axis);
    return false;
  }
  Matrix matrix;
  matrix.terms = product.shape.in_channels;
  matrix.columns = product.shape.out_channels;
  matrix.grid = &*value.grid;
  matrix.rows_are_columns = terms_axis == 1;
  matrix.weights = signed_weights(lowering, value.constant);
  if (terms_axis == 0) matrix.weights = transposed(matrix.weights, matrix.terms, matrix.columns);

  BlockedProductOperation operation;
  operation.weights = matrix.weights;
  // Without terms there is one block of none, for the bias.
  std::int64_t begin = 0;
  do {
    const std::int64_t end = begin + std::min(matrix.block(), matrix.terms - begin);
    append(lowering, product, matrix, begin, end, operation.blocks);
    begin = end;
  } while (begin < matrix.terms);
  if (product.bias != no_value) {
    const Tensor bias = real_constant(lowering.value(product.bias));
    std::vector<float>& addend = operation.blocks[0].float_bias;
    for (std::int64_t n = 0; n < matrix.columns; ++n)
      addend.push_back(bias.data<float>()[static_cast<std::size_t>(bias.size() == 1 ? 0 : n)] *
                       product.bias_factor);
  }
  const Tail tail = product_tail(lowering, last, product);
  operation.stage = lowering.stage_of(tail);
  if (tail.grid) operation.scale = tail.grid->scale[0];
  const TensorId input = activation_bytes(lowering, node, product, layout);
  emit_product(lowering, node, last, product, std::move(operation), {input}, layout,
               multiply_adds(product.shape));
  return true;
}

}  // namespace intact

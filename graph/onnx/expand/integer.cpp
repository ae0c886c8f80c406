// Products of com.microsoft whose weights are integers and whose result is float:
// MatMulIntegerToFloat, DynamicQuantizeMatMul and MatMulNBits.
#include "graph/onnx/expand/integer.hpp"

#include <cmath>

#include "graph/onnx/expand/families.hpp"
#include "graph/reals.hpp"

namespace intact {
namespace {

constexpr std::int64_t to_f32 = 1;  ///< ONNX's number of the type

void expand_integer_to_float(Expansion& e) {
  const QuantizedValue a{e.operand(0), e.operand(2), e.optional(4)};
  const QuantizedValue b{e.operand(1), e.operand(3), e.optional(5)};
  e.give(0, e.add_optional(integer_product(e, a, b), e.optional(6)));
}

void expand_dynamic_matmul(Expansion& e) {
  const auto a = e.add_several("DynamicQuantizeLinear", {e.operand(0)}, 3);
  const QuantizedValue b{e.operand(1), e.operand(2), e.optional(3)};
  e.give(0, e.add_optional(integer_product(e, {a[0], a[1], a[2]}, b), e.optional(4)));
}

// MatMulNBits: A times the transpose of B [columns, depth], B in blocks of `block` along its depth.

struct Blocks {
  std::int64_t depth, columns, bits, block;
  std::int64_t count() const { return (depth + block - 1) / block; }
  /// Bytes of a row of `entries` numbers, each row beginning at a byte.
  std::int64_t row_bytes(std::int64_t entries) const { return (entries * bits + 7) / 8; }
};

Blocks blocks_of(const Expansion& e) {
  const Attributes& attributes = e.node().attributes;
  const Blocks blocks{attributes.integer("K", 0), attributes.integer("N", 0),
                      attributes.integer("bits", 4), attributes.integer("block_size", 0)};
  constexpr std::int64_t limit = std::int64_t{1} << 30;  // products of two fit into 64 bits
  if (blocks.depth <= 0 || blocks.columns <= 0 || blocks.depth >= limit || blocks.columns >= limit)
    refuse(e.node(), "K is {} and N is {}; they must be the extents of the second matrix",
           blocks.depth, blocks.columns);
  if (blocks.bits != 4 && blocks.bits != 8)
    refuse_unsupported(e.node(), "weights of {} bits are not supported, only 4 and 8", blocks.bits);
  if (blocks.block < 16 || blocks.block >= limit || (blocks.block & (blocks.block - 1)) != 0)
    refuse(e.node(), "block_size is {}; it must be a power of two of 16 or more", blocks.block);
  return blocks;
}

/// The packed bytes of a constant operand, which has to hold exactly `bytes` of them.
std::span<const std::uint8_t> packed_bytes(const Expansion& e, std::size_t i, std::int64_t bytes) {
  const Tensor* packed = e.constant(e.operand(i));
  if (packed == nullptr)
    refuse_unsupported(e.node(), "operand {} is computed; packed weights have to be constant", i);
  if (packed->type() != ElementType::u8 || packed->size() != bytes)
    refuse(e.node(), "operand {} is {} {}; K, N, bits and block_size make it {} bytes (u8)", i,
           element_name(packed->type()), to_string(packed->shape()), bytes);
  return packed->data<std::uint8_t>();
}

std::uint8_t entry_of(std::span<const std::uint8_t> row, std::int64_t bits, std::int64_t k) {
  if (bits == 8) return row[static_cast<std::size_t>(k)];
  return (row[static_cast<std::size_t>(k / 2)] >> (k % 2 * 4)) & 15;
}

/// Numbers packed in `rows` rows that begin at bytes -> [entries, rows]: the weights [depth,
/// columns] have their blocks along axis 0.
Tensor unpacked(std::span<const std::uint8_t> packed, const Blocks& blocks, std::int64_t entries,
                std::int64_t row_bytes) {
  const std::int64_t rows = blocks.columns;
  Tensor result(blocks.bits == 4 ? ElementType::u4 : ElementType::u8, {entries, rows});
  auto* out = static_cast<std::uint8_t*>(result.raw());
  for (std::int64_t n = 0; n < rows; ++n) {
    const auto row = packed.subspan(static_cast<std::size_t>(n * row_bytes),
                                    static_cast<std::size_t>(row_bytes));
    for (std::int64_t k = 0; k < entries; ++k) out[k * rows + n] = entry_of(row, blocks.bits, k);
  }
  return result;
}

/// Weights [depth, columns] with scales and zero points [blocks, columns].
struct BlockedWeights {
  Tensor integers, scale, zero_point;
};

/// Constant scales [columns, blocks] (any shape of that size), the last two axes exchanged.
Tensor block_scales(const Expansion& e, const Blocks& blocks) {
  const Tensor* given = e.constant(e.operand(2));
  if (given == nullptr)
    refuse_unsupported(e.node(), "the scales are computed; they have to be constant");
  if (given->size() != blocks.columns * blocks.count())
    refuse(e.node(), "the scales have shape {}; {} columns have {} blocks each",
           to_string(given->shape()), blocks.columns, blocks.count());
  const Tensor rows = convert(*given, ElementType::f32);
  Tensor result(ElementType::f32, {blocks.count(), blocks.columns});
  for (std::int64_t n = 0; n < blocks.columns; ++n)
    for (std::int64_t k = 0; k < blocks.count(); ++k)
      result.data<float>()[static_cast<std::size_t>(k * blocks.columns + n)] =
          rows.data<float>()[static_cast<std::size_t>(n * blocks.count() + k)];
  return result;
}

/// Packed like the weights; absent: the middle of the range.
Tensor block_zero_points(const Expansion& e, const Blocks& blocks) {
  const std::int64_t row = blocks.row_bytes(blocks.count());
  if (!e.has(3)) {
    const std::vector<std::uint8_t> middle(static_cast<std::size_t>(blocks.columns * row),
                                           blocks.bits == 4 ? 0x88 : 0x80);
    return unpacked(middle, blocks, blocks.count(), row);
  }
  const Tensor* given = e.constant(e.operand(3));
  if (given != nullptr && given->type() != ElementType::u8)
    refuse_unsupported(e.node(), "zero points of type {} are not supported, only packed u8",
                       element_name(given->type()));
  return unpacked(packed_bytes(e, 3, blocks.columns * row), blocks, blocks.count(), row);
}

/// Scales of grids are positive. A negative one counts from the other end of the range, and a zero
/// makes every number of its block the zero point.
void make_scales_positive(BlockedWeights& weights, const Blocks& blocks) {
  auto* integers = static_cast<std::uint8_t*>(weights.integers.raw());
  auto* zero_points = static_cast<std::uint8_t*>(weights.zero_point.raw());
  const auto scales = weights.scale.data<float>();
  const auto highest = static_cast<std::uint8_t>((1 << blocks.bits) - 1);
  for (std::int64_t i = 0; i < weights.integers.size(); ++i) {
    const std::int64_t block =
        i / blocks.columns / blocks.block * blocks.columns + i % blocks.columns;
    const float scale = scales[static_cast<std::size_t>(block)];
    if (scale < 0) integers[i] = static_cast<std::uint8_t>(highest - integers[i]);
    if (scale == 0) integers[i] = zero_points[block];
  }
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (scales[i] < 0) zero_points[i] = static_cast<std::uint8_t>(highest - zero_points[i]);
    scales[i] = scales[i] == 0 ? 1 : std::abs(scales[i]);
  }
}

void expand_matmul_nbits(Expansion& e) {
  const Blocks blocks = blocks_of(e);
  if (e.has(4))
    refuse_unsupported(e.node(), "g_idx is not supported; quantize without reordering (act-order)");
  const std::int64_t row = blocks.count() * blocks.row_bytes(blocks.block);
  const auto packed = packed_bytes(e, 1, blocks.columns * row);
  BlockedWeights weights{unpacked(packed, blocks, blocks.depth, row), block_scales(e, blocks),
                         block_zero_points(e, blocks)};
  make_scales_positive(weights, blocks);
  const ValueId reals =
      e.add("DequantizeLinear",
            {e.constant_of("weights", weights.integers), e.constant_of("scale", weights.scale),
             e.constant_of("zero_point", weights.zero_point)},
            attributes_of({{"axis", std::int64_t{0}}, {"block_size", blocks.block}}));
  e.set_version(reals, 21);
  const ValueId y = e.main(e.add("MatMul", {e.operand(0), reals}));
  e.give(0, e.add_optional(y, e.optional(5)));
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"MatMulIntegerToFloat", microsoft, expand_integer_to_float},
    {"DynamicQuantizeMatMul", microsoft, expand_dynamic_matmul},
    {"MatMulNBits", microsoft, expand_matmul_nbits},
};

}  // namespace

ValueId integer_product(Expansion& e, QuantizedValue a, QuantizedValue b) {
  if (e.constant(a.scale) != nullptr) {
    const ValueId reals = dequantized(e, a, -2);
    return e.main(e.add("MatMul", {reals, dequantized(e, b, -1)}));
  }
  const ValueId sums =
      e.main(e.add("MatMulInteger", {a.integers, b.integers, a.zero_point, b.zero_point}));
  const ValueId steps = e.add("Cast", {sums}, attributes_of({{"to", to_f32}}));
  return e.add("Mul", {steps, e.add("Mul", {a.scale, b.scale})});
}

std::span<const ExpansionRule> integer_rules() {
  return rules;
}

}  // namespace intact

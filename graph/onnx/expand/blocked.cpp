// Weights of com.microsoft that are packed into bytes and scaled in blocks: MatMulNBits,
// GatherBlockQuantized and MatMulBnb4. They are unpacked here; where their blocks are grids, the
// weights stay integers behind DequantizeLinear.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "graph/convert.hpp"
#include "graph/element_numbers.hpp"
#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

constexpr std::int64_t largest_extent = std::int64_t{1} << 30;  // products of two fit into 64 bits

Tensor needed_constant(const Expansion& e, std::size_t i) {
  const Tensor* constant = e.constant(e.operand(i));
  if (constant == nullptr)
    refuse_unsupported(e.node(), "operand {} is computed; weights in blocks have to be constant",
                       i);
  return *constant;
}

std::int64_t block_size_of(const Expansion& e) {
  const std::int64_t block = e.node().attributes.integer("block_size", 0);
  if (block < 16 || block >= largest_extent || (block & (block - 1)) != 0)
    refuse(e.node(), "block_size is {}; it must be a power of two of 16 or more", block);
  return block;
}

std::int64_t bits_of(const Expansion& e) {
  const std::int64_t bits = e.node().attributes.integer("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8)
    refuse_unsupported(e.node(), "weights of {} bits are not supported, only 2, 4 and 8", bits);
  return bits;
}

ElementType type_of(std::int64_t bits) {
  return bits == 2 ? ElementType::u2 : bits == 4 ? ElementType::u4 : ElementType::u8;
}

/// Entry k of numbers that are packed from the low end of each byte.
std::uint8_t entry_of(std::span<const std::uint8_t> row, std::int64_t bits, std::int64_t k) {
  const std::int64_t per_byte = 8 / bits;
  const int shift = static_cast<int>(k % per_byte * bits);
  return static_cast<std::uint8_t>((row[static_cast<std::size_t>(k / per_byte)] >> shift) &
                                   ((1 << bits) - 1));
}

/// The constant bytes of operand i, which has to hold exactly `bytes` of them.
std::span<const std::uint8_t> packed_bytes(const Expansion& e, std::size_t i, std::int64_t bytes) {
  const Tensor packed = needed_constant(e, i);
  if (packed.type() != ElementType::u8 || packed.size() != bytes)
    refuse(e.node(), "operand {} is {} {}; K, N, bits and block_size make it {} bytes (u8)", i,
           element_name(packed.type()), to_string(packed.shape()), bytes);
  return packed.data<std::uint8_t>();
}

// MatMulNBits: A times the transpose of B [columns, depth], B in blocks along its depth.

struct Blocks {
  std::int64_t depth, columns, bits, block;
  std::int64_t count() const { return (depth + block - 1) / block; }
  /// Bytes of a row of `entries` numbers, each row beginning at a byte.
  std::int64_t row_bytes(std::int64_t entries) const { return (entries * bits + 7) / 8; }
  std::uint8_t highest() const { return static_cast<std::uint8_t>((1 << bits) - 1); }
};

Blocks blocks_of(const Expansion& e) {
  const Attributes& attributes = e.node().attributes;
  const Blocks blocks{attributes.integer("K", 0), attributes.integer("N", 0), bits_of(e),
                      block_size_of(e)};
  if (blocks.depth <= 0 || blocks.columns <= 0 || blocks.depth >= largest_extent ||
      blocks.columns >= largest_extent)
    refuse(e.node(), "K is {} and N is {}; they must be the extents of the second matrix",
           blocks.depth, blocks.columns);
  if (attributes.integer("weight_prepacked", 0) != 0)
    refuse_unsupported(e.node(),
                       "weight_prepacked is not supported: its weights are laid out for "
                       "one processor");
  return blocks;
}

/// Numbers packed in `columns` rows that begin at bytes -> [entries, columns].
Tensor unpacked(std::span<const std::uint8_t> packed, const Blocks& blocks, std::int64_t entries,
                std::int64_t row_bytes) {
  Tensor result(type_of(blocks.bits), {entries, blocks.columns});
  auto* out = static_cast<std::uint8_t*>(result.raw());
  for (std::int64_t n = 0; n < blocks.columns; ++n) {
    const auto row = packed.subspan(static_cast<std::size_t>(n * row_bytes),
                                    static_cast<std::size_t>(row_bytes));
    for (std::int64_t k = 0; k < entries; ++k)
      out[k * blocks.columns + n] = entry_of(row, blocks.bits, k);
  }
  return result;
}

/// Constant reals [columns, blocks] (any shape of that size) -> f32 [blocks, columns].
Tensor per_block(const Expansion& e, const Blocks& blocks, std::size_t i, const char* what) {
  const Tensor given = needed_constant(e, i);
  if (given.size() != blocks.columns * blocks.count())
    refuse(e.node(), "the {} have shape {}; {} columns have {} blocks each", what,
           to_string(given.shape()), blocks.columns, blocks.count());
  const Tensor rows = convert(given, ElementType::f32);
  Tensor result(ElementType::f32, {blocks.count(), blocks.columns});
  for (std::int64_t n = 0; n < blocks.columns; ++n)
    for (std::int64_t k = 0; k < blocks.count(); ++k)
      result.data<float>()[static_cast<std::size_t>(k * blocks.columns + n)] =
          rows.data<float>()[static_cast<std::size_t>(n * blocks.count() + k)];
  return result;
}

/// f32 [blocks, columns]: packed like the weights, given as reals, or the middle of the range.
Tensor zero_points_of(const Expansion& e, const Blocks& blocks) {
  if (!e.has(3)) {
    Tensor middle(ElementType::f32, {blocks.count(), blocks.columns});
    std::ranges::fill(middle.data<float>(), static_cast<float>(1 << (blocks.bits - 1)));
    return middle;
  }
  if (needed_constant(e, 3).type() != ElementType::u8)
    return per_block(e, blocks, 3, "zero points");
  const std::int64_t row = blocks.row_bytes(blocks.count());
  return convert(unpacked(packed_bytes(e, 3, blocks.columns * row), blocks, blocks.count(), row),
                 ElementType::f32);
}

/// The block whose scale each row of the weights has: in order, or as g_idx says.
std::vector<std::int64_t> groups_of(const Expansion& e, const Blocks& blocks) {
  std::vector<std::int64_t> groups(static_cast<std::size_t>(blocks.depth));
  for (std::int64_t k = 0; k < blocks.depth; ++k)
    groups[static_cast<std::size_t>(k)] = k / blocks.block;
  if (!e.has(4)) return groups;
  const Tensor given = needed_constant(e, 4);
  if (given.type() != ElementType::s32 || given.size() < blocks.depth)
    refuse(e.node(), "g_idx is {} {}; it must be s32 with an entry for each of the {} rows",
           element_name(given.type()), to_string(given.shape()), blocks.depth);
  for (std::size_t k = 0; k < groups.size(); ++k) {
    groups[k] = given.data<std::int32_t>()[k];
    if (groups[k] < 0 || groups[k] >= blocks.count())
      refuse(e.node(), "g_idx contains {}; there are {} blocks", groups[k], blocks.count());
  }
  return groups;
}

/// Weights [depth, columns] with scales and zero points [blocks, columns].
struct BlockedWeights {
  Tensor integers, scale, zero_point;
  std::vector<std::int64_t> groups;
};

/// Rows in an order in which the groups are blocks, each of them full but the last; nothing when
/// there is none.
std::optional<std::vector<std::int64_t>> order_of(const std::vector<std::int64_t>& groups,
                                                  std::int64_t block) {
  std::vector<std::int64_t> order(groups.size());
  std::iota(order.begin(), order.end(), 0);
  const auto group = [&](std::int64_t k) { return groups[static_cast<std::size_t>(k)]; };
  std::ranges::stable_sort(order, {}, group);
  for (std::size_t i = 0; i < order.size(); ++i)
    if (group(order[i]) != static_cast<std::int64_t>(i) / block) return std::nullopt;
  return order;
}

/// Whether zero points are integers of the weights' type.
bool are_grids(const BlockedWeights& weights, const Blocks& blocks) {
  return std::ranges::all_of(weights.zero_point.data<float>(), [&](float zero) {
    return zero == std::nearbyint(zero) && zero >= 0 &&
           zero <= static_cast<float>(blocks.highest());
  });
}

/// Scales of grids are positive. A negative one counts from the other end of the range, and a zero
/// makes every number of its block the zero point.
void make_scales_positive(BlockedWeights& weights, const Blocks& blocks) {
  auto* integers = static_cast<std::uint8_t*>(weights.integers.raw());
  const auto scales = weights.scale.data<float>(), zero_points = weights.zero_point.data<float>();
  const std::uint8_t highest = blocks.highest();
  for (std::int64_t i = 0; i < weights.integers.size(); ++i) {
    const auto block = static_cast<std::size_t>(i / blocks.columns / blocks.block * blocks.columns +
                                                i % blocks.columns);
    if (scales[block] < 0) integers[i] = static_cast<std::uint8_t>(highest - integers[i]);
    if (scales[block] == 0) integers[i] = static_cast<std::uint8_t>(zero_points[block]);
  }
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (scales[i] < 0) zero_points[i] = static_cast<float>(highest) - zero_points[i];
    scales[i] = scales[i] == 0 ? 1 : std::abs(scales[i]);
  }
}

void reorder_rows(Tensor& rows, const std::vector<std::int64_t>& order) {
  Tensor result(rows.type(), rows.shape());
  const auto width = static_cast<std::size_t>(rows.shape()[1]);
  const auto* from = static_cast<const std::uint8_t*>(rows.raw());
  auto* to = static_cast<std::uint8_t*>(result.raw());
  for (const std::int64_t k : order)
    to = std::copy_n(from + static_cast<std::size_t>(k) * width, width, to);
  rows = std::move(result);
}

/// The reals of the weights where their blocks are no grids.
Tensor reals_of(const BlockedWeights& weights, const Blocks& blocks) {
  const Tensor wide = convert(weights.integers, ElementType::f32);
  Tensor reals(ElementType::f32, {blocks.depth, blocks.columns});
  for (std::int64_t k = 0; k < blocks.depth; ++k)
    for (std::int64_t n = 0; n < blocks.columns; ++n) {
      const auto at = static_cast<std::size_t>(k * blocks.columns + n);
      const auto block = static_cast<std::size_t>(
          weights.groups[static_cast<std::size_t>(k)] * blocks.columns + n);
      reals.data<float>()[at] = (wide.data<float>()[at] - weights.zero_point.data<float>()[block]) *
                                weights.scale.data<float>()[block];
    }
  return reals;
}

void expand_matmul_nbits(Expansion& e) {
  const Blocks blocks = blocks_of(e);
  const std::int64_t row = blocks.count() * blocks.row_bytes(blocks.block);
  BlockedWeights weights{
      unpacked(packed_bytes(e, 1, blocks.columns * row), blocks, blocks.depth, row),
      per_block(e, blocks, 2, "scales"), zero_points_of(e, blocks), groups_of(e, blocks)};
  const auto order = order_of(weights.groups, blocks.block);
  ValueId a = e.operand(0), reals = no_value;
  if (order && are_grids(weights, blocks)) {
    if (!std::ranges::is_sorted(*order)) {
      reorder_rows(weights.integers, *order);
      a = e.add("Gather", {a, e.integers(*order)}, attributes_of({{"axis", std::int64_t{-1}}}));
    }
    make_scales_positive(weights, blocks);
    reals =
        e.add("DequantizeLinear",
              {e.constant_of("weights", weights.integers), e.constant_of("scale", weights.scale),
               e.constant_of("zero_point", convert(weights.zero_point, type_of(blocks.bits)))},
              attributes_of({{"axis", std::int64_t{0}}, {"block_size", blocks.block}}));
    e.set_version(reals, 21);
  } else {
    reals = e.constant_of("weights", reals_of(weights, blocks));
  }
  const ValueId y = e.main(e.add("MatMul", {a, e.like(reals, a)}));
  e.give(0, e.add_optional(y, e.optional(5)));
}

// GatherBlockQuantized: rows of a table in blocks along its last axis. Data, indices, scales, zero
// points.

/// A table [rows, ..., width] and how it is packed.
struct Table {
  Shape shape;  ///< unpacked
  std::int64_t bits, block;
  bool is_signed;
  std::int64_t blocks() const { return (shape.back() + block - 1) / block; }
};

Table table_of(const Expansion& e) {
  const Tensor data = needed_constant(e, 0);
  Table table{data.shape(), 8, block_size_of(e), data.type() == ElementType::s4};
  if (data.rank() < 2)
    refuse_unsupported(e.node(), "data of shape {} are not supported, only rank 2 or more",
                       to_string(data.shape()));
  const auto axis = [&](const char* name, std::int64_t fallback) {
    return normalize_axis(e.node(), e.node().attributes.integer(name, fallback), data.rank());
  };
  if (axis("gather_axis", 0) != 0 || axis("quantize_axis", 1) != data.rank() - 1)
    refuse_unsupported(e.node(), "only gather_axis 0 and blocks along the last axis are supported");
  if (data.type() == ElementType::u8) {
    table.bits = bits_of(e);
    table.shape.back() *= 8 / table.bits;
  } else if (data.type() != ElementType::u4 && data.type() != ElementType::s4) {
    refuse_unsupported(e.node(), "data of type {} are not supported, only u8, u4 and s4",
                       element_name(data.type()));
  }
  return table;
}

/// `entries` numbers per row of a constant whose last axis may be packed -> u8 or s8 [rows, entries
/// with zeros up to `pitch`]; rows are those of all axes but the last.
Tensor rows_of(const Expansion& e, const Table& table, std::size_t i, std::int64_t entries,
               std::int64_t pitch) {
  const Tensor given = needed_constant(e, i);
  const bool packed = given.type() == ElementType::u8;
  const std::int64_t rows = extent_product(table.shape, 0, table.shape.size() - 1);
  const std::int64_t bytes = packed ? (entries * table.bits + 7) / 8 : entries;
  if (given.type() != needed_constant(e, 0).type() || given.size() != rows * bytes)
    refuse(e.node(), "operand {} is {} {}; {} rows of {} numbers of {} bits are needed", i,
           element_name(given.type()), to_string(given.shape()), rows, entries, table.bits);
  const ElementType type = table.is_signed ? ElementType::s8 : ElementType::u8;
  const Tensor wide = packed ? given : convert(given, type);
  Tensor result(type, {rows, pitch});
  const auto* from = static_cast<const std::uint8_t*>(wide.raw());
  auto* to = static_cast<std::uint8_t*>(result.raw());
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::span bytes_of_row(from + row * bytes, static_cast<std::size_t>(bytes));
    for (std::int64_t k = 0; k < entries; ++k)
      to[row * pitch + k] = packed ? entry_of(bytes_of_row, table.bits, k)
                                   : bytes_of_row[static_cast<std::size_t>(k)];
  }
  return result;
}

/// The rows are gathered as integers, with the scales of their blocks, and only these become reals.
void expand_gather_block_quantized(Expansion& e) {
  const Table table = table_of(e);
  const std::int64_t blocks = table.blocks(), rows = table.shape[0],
                     inner = extent_product(table.shape, 1, table.shape.size() - 1);
  const Tensor scales = needed_constant(e, 2);
  if (scales.size() != rows * inner * blocks)
    refuse(e.node(), "the scales have shape {}; data of shape {} have {} blocks per row",
           to_string(scales.shape()), to_string(table.shape), blocks);
  const auto type = std::int64_t{element_number(scales.type())};
  const auto gathered = [&](const char* what, const Tensor& x, std::int64_t columns) {
    const ValueId stacked = e.constant_of(what, x.reshaped({rows, inner, blocks, columns}));
    const ValueId y =
        e.add("Gather", {stacked, e.operand(1)}, attributes_of({{"axis", std::int64_t{0}}}));
    return x.type() == scales.type() ? y : e.add("Cast", {y}, attributes_of({{"to", type}}));
  };
  const Tensor integers = rows_of(e, table, 0, table.shape.back(), blocks * table.block);
  ValueId steps = e.main(gathered("data", integers, table.block));
  const float middle = needed_constant(e, 0).type() == ElementType::u8
                           ? static_cast<float>(1 << (table.bits - 1))
                           : 0;
  if (e.has(3))
    steps = e.add("Sub", {steps, gathered("zero_points", rows_of(e, table, 3, blocks, blocks), 1)});
  else if (middle != 0)
    steps = e.add("Sub",
                  {steps, e.constant_of("middle", convert(Tensor::scalar(middle), scales.type()))});
  const ValueId reals = e.add("Mul", {steps, gathered("scales", scales, 1)});
  std::vector<std::int64_t> tail(table.shape.begin() + 1, table.shape.end());
  tail.back() = blocks * table.block;
  const ValueId shape = e.add("Concat", {e.add("Shape", {e.operand(1)}), e.integers(tail)},
                              attributes_of({{"axis", std::int64_t{0}}}));
  ValueId y = e.add("Reshape", {reals, shape});
  if (tail.back() != table.shape.back())
    y = e.add("Slice", {y, e.integers({0}), e.integers({table.shape.back()}), e.integers({-1})});
  e.give(0, y);
}

// MatMulBnb4: A times the transpose of B [columns, depth], whose 4 bits name one of 16 reals.

constexpr std::array<float, 16> fp4 = {
    0.0f,  0.0052083333f,  0.6666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    -0.0f, -0.0052083333f, -0.6666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f};
/// Quantiles of the normal distribution.
constexpr std::array<float, 16> nf4 = {-1.0f,
                                       -0.6961928009986877f,
                                       -0.5250730514526367f,
                                       -0.39491748809814453f,
                                       -0.28444138169288635f,
                                       -0.18477343022823334f,
                                       -0.09105003625154495f,
                                       0.0f,
                                       0.07958029955625534f,
                                       0.16093020141124725f,
                                       0.24611230194568634f,
                                       0.33791524171829224f,
                                       0.44070982933044434f,
                                       0.5626170039176941f,
                                       0.7229568362236023f,
                                       1.0f};

void expand_matmul_bnb4(Expansion& e) {
  const Attributes& attributes = e.node().attributes;
  const std::int64_t depth = attributes.integer("K", 0), columns = attributes.integer("N", 0),
                     block = block_size_of(e), kind = attributes.integer("quant_type", 0);
  if (depth <= 0 || columns <= 0 || depth >= largest_extent || columns >= largest_extent)
    refuse(e.node(), "K is {} and N is {}; they must be the extents of the second matrix", depth,
           columns);
  if (kind != 0 && kind != 1) refuse(e.node(), "quant_type is {}; it must be 0 or 1", kind);
  const std::int64_t count = depth * columns;
  const auto packed = packed_bytes(e, 1, (count + 1) / 2);
  const Tensor scales = convert(needed_constant(e, 2), ElementType::f32);
  if (scales.size() != (count + block - 1) / block)
    refuse(e.node(), "absmax has shape {}; {} blocks are needed", to_string(scales.shape()),
           (count + block - 1) / block);
  Tensor weights(ElementType::f32, {columns, depth});
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint8_t pair = packed[static_cast<std::size_t>(i / 2)];
    const std::size_t entry = i % 2 == 0 ? pair >> 4 : pair & 15;
    weights.data<float>()[static_cast<std::size_t>(i)] =
        (kind == 0 ? fp4 : nf4)[entry] * scales.data<float>()[static_cast<std::size_t>(i / block)];
  }
  const ValueId a = e.operand(0);
  ValueId b = e.like(e.constant_of("weights", std::move(weights)), a);
  if (attributes.integer("transB", 1) != 0)
    b = e.add("Transpose", {b}, attributes_of({{"perm", std::vector<std::int64_t>{1, 0}}}));
  e.give(0, e.main(e.add("MatMul", {a, b})));
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"MatMulNBits", microsoft, expand_matmul_nbits},
    {"GatherBlockQuantized", microsoft, expand_gather_block_quantized},
    {"MatMulBnb4", microsoft, expand_matmul_bnb4},
};

}  // namespace

std::span<const ExpansionRule> blocked_rules() {
  return rules;
}

}  // namespace intact

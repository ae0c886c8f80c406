// Weights with scales per block; accumulators and clamps at their limits.
#include "spelling.hpp"

namespace intact::testing {
namespace {

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8, u4 = ElementType::u4,
                      s4 = ElementType::s4;

// --- blocks

/// One scale (and zero point) per `block` rows of the weights [12, 10] along K.
Operand blocked(ElementType type, std::int64_t block, std::int64_t axis, float scale,
                bool zero_point, const std::string& name = "w") {
  return [=](ModelBuilder& b, const Shape& shape) {
    Shape blocks = shape;
    std::int64_t& extent = blocks[static_cast<std::size_t>(axis)];
    extent = (extent + block - 1) / block;
    const auto count = static_cast<std::size_t>(element_count(blocks));
    std::vector<ValueId> operands = {
        b.constant(name, integers(type, shape, 2)),
        b.constant(name + ".s", Tensor::from<float>(blocks, spread_scales(count, scale)))};
    if (zero_point) operands.push_back(b.constant(name + ".z", integers(type, blocks, 7)));
    return b.node("DequantizeLinear", name + ".dq", operands,
                  {{"axis", axis}, {"block_size", block}});
  };
}

FoldCase blocked_pointwise_convolution() {
  return behind_conv("blocked_pointwise_convolution", 21, [](ModelBuilder& b, ValueId y) {
    const ValueId x = pair(b, "y", y, {u8, {0.11f}, {121}});
    const ValueId w = blocked(s4, 4, 1, 0.13f, true, "v")(b, {9, 6, 1, 1});
    const ValueId z = b.node("Relu", "relu", {b.node("Conv", "pointwise", {x, w})});
    return std::vector{pair(b, "z", z, {u8, {0.3f}, {11}})};
  });
}

/// More rows, columns and blocks than one tile has; bytes in, floats out.
FoldCase blocked_wide() {
  FoldCase fold{
      "blocked_wide", [](ModelBuilder& b) -> FoldModel {
        const ValueId x = dequantize(b, "x.dq", b.input("x", u8, {101, 160}), {u8, {0.02f}, {117}});
        const ValueId w = blocked(s4, 32, 0, 0.13f, true)(b, {160, 150});
        return {{b.node("MatMul", "matmul", {x, w})}, {integers(u8, {101, 160}, 3)}};
      }};
  fold.opset = 21;
  return fold;
}

std::vector<FoldCase> blocks() {
  return {
      matmul_with("blocked_s8", 21, blocked(s8, 4, 0, 0.01f, false)),
      matmul_with("blocked_u8_zero_points", 21, blocked(u8, 4, 0, 0.01f, true)),
      matmul_with("blocked_s4", 21, blocked(s4, 4, 0, 0.13f, false)),
      matmul_with("blocked_u4_zero_points", 21, blocked(u4, 6, 0, 0.13f, true)),
      matmul_with("blocked_with_tail", 21, blocked(s4, 5, 0, 0.13f, false)),
      matmul_with("blocked_one_block", 21, blocked(s4, 12, 0, 0.13f, true)),
      matmul_with("blocked_one_row", 21, blocked(s8, 1, 0, 0.01f, false)),
      gemm_with("blocked_gemm", 21, false, blocked(s4, 4, 0, 0.13f, false)),
      gemm_with("blocked_gemm_transposed", 21, true, blocked(s4, 4, 1, 0.13f, true)),
      matmul_with("blocked_transposed_behind", 21,
                  [](ModelBuilder& b, const Shape& shape) {
                    const Shape stored = {shape[1], shape[0]};
                    return b.node("Transpose", "t", {blocked(u4, 5, 1, 0.13f, true)(b, stored)});
                  }),
      matmul_with(
          "blocked_float_weights", 21,
          [](ModelBuilder& b, const Shape& shape) {
            const ValueId w = b.constant("w", random_floats(shape, 2));
            const Tensor scale = Tensor::from<float>({3, shape[1]}, spread_scales(30, 0.12f));
            const ValueId s = b.constant("w.s", scale),
                          z = b.constant("w.z", Tensor(s4, scale.shape()));
            const AttributeList by = {{"axis", std::int64_t{0}}, {"block_size", std::int64_t{4}}};
            return b.node("DequantizeLinear", "w.dq",
                          {b.node("QuantizeLinear", "w.q", {w, s, z}, by), s, z}, by);
          }),
      matmul_with("blocked_with_bias", 21, blocked(s4, 4, 0, 0.13f, false),
                  [](ModelBuilder& b, const Shape& shape) {
                    return b.constant("b", random_floats(shape, 9, -1.5f, 1.5f));
                  }),
      blocked_pointwise_convolution(),
      blocked_wide(),
      in_float(matmul_with("blocks_along_columns", 21, blocked(s8, 5, 1, 0.01f, false)),
               "quantize them in blocks along axis 0"),
      in_float(conv_with("blocked_convolution", 21, blocked(s8, 2, 1, 0.01f, false)),
               "quantize them with one scale per output channel, along axis 0"),
      matmul_with("blocked_opset_25", 25, blocked(s8, 4, 0, 0.01f, false)),
  };
}

// --- limits

FoldCase at_limit(const std::string& name, std::int64_t depth, const Spelled& activation,
                  const Spelled& weights, int weight, float scale_y) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x =
                dequantize(b, "x.dq", b.input("x", activation.type, {3, depth}), activation);
            Tensor w = Tensor(ElementType::s32, {depth, 4});
            for (std::int32_t& q : w.data<std::int32_t>()) q = weight;
            const ValueId v =
                dequantize(b, "w.dq", b.constant("w", convert(w, weights.type)), weights);
            Tensor bytes = integers(activation.type, {3, depth}, 5);
            for (std::int64_t i = 0; i < depth; ++i) {  // both ends, and anything
              bytes.data<std::uint8_t>()[static_cast<std::size_t>(i)] = 255;
              bytes.data<std::uint8_t>()[static_cast<std::size_t>(depth + i)] = 0;
            }
            return {{pair(b, "y", b.node("MatMul", "matmul", {x, v}), {u8, {scale_y}, {128}})},
                    {bytes}};
          }};
}

std::vector<FoldCase> limits() {
  const Spelled zero{u8, {0.01f}, {0}}, top{u8, {0.01f}, {255}};
  const Spelled w8{s8, {0.01f}, {0}}, low{u8, {0.01f}, {0}}, high{u8, {0.01f}, {255}};
  return {
      at_limit("limit_lowest_weights", 8000, zero, w8, -128, 300),
      at_limit("limit_highest_weights", 8000, top, w8, 127, 300),
      at_limit("limit_u8_weights_zero_point_0", 8000, zero, low, 255, 600),
      at_limit("limit_u8_weights_zero_point_255", 8000, top, high, 0, 600),
      at_limit("beyond_lowest_weights", 70000, zero, w8, -128, 2000),
      at_limit("beyond_highest_weights", 70000, top, w8, 127, 2000),
      at_limit("beyond_u8_weights_zero_point_0", 70000, zero, low, 255, 4000),
      at_limit("beyond_u8_weights_zero_point_255", 70000, top, high, 0, 4000),
  };
}

/// Relu, Clip and saturation where 0 lies at an end of the grid, or beyond it.
std::vector<FoldCase> clamps() {
  std::vector<FoldCase> cases;
  const auto add = [&](const std::string& name, ElementType type, int zero,
                       const std::function<ValueId(ModelBuilder&, ValueId)>& clamp) {
    cases.push_back(behind_conv(name, 13, [=](ModelBuilder& b, ValueId y) {
      return std::vector{pair(b, "y", clamp(b, y), {type, {0.03f}, {zero}})};
    }));
  };
  const auto relu = [](ModelBuilder& b, ValueId y) { return b.node("Relu", "relu", {y}); };
  const auto clip = [](ModelBuilder& b, ValueId y) {
    return b.node("Clip", "clip", {y, b.scalar("low", -1.3f), b.scalar("high", 2.1f)});
  };
  const auto nothing = [](ModelBuilder&, ValueId y) { return y; };
  for (const int zero : {0, 128, 255}) {
    const std::string at = "_u8_" + std::to_string(zero);
    add("relu_at" + at, u8, zero, relu);
    add("clip_at" + at, u8, zero, clip);
    add("saturation_at" + at, u8, zero, nothing);
  }
  for (const int zero : {-128, 0, 127}) {
    const std::string at = "_s8_" + std::string(zero < 0 ? "low" : zero == 0 ? "zero" : "high");
    add("relu_at" + at, s8, zero, relu);
    add("clip_at" + at, s8, zero, clip);
    add("saturation_at" + at, s8, zero, nothing);
  }
  return cases;
}

}  // namespace

std::vector<FoldCase> spelling_limit_cases() {
  std::vector<FoldCase> cases;
  for (const auto list : {blocks, limits, clamps})
    for (FoldCase& fold : list()) cases.push_back(std::move(fold));
  return cases;
}

}  // namespace intact::testing

// Accumulators and clamps at their limits.
#include "spelling.hpp"

namespace intact::testing {
namespace {

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8;

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
  std::vector<FoldCase> cases = limits();
  for (FoldCase& fold : clamps()) cases.push_back(std::move(fold));
  return cases;
}

}  // namespace intact::testing

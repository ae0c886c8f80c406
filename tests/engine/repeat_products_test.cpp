// Products that are computed twice because their own mean scales them, on both sides of the limit.
#include "model_run.hpp"

namespace intact::testing {
namespace {

/// y * sigmoid(mean(y)) with y = Conv(x), `products` multiply-adds into each of [24, rows, rows].
Graph scaled_by_mean(std::int64_t products, std::int64_t rows) {
  ModelBuilder b;
  const ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, {1, products, rows, rows}),
                                 0.02f, std::uint8_t{117});
  const ValueId y = b.node("Conv", "conv", {x, grid_weights(b, "w", {24, products, 1, 1})});
  const ValueId gate = b.node("Sigmoid", "gate", {b.node("GlobalAveragePool", "mean", {y})});
  return b.build({b.round("q", b.node("Mul", "scale", {y, gate}), 0.05f, std::uint8_t{117})});
}

bool is_computed_twice(const Graph& graph) {
  const Session session = Session::parse(serialize_onnx(graph), options_of(1, best_isa(), true));
  const Flow flow = session.flow();
  const bool stores_floats = std::ranges::any_of(flow.edges, [](const FlowEdge& edge) {
    return edge.storage == "f32" && edge.from == "conv";
  });
  return !stores_floats;
}

TEST(RepeatProducts, WhereFewProductsGoIntoEachFloat) {
  EXPECT_TRUE(is_computed_twice(scaled_by_mean(48, 7)));
  EXPECT_FALSE(is_computed_twice(scaled_by_mean(49, 7)));
}

TEST(RepeatProducts, WhereTheFloatsLeaveTheCache) {
  EXPECT_TRUE(is_computed_twice(scaled_by_mean(384, 120)));
  EXPECT_FALSE(is_computed_twice(scaled_by_mean(385, 120)));
  EXPECT_FALSE(is_computed_twice(scaled_by_mean(384, 90)));
}

TEST(RepeatProducts, GiveTheSameBytes) {
  for (const std::int64_t products : {48, 49})
    expect_consistent(scaled_by_mean(products, 7),
                      {random_integers<std::uint8_t>({1, products, 7, 7}, 3)}, 0.0501);
}

}  // namespace
}  // namespace intact::testing

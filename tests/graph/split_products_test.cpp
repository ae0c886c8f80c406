// Products whose channels are taken apart: plans for several shapes share the parts of weights.
#include <gtest/gtest.h>

#include <map>

#include "tests/graph/canonical.hpp"
#include "tests/graph/model_builder.hpp"

namespace intact::testing {
namespace {

TEST(SplitProducts, GraphsOfSeveralShapesShareTheParts) {
  ModelBuilder b;
  const ValueId x =
      b.round("x.round", b.input("x", ElementType::f32, {-1, -1, 8}), 0.02f, std::uint8_t{117});
  const ValueId w = b.dequantize("w", b.constant("w.q", random_integers<std::int8_t>({8, 12}, 1)),
                                 0.01f, std::int8_t{0});
  // Without shapes, nobody knows that this is the axis of the channels.
  const ValueId y = b.node("Split", "split", {b.node("MatMul", "product", {x, w})},
                           {{"axis", std::int64_t{2}}}, "", 3);
  const Graph graph = canonical(b.build({y, y + 1, y + 2}));
  std::map<std::pair<const void*, std::string>, Tensor> made;
  const PartOfConstant part_of = [&](const Tensor& whole, const std::string& name,
                                     const std::function<Tensor()>& cut) {
    Tensor& part = made[{whole.raw(), name}];
    if (!part.defined()) part = cut();
    return part;
  };
  std::vector<const void*> weights[2];
  for (const std::size_t run : {0u, 1u}) {
    Graph own = graph;
    own.value(own.inputs[0]).shape = Shape{1, static_cast<std::int64_t>(run) + 3, 8};
    infer_shapes(own);
    split_products(own, part_of);
    for (const Node& node : own.nodes)
      if (node.is("MatMul")) weights[run].push_back(own.value(node.inputs[1]).constant.raw());
  }
  EXPECT_EQ(weights[0].size(), 3u);
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(made.size(), 3u);
}

}  // namespace
}  // namespace intact::testing

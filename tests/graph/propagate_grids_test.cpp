// Grids follow from the operators that keep them.
#include <gtest/gtest.h>

#include "canonical.hpp"
#include "graph/passes/passes.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

TEST(PropagateGrids, PaddingOffTheGridLosesIt) {
  const auto grid_after = [](float value) {
    ModelBuilder model;
    const ValueId x = model.input("x", ElementType::f32, {4});
    const ValueId rounded = model.round("x", x, 0.5f, std::uint8_t{100});
    const ValueId padded = model.node(
        "Pad", "pad",
        {rounded, model.vector<std::int64_t>("pads", {1, 2}), model.scalar("value", value)});
    const Graph graph = canonical(model.build({padded}));
    return graph.value(graph.outputs[0]).grid.has_value();
  };
  EXPECT_TRUE(grid_after(0));
  EXPECT_TRUE(grid_after(1.5f));
  EXPECT_FALSE(grid_after(0.3f));
  EXPECT_FALSE(grid_after(1000));
}

}  // namespace
}  // namespace intact::testing

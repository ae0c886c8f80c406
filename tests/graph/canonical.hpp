// Checks that tests of passes share.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/passes/invariants.hpp"
#include "graph/passes/passes.hpp"

namespace intact::testing {

/// The canonical form; its invariants hold after every pass and every source node is accounted for.
inline Graph canonical(Graph graph) {
  const std::vector<std::string> sources = all_sources(graph);
  for (const Pass& pass : canonical_passes()) {
    pass.run(graph);
    EXPECT_NO_THROW(graph.check(&sources)) << "after " << pass.name;
    EXPECT_NO_THROW(check_grids(graph)) << "after " << pass.name;
  }
  EXPECT_NO_THROW(check_canonical(graph));
  return graph;
}

/// Operators in order, separated by blanks.
inline std::string operators(const Graph& graph) {
  std::string result;
  for (const Node& node : graph.nodes) result += (result.empty() ? "" : " ") + node.op;
  return result;
}

inline void expect_close(const std::vector<Tensor>& wanted, const std::vector<Tensor>& given,
                         double tolerance) {
  ASSERT_EQ(wanted.size(), given.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(wanted[i].type(), given[i].type()) << "output " << i;
    ASSERT_EQ(wanted[i].shape(), given[i].shape()) << "output " << i;
    const Tensor a = convert(wanted[i], ElementType::f64), b = convert(given[i], ElementType::f64);
    for (std::size_t k = 0; k < a.data<double>().size(); ++k)
      ASSERT_NEAR(a.data<double>()[k], b.data<double>()[k], tolerance)
          << "output " << i << " element " << k;
  }
}

inline void expect_same_meaning(const Graph& wanted, const Graph& given,
                                const std::vector<Tensor>& inputs, double tolerance) {
  expect_close(interpret(wanted, inputs), interpret(given, inputs), tolerance);
}

}  // namespace intact::testing

// What each operator can do, found out by trying: every single-node case of the ONNX test data and
// every fold case is planned, and the plan says on which kernels its nodes run.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace intact::testing {

struct OperatorCoverage {
  std::set<ElementType> types;     ///< of the first operand, as the reference takes them
  std::set<std::string> int8;      ///< kernel families that read bytes, write bytes, or both
  std::set<std::string> floating;  ///< kernel families on floats and on other types
  bool moves_nothing = false;      ///< in some plan it is a view, a slot, or part of the planning
};

class Coverage {
 public:
  /// The cases of `data` (libonnx-testdata), as float and behind grids.
  void try_onnx_cases(const std::filesystem::path& data);
  void try_fold_cases();

  /// docs/coverage.md.
  std::string document() const;

 private:
  using Key = std::pair<std::string, std::string>;  // domain, operator
  void try_case(const std::filesystem::path& folder);
  void try_types(const Node& node, const std::vector<Tensor>& inputs);
  /// Plans the file and notes where its nodes, by name, run; nothing when it cannot be planned.
  /// `nodes`: as they were before they were read.
  void try_plan(const Graph& file, const std::vector<Shape>& shapes,
                const std::vector<Node>& nodes);
  OperatorCoverage& of(const Node& node) { return operators_[{node.domain, node.op}]; }

  std::map<Key, OperatorCoverage> operators_;
};

}  // namespace intact::testing

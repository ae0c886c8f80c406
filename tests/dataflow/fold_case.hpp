// Fold cases: one small quantized graph per spelling of quantization and per operator that has to
// run on integers. fold_cases_test.cpp runs every case of every list below through the same checks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/graph/model_builder.hpp"

namespace intact::testing {

/// What a case builds: the outputs of the model, and inputs to run it on.
struct FoldModel {
  std::vector<ValueId> outputs;
  std::vector<Tensor> inputs;
};

struct FoldCase {
  std::string name;  ///< a C identifier: "conv_silu_one_round"
  std::function<FoldModel(ModelBuilder&)> build;
  int opset = 17;
  /// Steps that may stay in float (with a reason): 0 unless the file leaves an operator without a
  /// grid.
  int float_nodes = 0;
  /// Outputs without a Round: allowed error relative to the largest magnitude.
  double relative_error = 1e-5;
  /// The file computes in half precision: the oracle is the same graph in single precision, and the
  /// reference as it stands may be a step away anywhere.
  bool half_precision = false;
  /// Part of the reason of one of the float steps.
  std::string reason = {};
};

/// Those of all topics.
std::vector<FoldCase> all_cases();

// One list per topic, each in <topic>_cases.cpp.
std::vector<FoldCase> convolution_cases();
std::vector<FoldCase> movement_cases();
std::vector<FoldCase> conv_transpose_cases();
std::vector<FoldCase> normalization_cases();
std::vector<FoldCase> products_cases();
std::vector<FoldCase> elementwise_cases();
std::vector<FoldCase> dynamic_cases();
std::vector<FoldCase> spelling_cases();
std::vector<FoldCase> spelling_activation_cases();
std::vector<FoldCase> spelling_parameter_cases();
std::vector<FoldCase> spelling_limit_cases();
std::vector<FoldCase> affine_cases();
std::vector<FoldCase> epilogue_cases();
std::vector<FoldCase> qoperator_cases();
std::vector<FoldCase> msft_cases();
std::vector<FoldCase> reduction_cases();
std::vector<FoldCase> transformer_cases();
std::vector<FoldCase> resize_cases();
std::vector<FoldCase> word_cases();
std::vector<FoldCase> word_window_cases();
std::vector<FoldCase> selection_cases();
std::vector<FoldCase> behind_cases();
std::vector<FoldCase> logic_cases();
std::vector<FoldCase> einsum_cases();
std::vector<FoldCase> spelled_norm_cases();
std::vector<FoldCase> moved_cases();
std::vector<FoldCase> gate_cases();

}  // namespace intact::testing

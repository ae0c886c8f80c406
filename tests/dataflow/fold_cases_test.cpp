// Every fold case: no float tensor between integer operators, the same bytes however it runs, and
// outputs that differ from the file's own meaning by one step at most, next to ties only.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "fold_case.hpp"
#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {

std::vector<FoldCase> all_cases() {
  std::vector<FoldCase> all;
  const auto add = [&](std::vector<FoldCase> cases) {
    for (FoldCase& fold : cases) all.push_back(std::move(fold));
  };
  add(convolution_cases());
  add(conv_transpose_cases());
  add(normalization_cases());
  add(products_cases());
  add(elementwise_cases());
  add(movement_cases());
  add(affine_cases());
  add(spelling_cases());
  add(spelling_activation_cases());
  add(spelling_parameter_cases());
  add(spelling_limit_cases());
  add(epilogue_cases());
  add(qoperator_cases());
  add(msft_cases());
  add(reduction_cases());
  add(dynamic_cases());
  add(transformer_cases());
  add(resize_cases());
  add(selection_cases());
  add(word_cases());
  add(word_window_cases());
  add(behind_cases());
  add(logic_cases());
  add(einsum_cases());
  add(spelled_norm_cases());
  add(moved_cases());
  add(gate_cases());
  return all;
}

namespace {

/// The Round behind which an output lies: its scale, and the output of a second model without it.
struct FinalRound {
  double scale = 0;
  bool stored = false;  ///< the output is the integers themselves
};

std::optional<FinalRound> take_final_round(Graph& graph, std::size_t output) {
  const auto producers = graph.producers();
  const auto producer = [&](ValueId id) -> const Node* {
    const int index = producers[static_cast<std::size_t>(id)];
    return index < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(index)];
  };
  const Node* node = producer(graph.outputs[output]);
  FinalRound round;
  while (node != nullptr && node->op == "Cast") node = producer(node->inputs[0]);
  round.stored = node != nullptr && node->op == "QuantizeLinear";
  if (node != nullptr && node->op == "DequantizeLinear") node = producer(node->inputs[0]);
  if (node == nullptr || node->op != "QuantizeLinear") return std::nullopt;
  const Value& scale = graph.value(node->inputs[1]);
  if (!scale.is_constant() || scale.constant.size() != 1) return std::nullopt;
  round.scale = convert(scale.constant, ElementType::f64).data<double>()[0];
  graph.outputs[output] = node->inputs[0];
  return round;
}

std::vector<double> doubles_of(const Tensor& tensor) {
  const Tensor converted = convert(tensor, ElementType::f64);
  return {converted.data<double>().begin(), converted.data<double>().end()};
}

/// One step at most, and only where the exact value lies within float rounding of a tie.
void expect_rounded(const Tensor& actual, const Tensor& reference, const Tensor& exact,
                    const FinalRound& round) {
  const auto a = doubles_of(actual), e = doubles_of(reference), x = doubles_of(exact);
  ASSERT_EQ(a.size(), x.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double steps = std::abs(a[i] - e[i]) / (round.stored ? 1 : round.scale);
    if (steps < 0.01) continue;
    ++different;
    const double t = std::abs(x[i] / round.scale);
    ASSERT_LT(steps, 1.01) << "element " << i << ": " << a[i] << " for " << e[i];
    ASSERT_LT(std::abs(t - std::floor(t) - 0.5), 1e-6 * (t + 256)) << "element " << i;
  }
  EXPECT_LE(different, 2 + a.size() / 100);
}

/// Outputs whose last Round is part of an operator (QLinearConv): ties are rare. Floats: close.
void expect_close_to(const Tensor& actual, const Tensor& reference, double relative_error) {
  const auto a = doubles_of(actual), e = doubles_of(reference);
  if (actual.type() == ElementType::f32) {
    double largest = 1e-30;
    for (const double value : e) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_LE(std::abs(a[i] - e[i]), relative_error * largest) << "element " << i;
    return;
  }
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    different += a[i] != e[i];
    ASSERT_LE(std::abs(a[i] - e[i]), 1) << "element " << i;
  }
  EXPECT_LE(different, 2 + a.size() / 100);
}

/// `--reference`: a step away at most.
void expect_near_literal(const Tensor& actual, const Tensor& literal,
                         const std::optional<FinalRound>& round) {
  const auto a = doubles_of(actual), e = doubles_of(literal);
  const double step = !round || round->stored ? 1 : round->scale;
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_LE(std::abs(a[i] - e[i]), 1.01 * step) << "element " << i << " of --reference";
}

class Fold : public ::testing::TestWithParam<FoldCase> {
 protected:
  void SetUp() override {
    ModelBuilder builder(GetParam().opset);
    FoldModel model = GetParam().build(builder);
    inputs_ = std::move(model.inputs);
    graph_ = builder.build(model.outputs);
    file_ = serialize_onnx(graph_);
  }
  Graph graph_;
  std::vector<std::byte> file_;
  Tensors inputs_;
};

TEST_P(Fold, StoresNoFloatBetweenIntegerOperators) {
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs_) shapes.push_back(input.shape());
  const Flow flow = Session::parse(file_, options_of(1, best_isa(), true)).flow(shapes);
  EXPECT_EQ(flow.float_round_trips, 0);
  EXPECT_EQ(flow.float_nodes, GetParam().float_nodes);
  std::map<std::string, int> places;
  for (const FlowNode& node : flow.nodes) {
    EXPECT_EQ(node.precision == "float", !node.reason.empty() && node.precision != "shape")
        << node.name << " (" << node.op << "): " << node.reason;
    // Why, and what in the model would help.
    if (node.precision == "float") {
      EXPECT_NE(node.reason.find("; "), std::string::npos) << node.name << ": " << node.reason;
    }
    for (const std::string& name : node.onnx_nodes) ++places[name];
  }
  for (const FlowRemoved& removed : flow.removed)
    for (const std::string& name : removed.onnx_nodes) ++places[name];
  const bool explained =
      GetParam().reason.empty() ||
      std::any_of(flow.nodes.begin(), flow.nodes.end(), [](const FlowNode& node) {
        return node.reason.find(GetParam().reason) != std::string::npos;
      });
  EXPECT_TRUE(explained) << "no reason says: " << GetParam().reason;
  for (const Node& node : graph_.nodes) EXPECT_EQ(places[node.name], 1) << node.name;
}

TEST_P(Fold, GivesTheSameBytesHoweverItRuns) {
  const Tensors expected = Session::parse(file_, options_of(1, Isa::scalar, false)).run(inputs_);
  int threads = 1;
  for (const Isa isa : supported_isas())
    for (const bool fusion : {true, false}) {
      const SessionOptions options = options_of(threads, isa, fusion);
      threads = threads % 3 + 1;
      expect_identical(Session::parse(file_, options).run(inputs_), expected, describe(options));
    }
}

TEST_P(Fold, DiffersFromTheOracleAtTiesOnly) {
  const Tensors actual = Session::parse(file_, options_of(1, best_isa(), true)).run(inputs_);
  Graph meant = graph_;
  if (GetParam().half_precision) widen_halves(meant);
  const Tensors reference = interpret(meant, inputs_);
  Graph unrounded = meant;
  std::vector<std::optional<FinalRound>> rounds;
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i)
    rounds.push_back(take_final_round(unrounded, i));
  const Tensors exact = interpret(unrounded, inputs_);
  ASSERT_EQ(actual.size(), reference.size());
  const Tensors literal = reference_of(graph_).run(inputs_);
  for (std::size_t i = 0; i < actual.size(); ++i) {
    SCOPED_TRACE("output " + std::to_string(i));
    ASSERT_EQ(actual[i].type(), literal[i].type());
    ASSERT_EQ(actual[i].shape(), literal[i].shape());
    ASSERT_EQ(actual[i].type(), reference[i].type());
    ASSERT_EQ(actual[i].shape(), reference[i].shape());
    if (rounds[i])
      expect_rounded(actual[i], reference[i], exact[i], *rounds[i]);
    else
      expect_close_to(actual[i], reference[i], GetParam().relative_error);
    expect_near_literal(actual[i], literal[i], rounds[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Fold, ::testing::ValuesIn(all_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace intact::testing

// The cases of libonnx-testdata through import, shape inference and the reference interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/onnx/onnx.hpp"
#include "intact/error.hpp"
#include "tests/test_data.hpp"

namespace intact {
namespace {

namespace fs = std::filesystem;

/// Holds folders node, simple, ... with the cases; the variable names newer ones.
fs::path data_folder() {
  const char* chosen = std::getenv("INTACT_ONNX_CASES");
  return chosen != nullptr ? chosen : "/usr/share/libonnx-testdata/data";
}
constexpr double relative = 1e-3, absolute = 1e-5;

/// One file per value of the graph, whose kind says what the file holds.
std::vector<Datum> load_numbered(const fs::path& folder, const std::string& stem,
                                 const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<Datum> data;
  for (int i = 0;; ++i) {
    const fs::path file = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return data;
    const auto at = static_cast<std::size_t>(i);
    const Value value = at < ids.size() ? graph.value(ids[at]) : Value{};
    data.push_back(load_data_proto(file, value.is_sequence, value.is_optional));
  }
}

bool close(double actual, double expected) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  return std::fabs(actual - expected) <= absolute + relative * std::fabs(expected);
}

/// Empty when equal within the tolerance.
std::string difference(const Tensor& actual, const Tensor& expected) {
  if (actual.type() != expected.type())
    return "type " + std::string(element_name(actual.type())) + ", expected " +
           std::string(element_name(expected.type()));
  if (actual.shape() != expected.shape())
    return "shape " + to_string(actual.shape()) + ", expected " + to_string(expected.shape());
  const Tensor a = convert(actual, ElementType::f64), b = convert(expected, ElementType::f64);
  for (std::size_t i = 0; i < a.data<double>().size(); ++i)
    if (!close(a.data<double>()[i], b.data<double>()[i]))
      return "element " + std::to_string(i) + " is " + std::to_string(a.data<double>()[i]) +
             ", expected " + std::to_string(b.data<double>()[i]);
  return "";
}

std::string difference(const Datum& actual, const Datum& expected) {
  if (actual.index() != expected.index()) return "a tensor and a sequence";
  if (const auto* tensor = std::get_if<Tensor>(&actual))
    return difference(*tensor, std::get<Tensor>(expected));
  const auto& a = std::get<std::vector<Tensor>>(actual);
  const auto& e = std::get<std::vector<Tensor>>(expected);
  if (a.size() != e.size())
    return std::to_string(a.size()) + " tensors, expected " + std::to_string(e.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    if (const std::string text = difference(a[i], e[i]); !text.empty())
      return "tensor " + std::to_string(i) + ": " + text;
  return "";
}

void refuse_random(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (definition_of(node).random) throw Unsupported(node.op + " is random");
}

/// The cases on bfloat16 hold u16 data, of other shapes than the model declares, truncated instead
/// of rounded.
void refuse_other_types(const Graph& graph, const std::vector<ValueId>& ids,
                        const std::vector<Datum>& data) {
  for (std::size_t i = 0; i < std::min(ids.size(), data.size()); ++i)
    if (const auto* tensor = std::get_if<Tensor>(&data[i]);
        tensor != nullptr && tensor->defined() && graph.value(ids[i]).type != tensor->type())
      throw Unsupported("the case's data do not have the types that its model declares");
}

/// Shape inference agrees with the shapes that the evaluation gave.
std::string wrong_inference(Graph graph, std::span<const Datum> inputs,
                            std::span<const Datum> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (const auto* tensor = std::get_if<Tensor>(&inputs[i]))
      graph.value(graph.inputs[i]).shape = tensor->shape();
  infer_shapes(graph);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Value& value = graph.value(graph.outputs[i]);
    const auto* tensor = std::get_if<Tensor>(&outputs[i]);
    if (tensor == nullptr) continue;
    if (value.shape && *value.shape != tensor->shape())
      return "inferred shape " + to_string(*value.shape) + " of output " + std::to_string(i) +
             ", but it has " + to_string(tensor->shape());
    if (value.type != tensor->type())
      return "inferred type " + std::string(element_name(value.type)) + " of output " +
             std::to_string(i) + ", but it has " + std::string(element_name(tensor->type()));
  }
  return "";
}

std::string run_data_set(const Graph& graph, const fs::path& folder) {
  const std::vector<Datum> inputs = load_numbered(folder, "input", graph, graph.inputs);
  const std::vector<Datum> expected = load_numbered(folder, "output", graph, graph.outputs);
  refuse_other_types(graph, graph.inputs, inputs);
  refuse_other_types(graph, graph.outputs, expected);
  const std::vector<Datum> outputs = interpret_data(graph, inputs);
  if (outputs.size() != expected.size())
    return std::to_string(outputs.size()) + " outputs, expected " + std::to_string(expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (const std::string text = difference(outputs[i], expected[i]); !text.empty())
      return "output " + std::to_string(i) + ": " + text;
  return wrong_inference(graph, inputs, outputs);
}

struct Outcome {
  enum { pass, fail, unsupported } kind = pass;
  std::string reason;
};

Outcome run_case(const fs::path& folder) {
  try {
    const Graph graph = load_onnx(folder / "model.onnx");
    refuse_random(graph);
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory()) continue;
      const std::string text = run_data_set(graph, entry.path());
      if (!text.empty()) return {Outcome::fail, text};
    }
    return {};
  } catch (const Unsupported& error) {
    return {Outcome::unsupported, error.what()};
  } catch (const std::exception& error) {
    return {Outcome::fail, error.what()};
  }
}

TEST(Conformance, OnnxCases) {
  if (const auto why = testing::why_missing_cases(data_folder()); !why.empty()) GTEST_SKIP() << why;
  int passed = 0, unsupported = 0;
  std::vector<std::string> failures;
  for (const char* group : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
    const fs::path folder = data_folder() / group;
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!fs::exists(entry.path() / "model.onnx")) continue;
      const Outcome outcome = run_case(entry.path());
      const std::string name = std::string(group) + "/" + entry.path().filename().string();
      if (outcome.kind == Outcome::pass) ++passed;
      if (outcome.kind == Outcome::fail) failures.push_back(name + ": " + outcome.reason);
      if (outcome.kind != Outcome::unsupported) continue;
      ++unsupported;
      std::cout << "unsupported " << name << ": " << outcome.reason << "\n";
    }
  }
  std::sort(failures.begin(), failures.end());
  for (const std::string& failure : failures) ADD_FAILURE() << failure;
  std::cout << passed << " passed, " << failures.size() << " failed, " << unsupported
            << " unsupported\n";
  EXPECT_GE(passed, 1000);
}

}  // namespace
}  // namespace intact

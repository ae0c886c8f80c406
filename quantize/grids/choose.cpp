// Methods and exceptions.
#include "quantize/grids/choose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>

#include "core/thread_team.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "quantize/calibration/ranges.hpp"

namespace intact {
namespace {

/// The element-wise functions of one tensor, constants aside, that alone read a tensor. Nodes that
/// spell out one function together are one.
class Functions {
 public:
  explicit Functions(const Graph& graph) : graph_(graph) {
    recognize_operators(graph_);
    consumers_ = graph_.consumers();
  }

  /// Null when something else reads the tensor.
  const Node* reader(ValueId id) const {
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
    if (readers.size() != 1 || graph_.is_output(id)) return nullptr;
    const Node& node = graph_.nodes[static_cast<std::size_t>(readers[0])];
    const bool alone = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId operand) {
      return operand == id || operand == no_value || graph_.is_constant(operand);
    });
    return alone && is_function(node) ? &node : nullptr;
  }

  void apply(const Node& node, std::span<float> values) const {
    std::vector<Tensor> inputs(node.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (node.has_input(i)) inputs[i] = graph_.value(node.inputs[i]).constant;
    inputs[0] = Tensor(ElementType::f32, {static_cast<std::int64_t>(values.size())});
    std::copy(values.begin(), values.end(), inputs[0].data<float>().begin());
    const Tensor images = definition_of(node).evaluate({node, inputs})[0];
    std::copy_n(images.data<float>().begin(), values.size(), values.begin());
  }

 private:
  static bool is_function(const Node& node) {
    constexpr std::array names = {"Swish",       "HardSwish", "Gelu", "Mish",      "Sigmoid",
                                  "HardSigmoid", "Tanh",      "Relu", "LeakyRelu", "Clip"};
    return std::any_of(names.begin(), names.end(), [&](const char* op) { return node.is(op); });
  }

  Graph graph_;
  std::vector<std::vector<int>> consumers_;
};

void add(std::map<std::size_t, ValueRange>& ranges, std::size_t group, const ValueRange& range) {
  const auto [known, is_new] = ranges.try_emplace(group, range);
  if (!is_new) known->second = join(known->second, range);
}

}  // namespace

std::vector<ValueRange> choose_ranges(const Graph& graph, std::span<const ValueId> tensors,
                                      std::span<const TensorStatistics> statistics,
                                      CalibrationMethod method, int threads) {
  std::vector<ValueRange> ranges(tensors.size());
  const Functions functions(graph);
  std::atomic<std::size_t> next{0};
  run_parallel(threads, [&](Part, Barrier&) {
    for (std::size_t i = next++; i < tensors.size(); i = next++) {
      // Images fill their range, and the largest output is the answer: nothing is an outlier there.
      const bool at_border =
          std::find(graph.inputs.begin(), graph.inputs.end(), tensors[i]) != graph.inputs.end() ||
          graph.is_output(tensors[i]);
      const bool least_squares =
          method == CalibrationMethod::mse || method == CalibrationMethod::automatic;
      const Node* function = least_squares && !at_border ? functions.reader(tensors[i]) : nullptr;
      ranges[i] = function
                      ? least_squares_range(
                            statistics[i].histogram(),
                            [&](std::span<float> values) { functions.apply(*function, values); })
                      : choose_range(at_border ? CalibrationMethod::minmax : method, statistics[i]);
    }
  });
  return ranges;
}

std::vector<ValueRange> given_ranges(const Graph& graph, const GridPlan& plan,
                                     const std::map<std::string, ValueRange>& ranges) {
  std::map<std::string, ValueId> named;
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    named[graph.values[i].name] = static_cast<ValueId>(i);
  // By the tensors that share a grid in any case, and by those that share one if no Concat is kept
  // apart: of these, one is enough.
  std::map<std::size_t, ValueRange> of_moved, of_joined;
  for (const auto& [name, range] : ranges) {
    const auto found = named.find(name);
    if (found == named.end())
      throw Error(fmt::format("a range is given for '{}', but the model has no such tensor", name));
    if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max)
      throw Error(
          fmt::format("the range given for '{}' is {} to {}; it has to go from a finite "
                      "number to one that is not smaller",
                      name, range.min, range.max));
    if (!plan.on_grid(found->second)) continue;
    add(of_moved, plan.moved_group(found->second), range);
    add(of_joined, plan.joined_group(found->second), range);
  }
  std::vector<ValueRange> result;
  for (const ValueId id : plan.measured()) {
    const auto moved = of_moved.find(plan.moved_group(id));
    const auto joined = of_joined.find(plan.joined_group(id));
    if (joined == of_joined.end())
      throw Error(fmt::format("no range is given for tensor '{}' nor for any that shares its grid",
                              graph.value(id).name));
    result.push_back(moved != of_moved.end() ? moved->second : joined->second);
  }
  return result;
}

}  // namespace intact

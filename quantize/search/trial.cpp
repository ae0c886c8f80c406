// Sums over samples.
#include "quantize/search/trial.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quantize/calibration/observed_model.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

/// Of all inputs and outputs that are kept: 64 MB of floats.
constexpr std::int64_t most_elements = std::int64_t{1} << 24;
/// For looking at every operator, which says where error arises rather than how much exactly.
constexpr std::size_t operator_samples = 4;

std::int64_t elements_of(std::span<const Tensor> tensors) {
  std::int64_t sum = 0;
  for (const Tensor& tensor : tensors) sum += tensor.size();
  return sum;
}

struct Difference {
  double signal = 0, noise = 0;
  std::int64_t rows = 0, other_rows = 0;

  double decibels() const {
    return noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
  }
};

void add_noise(std::span<const float> expected, std::span<const float> given, Difference& sum) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double e = static_cast<double>(expected[i]);
    const double d = e - static_cast<double>(given[i]);
    sum.signal += e * e;
    sum.noise += d * d;
  }
}

/// Rows lie along the last axis.
void add_rows(const Tensor& expected, const Tensor& given, Difference& sum) {
  const auto columns = expected.rank() == 0 ? std::int64_t{1} : expected.shape().back();
  if (columns < 2) return;
  const float* a = expected.data<float>().data();
  const float* b = given.data<float>().data();
  for (std::int64_t row = 0; row < expected.size() / columns; ++row, a += columns, b += columns) {
    ++sum.rows;
    if (std::max_element(a, a + columns) - a != std::max_element(b, b + columns) - b)
      ++sum.other_rows;
  }
}

}  // namespace

Trial::Trial(const Graph& graph, const CalibrationData& data, int samples, int most, int threads) {
  const ObservedModel model(graph, graph.outputs, threads);
  const CalibrationSource source = data();
  int count = std::min(samples, most);
  for (int i = 0; i < samples && kept() < count; ++i) {
    auto sample = source();
    if (i != kept() * samples / count) continue;
    outputs_.push_back(model.run(*sample));
    inputs_.push_back(std::move(*sample));
    const std::int64_t elements = elements_of(inputs_[0]) + elements_of(outputs_[0]);
    if (kept() == 1)
      count = std::clamp(static_cast<int>(most_elements / std::max<std::int64_t>(elements, 1)), 1,
                         count);
  }
}

Agreement Trial::run(const Graph& quantized, int most) const {
  const ObservedModel model(quantized, quantized.outputs, 1);
  Difference sum;
  for (std::size_t i = 0; i < inputs_.size() && static_cast<int>(i) < most; ++i) {
    const std::vector<Tensor> given = model.run(inputs_[i]);
    for (std::size_t k = 0; k < given.size(); ++k) {
      const Tensor& expected = outputs_[i][k];
      if (expected.type() != ElementType::f32 || expected.size() != given[k].size()) continue;
      add_noise(expected.data<float>(), given[k].data<float>(), sum);
      if (k == 0) add_rows(expected, given[k], sum);
    }
  }
  Agreement result;
  result.sqnr_db = sum.decibels();
  if (sum.rows > 0)
    result.disagreement = static_cast<double>(sum.other_rows) / static_cast<double>(sum.rows);
  return result;
}

std::map<std::string, double> Trial::by_operator(const Graph& graph, const Graph& quantized,
                                                 int threads) const {
  std::map<std::string, ValueId> results;
  for (const Node& node : quantized.nodes) results[node.name] = node.outputs[0];
  std::vector<std::string> names;
  std::vector<ValueId> expected, given;
  for (const Node& node : graph.nodes) {
    const auto found = results.find(node.name);
    if (found == results.end() || graph.value(node.outputs[0]).type != ElementType::f32 ||
        quantized.value(found->second).type != ElementType::f32)
      continue;
    names.push_back(node.name);
    expected.push_back(node.outputs[0]);
    given.push_back(found->second);
  }
  const ObservedModel real(graph, expected, threads), integer(quantized, given, threads);
  std::vector<Difference> sums(names.size());
  for (std::size_t s = 0; s < std::min(inputs_.size(), operator_samples); ++s) {
    const std::vector<Tensor> a = real.run(inputs_[s]), b = integer.run(inputs_[s]);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (a[i].shape() == b[i].shape()) add_noise(a[i].data<float>(), b[i].data<float>(), sums[i]);
  }
  std::map<std::string, double> result;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (sums[i].signal > 0) result[names[i]] = sums[i].decibels();
  return result;
}

Graph quantized_graph(const Graph& graph, const Selection& selection, const GridPlan& plan,
                      std::span<const std::optional<AdaptedWeights>> weights) {
  Graph quantized = graph;
  quantize_constants(quantized, selection, plan, weights);
  insert_rounds(quantized, selection, plan, weights);
  return quantized;
}

}  // namespace intact

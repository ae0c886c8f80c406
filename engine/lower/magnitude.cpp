// Bounds of magnitudes, backwards from a value to grids and constants.
#include "engine/lower/magnitude.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "graph/folding.hpp"

namespace intact {
namespace {

bool is_one_of(const Node& node, std::initializer_list<std::string_view> ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end();
}

/// |f(x)| <= max(|x|, 1).
bool shrinks(const Node& node) {
  return is_one_of(node, {"Relu", "Sigmoid", "HardSigmoid", "Tanh", "Swish", "Gelu", "HardSwish",
                          "Mish", "Softsign", "Erf", "Sin", "Cos", "Abs", "Neg"});
}

/// Each result is a mean or an extreme of elements, or an element.
bool joins(const Node& node) {
  return moves_data(node) ||
         is_one_of(node, {"AveragePool", "GlobalAveragePool", "ReduceMean", "MaxPool", "Identity"});
}

double largest(const Tensor& reals) {
  double result = 0;
  for (const float x : reals.data<float>())
    result = std::max(result, std::abs(static_cast<double>(x)));
  return result;
}

double largest_of(const Grid& grid) {
  const double low = lowest(grid.type) - static_cast<double>(grid.zero_point[0]);
  const double high = highest(grid.type) - static_cast<double>(grid.zero_point[0]);
  return std::max(std::abs(low), std::abs(high)) * static_cast<double>(grid.scale[0]);
}

}  // namespace

std::optional<double> Magnitudes::bound(ValueId id) {
  if (const auto found = known_.find(id); found != known_.end()) return found->second;
  known_[id] = std::nullopt;
  const Value& value = lowering_.value(id);
  std::optional<double> result;
  if (lowering_.is_constant(id) && value.type == ElementType::f32)
    result = largest(lowering_.real_constant_of(id));
  else if (value.grid && value.grid->per_tensor())
    result = largest_of(*value.grid);
  else if (const Node* node = lowering_.producer(id); node != nullptr && !value.grid)
    result = computed(*node);
  if (result && !(*result < 1e30)) result.reset();
  return known_[id] = result;
}

double Magnitudes::largest_column(const Node& node) const {
  const Tensor weights = lowering_.real_constant_of(node.inputs[1]);
  const auto reals = weights.data<float>();
  const bool in_rows = node.is("Conv") || node.attributes.integer("transB", 0) != 0;
  const auto columns =
      static_cast<std::size_t>(in_rows ? weights.shape().front() : weights.shape().back());
  const std::size_t terms = reals.size() / std::max<std::size_t>(columns, 1);
  std::vector<double> sums(columns, 0);
  for (std::size_t i = 0; i < reals.size(); ++i)
    sums[in_rows ? i / terms : i % columns] += std::abs(static_cast<double>(reals[i]));
  return sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
}

std::optional<double> Magnitudes::product(const Node& node) {
  const auto x = bound(node.inputs[0]);
  if (!x || !lowering_.is_constant(node.inputs[1])) return std::nullopt;
  const bool gemm = node.is("Gemm");
  double result = *x * largest_column(node);
  if (gemm) result *= std::abs(static_cast<double>(node.attributes.number("alpha", 1)));
  if (!node.has_input(2)) return result;
  const auto bias = bound(node.inputs[2]);
  if (!bias) return std::nullopt;
  const double beta = gemm ? std::abs(static_cast<double>(node.attributes.number("beta", 1))) : 1;
  return result + beta * *bias;
}

std::optional<double> Magnitudes::computed(const Node& node) {
  if (is_one_of(node, {"Conv", "MatMul", "Gemm"})) return product(node);
  if (node.is("Softmax")) return 1;
  const auto first = node.has_input(0) ? bound(node.inputs[0]) : std::nullopt;
  if (const auto bounds = clamp_bounds(lowering_.graph(), node); bounds && node.is("Clip")) {
    const double low = std::abs(static_cast<double>(bounds->first));
    const double high = std::abs(static_cast<double>(bounds->second));
    if (std::isfinite(low) && std::isfinite(high)) return std::max(low, high);
    if (!first) return std::nullopt;
    return std::max({*first, std::isfinite(low) ? low : 0, std::isfinite(high) ? high : 0});
  }
  if (!first) return std::nullopt;
  if (shrinks(node)) return std::max(*first, 1.0);
  if (node.is("LeakyRelu"))
    return *first *
           std::max(1.0, std::abs(static_cast<double>(node.attributes.number("alpha", 0.01f))));
  if (joins(node) && !node.is("Concat")) return first;
  if (!is_one_of(node, {"Add", "Sub", "Mul"})) return std::nullopt;
  const auto second = bound(node.inputs[1]);
  if (!second) return std::nullopt;
  return node.is("Mul") ? *first * *second : *first + *second;
}

}  // namespace intact

// Figures of tensors, from their histograms.
#include "quantize/grids/report.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace intact {
namespace {

constexpr std::size_t report_bins = 128;

/// What rounding and clipping to the grid do to the values, which stand for `histogram.total()`.
void measure(const Histogram& histogram, const Grid& grid, TensorReport& report) {
  const double scale = static_cast<double>(grid.scale[0]);
  const double low = lowest(grid.type) - grid.zero_point[0];
  const double high = highest(grid.type) - grid.zero_point[0];
  double signal = 0, noise = 0, outside = 0;
  const double first = static_cast<double>(histogram.extremes().min);
  const double extent = static_cast<double>(histogram.extremes().max) - first;
  report.histogram.assign(report_bins, 0);
  const auto bin_of = [&](double value) {
    const double share = extent > 0 ? (value - first) / extent : 0;
    return std::min(static_cast<std::size_t>(share * report_bins), report_bins - 1);
  };
  for (const Histogram::Point& point : histogram.points()) {
    const auto count = static_cast<double>(point.count);
    const double steps = point.value / scale;
    const double error = point.value - scale * std::clamp(std::nearbyint(steps), low, high);
    signal += count * point.value * point.value;
    noise += count * error * error;
    if (steps < low - 0.5 || steps > high + 0.5) outside += count;
    report.histogram[bin_of(point.value)] += point.count;
  }
  if (histogram.zeros() > 0) report.histogram[bin_of(0)] += histogram.zeros();
  if (histogram.total() > 0) report.saturated = outside / static_cast<double>(histogram.total());
  if (noise > 0) report.sqnr_db = 10 * std::log10(signal / noise);
}

}  // namespace

std::vector<TensorReport> report_tensors(const Graph& graph, const GridPlan& plan,
                                         std::span<const TensorStatistics> statistics) {
  std::map<ValueId, std::size_t> measured;
  for (std::size_t i = 0; i < plan.measured().size(); ++i) measured[plan.measured()[i]] = i;
  std::vector<TensorReport> reports;
  std::map<std::size_t, std::string> first_of_group;
  std::set<std::size_t> result_of_kept_apart;
  for (const KeptApart& kept : plan.kept_apart()) {
    const Node& concat = graph.nodes[static_cast<std::size_t>(kept.node)];
    result_of_kept_apart.insert(plan.group(concat.outputs[0]));
  }
  for (const ValueId id : plan.measured()) result_of_kept_apart.erase(plan.group(id));
  const auto add = [&](ValueId id) {
    if (id == no_value || !plan.on_grid(id)) return;
    const Grid& grid = plan.grid(id);
    TensorReport report;
    report.name = graph.value(id).name;
    report.range = plan.range(id);
    report.type = grid.type;
    report.scale = grid.scale[0];
    report.zero_point = grid.zero_point[0];
    const auto [first, is_new] = first_of_group.try_emplace(plan.group(id), report.name);
    if (!is_new) report.shares_with = first->second;
    report.follows = result_of_kept_apart.contains(plan.group(id));
    if (const auto found = measured.find(id); found != measured.end() && !statistics.empty()) {
      const Histogram& histogram = statistics[found->second].histogram();
      report.values = histogram.extremes();
      measure(histogram, grid, report);
    }
    reports.push_back(std::move(report));
  };
  for (const ValueId id : graph.inputs) add(id);
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.outputs) add(id);
  return reports;
}

std::map<std::string, ValueRange> QuantizeReport::ranges() const {
  std::map<std::string, ValueRange> result;
  for (const TensorReport& tensor : tensors)
    if (tensor.shares_with.empty() && !tensor.follows) result[tensor.name] = tensor.range;
  return result;
}

void report_operators(const Graph& graph, const Selection& selection, QuantizeReport& report) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Choice& choice = selection.nodes[i];
    const Node& node = graph.nodes[i];
    if (choice.role)
      report.quantized.push_back(node.name);
    else if (!choice.reason.empty())
      report.kept_float.emplace_back(node.name, choice.reason);
    else
      continue;
    OperatorReport& entry = report.operators.emplace_back();
    entry.name = node.name;
    entry.op = node.op;
    entry.output = graph.value(node.outputs[0]).name;
    entry.integer = choice.role.has_value();
    entry.reason = choice.reason;
  }
}

}  // namespace intact

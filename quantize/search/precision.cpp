// Leave one out: what each grid costs, measured with all others in place.
#include "quantize/search/precision.hpp"

#include <algorithm>
#include <atomic>

#include "core/thread_team.hpp"
#include "quantize/progress.hpp"

namespace intact {
namespace {

constexpr int ranking_samples = 4;
/// After a gain like this, what the others would gain is another thing.
constexpr double least_order_change_db = 3;

/// Of products with constant weights and of two activations; 0 for other operators.
double multiply_adds(const Graph& graph, const Node& node, const Choice& choice) {
  if (choice.role != Role::product && choice.role != Role::matrices) return 0;
  const auto size = [&](ValueId id) {
    const Value& value = graph.value(id);
    const Shape& shape = value.is_constant() ? value.constant.shape() : *value.shape;
    return static_cast<double>(element_count(shape));
  };
  const Value& second = graph.value(node.inputs[1]);
  const Shape& shape = second.is_constant() ? second.constant.shape() : *second.shape;
  const auto extent = [&](std::size_t axis) { return static_cast<double>(shape[axis]); };
  if (choice.role == Role::matrices) return size(node.outputs[0]) * extent(shape.size() - 2);
  if (node.is("ConvTranspose")) return size(node.inputs[0]) * size(node.inputs[1]) / extent(0);
  return size(node.outputs[0]) * size(node.inputs[1]) /
         extent(static_cast<std::size_t>(output_channel_axis(node)));
}

}  // namespace

PrecisionSearch::PrecisionSearch(const Graph& graph, std::set<std::string> excluded,
                                 const GridPlan& plan,
                                 std::span<const std::optional<AdaptedWeights>> weights,
                                 const Trial& trial, int threads, const QuantizeProgress& progress)
    : graph_(graph),
      excluded_(std::move(excluded)),
      full_plan_(plan),
      weights_(weights),
      trial_(trial),
      progress_(progress),
      threads_(threads) {}

GridPlan PrecisionSearch::plan(const Selection& selection) const {
  GridPlan result(graph_, selection, full_plan_.format());
  std::vector<ValueRange> ranges;
  for (const ValueId id : result.measured()) ranges.push_back(full_plan_.range(id));
  result.set_ranges(graph_, ranges);
  return result;
}

Agreement PrecisionSearch::agreement(const std::set<std::string>& excluded,
                                     int most_samples) const {
  const Selection selection = select_operators(graph_, excluded);
  std::vector<std::optional<AdaptedWeights>> weights(weights_.begin(), weights_.end());
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (selection.nodes[i].role != Role::product) weights[i].reset();
  return trial_.run(quantized_graph(graph_, selection, plan(selection), weights), most_samples);
}

void PrecisionSearch::rank() {
  ranking_.clear();
  taken_ = 0;
  const Selection selection = this->selection();
  const GridPlan plan(graph_, selection, full_plan_.format());
  double total = 0;
  std::map<std::size_t, GridReaders> readers;
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Choice& choice = selection.nodes[i];
    const Node& node = graph_.nodes[i];
    const double macs = multiply_adds(graph_, node, choice);
    total += macs;
    if (!choice.role) continue;
    for (const std::size_t operand : choice.operands) {
      if (graph_.is_constant(node.inputs[operand])) continue;
      GridReaders& entry = readers[plan.group(node.inputs[operand])];
      if (!entry.nodes.empty() && entry.nodes.back() == node.name) continue;
      entry.nodes.push_back(node.name);
      entry.share += macs;
    }
  }
  const double before = agreement(excluded_, ranking_samples).sqnr_db;
  for (auto& [group, entry] : readers) {
    entry.share /= std::max(total, 1.0);
    ranking_.push_back(std::move(entry));
  }
  std::atomic<std::size_t> next{0};
  Phase phase(progress_, "gain of each grid in float", static_cast<int>(ranking_.size()));
  run_parallel(threads_, [&](Part, Barrier&) {
    for (std::size_t i = next++; i < ranking_.size(); i = next++) {
      std::set<std::string> excluded = excluded_;
      excluded.insert(ranking_[i].nodes.begin(), ranking_[i].nodes.end());
      ranking_[i].gain_db = agreement(excluded, ranking_samples).sqnr_db - before;
      phase.step();
    }
  });
  for (const GridReaders& entry : ranking_)
    for (const std::string& name : entry.nodes) gains_db_[name] = entry.gain_db;
  std::stable_sort(
      ranking_.begin(), ranking_.end(),
      [](const GridReaders& a, const GridReaders& b) { return a.gain_db > b.gain_db; });
}

bool PrecisionSearch::meet(const Goal& goal, double least_gain_db, double largest_share) {
  Agreement now = agreement(excluded_);
  if (!goal.met_by(now) && ranking_.empty()) rank();
  while (!goal.met_by(now) && taken_ < ranking_.size()) {
    const GridReaders next = ranking_[taken_++];
    if (next.gain_db < least_gain_db / 2) break;
    if (share_ + next.share > largest_share) continue;
    std::set<std::string> more = excluded_;
    more.insert(next.nodes.begin(), next.nodes.end());
    const Agreement then = agreement(more);
    const bool fewer = goal.disagreement < 1 && then.disagreement < now.disagreement;
    if (then.sqnr_db < now.sqnr_db + least_gain_db && !fewer) continue;
    const bool other_order = then.sqnr_db > now.sqnr_db + least_order_change_db;
    share_ += next.share;
    excluded_ = std::move(more);
    now = then;
    if (other_order && !goal.met_by(now)) rank();
  }
  return goal.met_by(now);
}

}  // namespace intact

// Leave one out: what each grid costs, measured with all others in place.
#include "quantize/search/precision.hpp"

#include <fmt/format.h>

#include <atomic>

#include "core/thread_team.hpp"
#include "quantize/progress.hpp"

namespace intact {
namespace {

constexpr int ranking_samples = 4;
/// Of the ranking, when several operators are left in float together.
constexpr std::size_t most_parts = 16;
/// After a gain like this, what the others would gain is another thing.
constexpr double least_order_change_db = 3;

}  // namespace

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

void PrecisionSearch::rank() {
  taken_ = 0;
  ranking_ = model_.readers(excluded_);
  const double before = agreement(excluded_, ranking_samples).sqnr_db;
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

Agreement PrecisionSearch::spare(const Goal& goal, double least_gain_db, double largest_share) {
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
  return now;
}

bool PrecisionSearch::meet(const Goal& goal) {
  for (;;) {
    const Agreement now = spare(goal, least_gain_db, 1);
    if (goal.met_by(now)) return true;
    if (!spare_together(now)) return false;
  }
}

bool PrecisionSearch::spare_together(const Agreement& now) {
  rank();
  for (std::size_t parts = 1; parts <= most_parts; ++parts) {
    std::set<std::string> more = excluded_;
    for (std::size_t i = 0; i < (ranking_.size() * parts + most_parts - 1) / most_parts; ++i)
      more.insert(ranking_[i].nodes.begin(), ranking_[i].nodes.end());
    if (!(agreement(more).sqnr_db >= now.sqnr_db + least_gain_db)) continue;
    excluded_ = std::move(more);
    rank();
    return true;
  }
  return false;
}

void PrecisionSearch::report_gains(QuantizeReport& report) const {
  for (OperatorReport& entry : report.operators) {
    if (const auto gain = gains_db_.find(entry.name); gain != gains_db_.end())
      entry.float_gain_db = gain->second;
    if (entry.integer || excluded_before_.contains(entry.name) || !excluded_.contains(entry.name))
      continue;
    entry.reason = fmt::format("for accuracy: {:.1f} dB more", gains_db_.at(entry.name));
    for (auto& [name, reason] : report.kept_float)
      if (name == entry.name) reason = entry.reason;
  }
}

std::optional<Goal> goal_of(const QuantizeOptions& options) {
  if (!options.target_sqnr_db && !options.max_drop) return std::nullopt;
  return Goal{options.target_sqnr_db.value_or(0), options.max_drop.value_or(1)};
}

void note_missed_goals(const QuantizeOptions& options, const Agreement& reached,
                       QuantizeReport& report) {
  if (options.target_sqnr_db && reached.sqnr_db < *options.target_sqnr_db)
    report.notes.push_back(fmt::format(
        "the target of {:.1f} dB is not met: {:.1f} dB with every operator in float that helps",
        *options.target_sqnr_db, reached.sqnr_db));
  if (options.max_drop && reached.disagreement > *options.max_drop)
    report.notes.push_back(fmt::format(
        "the largest drop of {:.4f} is not met: {:.4f} with every operator in float that helps",
        *options.max_drop, reached.disagreement));
}

}  // namespace intact

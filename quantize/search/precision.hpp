// Mixed precision: which operators have to stay float so that the model agrees well enough.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "quantize/search/trial.hpp"

namespace intact {

/// With a goal, whatever gains more than trials differ by chance.
constexpr double least_gain_db = 0.02;

struct Goal {
  double sqnr_db = 0;
  double disagreement = 1;  ///< share of rows, at most

  bool met_by(const Agreement& agreement) const {
    return agreement.sqnr_db >= sqnr_db && agreement.disagreement <= disagreement;
  }
};

/// Operators that read one grid. Left in float together, they spare the model its rounding.
struct GridReaders {
  std::vector<std::string> nodes;  ///< names
  double share = 0;                ///< of the model's multiply-adds
  double gain_db = 0;              ///< signal-to-noise ratio of the model with them in float, more
};

/// The readers of all grids, whose `share` is a number of multiply-adds so far, of `total`.
template <class Key>
std::vector<GridReaders> with_shares(std::map<Key, GridReaders> by_grid, double total) {
  std::vector<GridReaders> result;
  for (auto& [grid, entry] : by_grid) {
    entry.share /= std::max(total, 1.0);
    result.push_back(std::move(entry));
  }
  return result;
}

/// A float model of which some operators are quantized.
class MixedModel {
 public:
  virtual ~MixedModel() = default;
  /// `excluded`: names of nodes that stay float. Several calls may run at once.
  virtual Graph quantized(const std::set<std::string>& excluded) const = 0;
  /// Every grid of that graph.
  virtual std::vector<GridReaders> readers(const std::set<std::string>& excluded) const = 0;
};

class PrecisionSearch {
 public:
  /// `excluded`: names of nodes that stay float in any case.
  PrecisionSearch(const MixedModel& model, std::set<std::string> excluded, const Trial& trial,
                  int threads, const QuantizeProgress& progress)
      : model_(model),
        excluded_before_(excluded),
        excluded_(std::move(excluded)),
        trial_(trial),
        progress_(progress),
        threads_(threads) {}

  /// Excludes readers, those first that gain most, until a trial meets the goal: each gains at
  /// least `least_gain_db`, and all together have at most `largest_share` of the multiply-adds. How
  /// well the model then agrees. Another call goes on.
  Agreement spare(const Goal& goal, double least_gain_db, double largest_share);
  /// Excludes readers until a trial meets the goal, several at once where none gains alone. False
  /// when that does not help either. Another call goes on.
  bool meet(const Goal& goal);

  const std::set<std::string>& excluded() const { return excluded_; }
  /// What each operator gained when it was ranked last, and which stay float for it.
  void report_gains(QuantizeReport& report) const;

 private:
  Agreement agreement(const std::set<std::string>& excluded, int most_samples = Trial::all) const {
    return trial_.run(model_.quantized(excluded), most_samples);
  }
  void rank();
  /// Where each grid hides what the others cost: the fewest of the ranking that together gain.
  bool spare_together(const Agreement& now);

  const MixedModel& model_;
  const std::set<std::string> excluded_before_;
  std::set<std::string> excluded_;
  const Trial& trial_;
  const QuantizeProgress& progress_;
  int threads_;
  std::vector<GridReaders> ranking_;  ///< most gain first
  std::map<std::string, double> gains_db_;
  std::size_t taken_ = 0;  ///< of the ranking
  double share_ = 0;
};

/// What options.target_sqnr_db and max_drop ask for; nothing when neither is given.
std::optional<Goal> goal_of(const QuantizeOptions& options);
/// A note for each that `reached` does not meet.
void note_missed_goals(const QuantizeOptions& options, const Agreement& reached,
                       QuantizeReport& report);

/// Calls `finish(excluded)` for the finished model until it meets the goal, or no operator in float
/// helps: a search with quicker models says which to try.
template <class Finish>
Graph meet_goal(PrecisionSearch& search, const Goal& goal, const Trial& trial,
                const Finish& finish) {
  for (Goal wanted = goal;;) {
    const bool more = search.meet(wanted);
    Graph quantized = finish(search.excluded());
    if (!more) return quantized;
    const Agreement reached = trial.run(quantized);
    if (goal.met_by(reached)) return quantized;
    wanted.sqnr_db += std::max(goal.sqnr_db - reached.sqnr_db, 0.0) + 0.25;
    wanted.disagreement *= 0.75;
  }
}

/// Of products with constant weights and of two activations; 0 for other operators.
double multiply_adds(const Graph& graph, const Node& node, const Choice& choice);

}  // namespace intact

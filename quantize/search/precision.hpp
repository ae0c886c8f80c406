// Mixed precision: which operators have to stay float so that the model agrees well enough.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "quantize/search/trial.hpp"

namespace intact {

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

class PrecisionSearch {
 public:
  /// `excluded`: names of nodes that stay float in any case; `plan`: with its ranges set.
  PrecisionSearch(const Graph& graph, std::set<std::string> excluded, const GridPlan& plan,
                  std::span<const std::optional<AdaptedWeights>> weights, const Trial& trial,
                  int threads, const QuantizeProgress& progress);

  /// Excludes more readers, those first that gain most, until a trial meets the goal: each gains at
  /// least `least_gain_db`, and all together have at most `largest_share` of the multiply-adds.
  /// False when there are no more. Another call goes on.
  bool meet(const Goal& goal, double least_gain_db, double largest_share);

  const std::set<std::string>& excluded() const { return excluded_; }
  /// Of the model without these.
  Selection selection() const { return select_operators(graph_, excluded_); }
  GridPlan plan(const Selection& selection) const;
  /// By name of each operator that reads a grid, what it gained when it was ranked last; empty when
  /// the first goal was met at once.
  const std::map<std::string, double>& gains_db() const { return gains_db_; }

 private:
  Agreement agreement(const std::set<std::string>& excluded, int most_samples = Trial::all) const;
  void rank();

  const Graph& graph_;
  std::set<std::string> excluded_;
  const GridPlan& full_plan_;
  std::span<const std::optional<AdaptedWeights>> weights_;
  const Trial& trial_;
  const QuantizeProgress& progress_;
  int threads_;
  std::vector<GridReaders> ranking_;  ///< most gain first
  std::map<std::string, double> gains_db_;
  std::size_t taken_ = 0;  ///< of the ranking
  double share_ = 0;
};

}  // namespace intact

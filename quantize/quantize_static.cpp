// Static quantization from file to file.
#include <fmt/format.h>

#include <map>
#include <set>

#include "intact/quantize.hpp"
#include "quantize/calibration/collector.hpp"
#include "quantize/calibration/ranges.hpp"
#include "quantize/equalization/equalize.hpp"
#include "quantize/equalization/smooth.hpp"
#include "quantize/grids/choose.hpp"
#include "quantize/grids/plan.hpp"
#include "quantize/grids/report.hpp"
#include "quantize/prepare.hpp"
#include "quantize/progress.hpp"
#include "quantize/search/precision.hpp"
#include "quantize/search/ranges.hpp"
#include "quantize/search/trial.hpp"
#include "quantize/select/patterns.hpp"
#include "quantize/select/selection.hpp"
#include "quantize/weights/adapt.hpp"

namespace intact {
namespace {

/// Without a goal of the user, a model of less is spared its worst operators, of this share of all
/// multiply-adds.
constexpr double sound_sqnr_db = 20;
constexpr double spared_share = 0.05;
constexpr double least_spared_db = 1;

/// Shapes follow from it.
std::vector<Tensor> shaping_sample(const Graph& graph, const CalibrationData& data,
                                   const QuantizeOptions& options) {
  if (data || options.ranges.empty()) return first_sample(data);
  if (options.preprocess)
    throw Error(
        "ranges alone are not enough, for pre-processing evens out channels by the samples: give "
        "those too, or leave pre-processing out (--no-preprocess)");
  return sample_of_declared_shapes(graph);
}

/// Why the Concats that are kept apart are, by name.
std::map<std::string, std::string> reasons_apart(const Graph& graph, const GridPlan& plan) {
  std::map<std::string, std::string> reasons;
  for (const KeptApart& kept : plan.kept_apart())
    reasons[graph.nodes[static_cast<std::size_t>(kept.node)].name] =
        fmt::format("one grid for all would leave '{}' {:.2g} of its 255 steps",
                    graph.value(kept.finest).name, kept.steps);
  return reasons;
}

void note_unused_ranges(const QuantizeOptions& options, QuantizeReport& report) {
  for (const TensorReport& tensor : report.tensors)
    if (tensor.follows && options.ranges.contains(tensor.name))
      report.notes.push_back(
          fmt::format("the range given for '{}' is not used: a Concat that is kept apart writes it, "
                      "so that its range holds those of the operands",
                      tensor.name));
}

/// Adds what clipping takes from means to what biases change; false when that is nothing.
bool take_over_clipping(std::span<std::optional<AdaptedWeights>> weights) {
  bool any = false;
  for (std::optional<AdaptedWeights>& adapted : weights) {
    if (!adapted) continue;
    for (std::size_t c = 0; c < adapted->clipping_change.size(); ++c) {
      any = any || adapted->clipping_change[c] != 0;
      adapted->bias_change[c] += adapted->clipping_change[c];
    }
  }
  return any;
}

/// Trials have the nearest weights.
class NearestModel : public MixedModel {
 public:
  /// `plan`: of all operators, with its ranges set.
  NearestModel(const Graph& graph, const GridPlan& plan,
               std::span<const std::optional<AdaptedWeights>> weights)
      : graph_(graph), full_plan_(plan), weights_(weights) {}

  GridPlan plan(const Selection& selection) const {
    return full_plan_.restricted(graph_, selection);
  }

  Graph quantized(const std::set<std::string>& excluded) const override {
    const Selection selection = select_operators(graph_, excluded);
    return quantized_graph(graph_, selection, plan(selection), weights_);
  }

  std::vector<GridReaders> readers(const std::set<std::string>& excluded) const override {
    const Selection selection = select_operators(graph_, excluded);
    const GridPlan plan = this->plan(selection);
    double total = 0;
    std::map<std::size_t, GridReaders> by_group;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Choice& choice = selection.nodes[i];
      const Node& node = graph_.nodes[i];
      const double macs = multiply_adds(graph_, node, choice);
      total += macs;
      if (!choice.role) continue;
      for (const std::size_t operand : choice.operands) {
        if (graph_.is_constant(node.inputs[operand])) continue;
        GridReaders& entry = by_group[plan.group(node.inputs[operand])];
        if (!entry.nodes.empty() && entry.nodes.back() == node.name) continue;
        entry.nodes.push_back(node.name);
        entry.share += macs;
      }
    }
    return with_shares(std::move(by_group), total);
  }

 private:
  const Graph& graph_;
  const GridPlan& full_plan_;
  std::span<const std::optional<AdaptedWeights>> weights_;
};

/// Everything between the prepared float graph and the quantized one.
class StaticQuantizer {
 public:
  StaticQuantizer(const Graph& graph, std::set<std::string> excluded, const CalibrationData& data,
                  const QuantizeOptions& options)
      : graph_(graph), excluded_(std::move(excluded)), data_(data), options_(options) {}

  Graph run(QuantizeReport& report);

 private:
  std::vector<ValueRange> ranges(const Selection& selection, const GridPlan& plan,
                                 const Collector& collector) const;
  void exclude_heads(const Selection& selection, const GridPlan& plan);
  void report_selection(const Selection& selection, const GridPlan& plan,
                        QuantizeReport& report) const;
  Graph finish(const Selection& selection, const GridPlan& plan) const;

  const Graph& graph_;
  std::set<std::string> excluded_;
  const CalibrationData& data_;
  const QuantizeOptions& options_;
  std::map<std::string, std::string> heads_;  ///< Concats that stay float, with the reason
  int samples_ = 0;
  std::optional<Trial> trial_;
  std::vector<std::optional<AdaptedWeights>> nearest_;
};

std::vector<ValueRange> StaticQuantizer::ranges(const Selection& selection, const GridPlan& plan,
                                                const Collector& collector) const {
  if (!options_.ranges.empty()) return given_ranges(graph_, plan, options_.ranges);
  if (options_.method == CalibrationMethod::automatic)
    return ranges_by_trial(graph_, selection, plan, collector.statistics(), nearest_, *trial_,
                           collector.threads(), options_.progress);
  return choose_ranges(graph_, plan.measured(), collector.statistics(), options_.method,
                       collector.threads());
}

/// A Concat that is kept apart behind the last products stays float, as the outputs do that it
/// joins: on integers its result would be rounded to one grid all the same.
void StaticQuantizer::exclude_heads(const Selection& selection, const GridPlan& plan) {
  const std::map<std::string, std::string> reasons = reasons_apart(graph_, plan);
  for (const KeptApart& kept : plan.kept_apart()) {
    const Node& concat = graph_.nodes[static_cast<std::size_t>(kept.node)];
    if (feeds_product(graph_, selection, concat.outputs[0])) continue;
    excluded_.insert(concat.name);
    heads_[concat.name] = reasons.at(concat.name);
  }
}

void StaticQuantizer::report_selection(const Selection& selection, const GridPlan& plan,
                                       QuantizeReport& report) const {
  report_operators(graph_, selection, report);
  std::map<std::string, std::string> apart = reasons_apart(graph_, plan);
  apart.insert(heads_.begin(), heads_.end());
  report.kept_apart.assign(apart.begin(), apart.end());
  const auto explain = [&](const std::string& name, std::string& reason) {
    if (const auto head = heads_.find(name); head != heads_.end())
      reason = head->second + ", and no product reads its result";
  };
  for (OperatorReport& entry : report.operators) explain(entry.name, entry.reason);
  for (auto& [name, reason] : report.kept_float) explain(name, reason);
}

/// Biases make up for clipping too where that helps on the samples.
Graph StaticQuantizer::finish(const Selection& selection, const GridPlan& plan) const {
  std::vector<std::optional<AdaptedWeights>> weights = adapt_weights(
      graph_, selection, &plan, counted(data_, options_.progress, "rounding of weights", samples_),
      samples_, options_);
  Graph quantized = quantized_graph(graph_, selection, plan, weights);
  if (!trial_ || !take_over_clipping(weights)) return quantized;
  Graph other = quantized_graph(graph_, selection, plan, weights);
  return trial_->run(other).sqnr_db > trial_->run(quantized).sqnr_db ? std::move(other)
                                                                     : std::move(quantized);
}

Graph StaticQuantizer::run(QuantizeReport& report) {
  const Selection selection = select_operators(graph_, excluded_);
  GridPlan plan(graph_, selection, options_.activations);
  const Collector collector = collect(graph_, plan.measured(), data_, options_);
  samples_ = report.samples = collector.samples();
  report.method = fmt::format(
      "static {}", options_.ranges.empty() ? calibration_name(options_.method) : "given ranges");
  if (samples_ > 0) {
    trial_.emplace(graph_, counted(data_, options_.progress, "float outputs", samples_), samples_,
                   most_trial_samples, options_.threads);
    GridPlan first = plan;
    first.set_ranges(graph_, choose_ranges(graph_, plan.measured(), collector.statistics(),
                                           CalibrationMethod::mse, collector.threads()));
    nearest_ = adapt_weights(graph_, selection, &first, {}, 0, options_);
  }
  plan.set_ranges(graph_, ranges(selection, plan, collector));
  report.tensors = report_tensors(graph_, plan, collector.statistics());
  note_unused_ranges(options_, report);
  exclude_heads(selection, plan);
  if (!trial_) {
    const Selection without_heads = select_operators(graph_, excluded_);
    const GridPlan rest = plan.restricted(graph_, without_heads);
    report_selection(without_heads, rest, report);
    return finish(without_heads, rest);
  }
  const NearestModel nearest(graph_, plan, nearest_);
  PrecisionSearch search(nearest, excluded_, *trial_, collector.threads(), options_.progress);
  const auto finished = [&](const std::set<std::string>& excluded) {
    const Selection chosen = select_operators(graph_, excluded);
    return finish(chosen, nearest.plan(chosen));
  };
  const std::optional<Goal> goal = goal_of(options_);
  if (!goal) search.spare({sound_sqnr_db}, least_spared_db, spared_share);
  Graph quantized =
      goal ? meet_goal(search, *goal, *trial_, finished) : finished(search.excluded());
  const Selection chosen = select_operators(graph_, search.excluded());
  report_selection(chosen, nearest.plan(chosen), report);
  search.report_gains(report);
  const std::map<std::string, double> ratios =
      trial_->by_operator(graph_, quantized, options_.threads);
  for (OperatorReport& entry : report.operators)
    if (const auto found = ratios.find(entry.name); found != ratios.end())
      entry.sqnr_db = found->second;
  const Agreement agreement = trial_->run(quantized);
  report.sqnr_db = agreement.sqnr_db;
  report.disagreement = agreement.disagreement;
  note_missed_goals(options_, agreement, report);
  return quantized;
}

}  // namespace

QuantizeReport quantize_static(const std::filesystem::path& float_model,
                               const std::filesystem::path& output,
                               const CalibrationData& calibration, const QuantizeOptions& options) {
  Graph graph = load_float_model(float_model);
  const NodePatterns patterns(graph, options.exclude, options.include);
  preprocess(graph, options.preprocess);
  complete(graph, shaping_sample(graph, calibration, options));
  if (options.preprocess) {
    const CalibrationData samples = counted(calibration, options.progress, "channels", 0);
    equalize(graph, samples, options.threads);
    smooth(graph, samples, options.threads);
  }

  QuantizeReport report;
  report.float_bytes = graph.file_bytes;
  Graph quantized =
      StaticQuantizer(graph, patterns.kept_out(graph), calibration, options).run(report);
  quantized.metadata["intact.method"] = report.method;
  quantized.metadata["intact.options"] = fmt::format(
      "{}{} weights, {} effort{}, {}{} activations", options.narrow_weights ? "narrow " : "",
      options.per_channel ? "per-channel" : "per-tensor",
      options.effort == Effort::low ? "low" : "normal",
      options.preprocess ? "" : ", no pre-processing",
      options.activations.symmetric ? "symmetric " : "", element_name(options.activations.type));
  quantized.metadata["intact.samples"] = std::to_string(report.samples);
  write_model(quantized, output, report);
  return report;
}

}  // namespace intact

// Static quantization from file to file.
#include <fmt/format.h>

#include "intact/quantize.hpp"
#include "quantize/calibration/collector.hpp"
#include "quantize/calibration/ranges.hpp"
#include "quantize/equalization/equalize.hpp"
#include "quantize/grids/choose.hpp"
#include "quantize/grids/plan.hpp"
#include "quantize/grids/report.hpp"
#include "quantize/prepare.hpp"
#include "quantize/select/patterns.hpp"
#include "quantize/select/selection.hpp"
#include "quantize/weights/adapt.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

/// Shapes follow from it.
std::vector<Tensor> first_sample(const Graph& graph, const CalibrationData& data,
                                 const QuantizeOptions& options) {
  if (!data && !options.ranges.empty()) {
    if (options.preprocess)
      throw Error(
          "ranges alone are not enough, for pre-processing evens out channels by the samples: give "
          "those too, or leave pre-processing out (--no-preprocess)");
    return sample_of_declared_shapes(graph);
  }
  std::optional<std::vector<Tensor>> sample = data ? data()() : std::nullopt;
  if (!sample)
    throw Error("no calibration sample was given; static quantization needs at least one");
  return std::move(*sample);
}

/// All samples through the float model, and a range for each tensor.
void calibrate(const Graph& graph, GridPlan& plan, const CalibrationData& data,
               const QuantizeOptions& options, QuantizeReport& report) {
  Collector collector(graph, plan.measured(), options.threads);
  const CalibrationSource source = data ? data() : [] { return std::nullopt; };
  while (const auto sample = source()) {
    collector.observe(*sample);
    if (options.progress) options.progress(collector.samples());
  }
  plan.set_ranges(graph, options.ranges.empty()
                             ? choose_ranges(graph, plan.measured(), collector.statistics(),
                                             options.method, collector.threads())
                             : given_ranges(graph, plan, options.ranges));
  report.samples = collector.samples();
  report.method = fmt::format(
      "static {}", options.ranges.empty() ? calibration_name(options.method) : "given ranges");
  report.tensors = report_tensors(graph, plan, collector.statistics());
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

}  // namespace

QuantizeReport quantize_static(const std::filesystem::path& float_model,
                               const std::filesystem::path& output,
                               const CalibrationData& calibration, const QuantizeOptions& options) {
  Graph graph = load_float_model(float_model);
  const NodePatterns patterns(graph, options.exclude, options.include);
  preprocess(graph, options.preprocess);
  complete(graph, first_sample(graph, calibration, options));
  if (options.preprocess) equalize(graph, calibration, options.threads);
  const Selection selection = select_operators(graph, patterns.kept_out(graph));
  GridPlan plan(graph, selection);

  QuantizeReport report;
  report.float_bytes = graph.file_bytes;
  calibrate(graph, plan, calibration, options, report);
  report_operators(graph, selection, report);

  quantize_constants(graph, selection, plan,
                     adapt_weights(graph, selection, plan, calibration, report.samples, options));
  insert_rounds(graph, selection, plan);
  graph.metadata["intact.method"] = report.method;
  graph.metadata["intact.samples"] = std::to_string(report.samples);
  write_model(graph, output, report);
  return report;
}

}  // namespace intact

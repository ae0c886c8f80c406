// `intact quantize`: float model in, standard int8 model out.
#include "intact/quantize.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "intact/error.hpp"
#include "tools/common.hpp"
#include "tools/files.hpp"
#include "tools/progress.hpp"
#include "tools/quantize_report.hpp"
#include "tools/ranges_file.hpp"
#include "tools/samples.hpp"
#include "tools/table.hpp"

namespace intact::tools {
namespace {

struct Options {
  std::string model, output, mode, calibration, preprocess = "none", method, effort, json, report,
                                                ranges, save_ranges;
  std::string activations = "u8";
  bool per_tensor = false, no_preprocess = false, narrow_weights = false, symmetric = false;
  std::vector<std::string> exclude, include;
  std::optional<double> target_sqnr, max_drop;
  int random = 0;
  EngineFlags engine;
};

CalibrationMethod parse_method(const std::string& name) {
  if (name.empty() || name == "auto") return CalibrationMethod::automatic;
  if (name == "minmax") return CalibrationMethod::minmax;
  if (name == "average") return CalibrationMethod::average;
  if (name == "percentile") return CalibrationMethod::percentile;
  if (name == "entropy") return CalibrationMethod::entropy;
  return CalibrationMethod::mse;  // the option takes no other name
}

std::unique_ptr<SampleSource> calibration_samples(const Options& options) {
  // Only the inputs' names and shapes are wanted, so nothing is planned.
  SessionOptions session_options;
  session_options.reference = true;
  const Session session = Session::load(options.model, session_options);
  if (!options.calibration.empty()) {
    return open_samples(options.calibration, session.inputs(),
                        parse_preprocess(options.preprocess));
  }
  return random_samples(options.random, session.inputs(), input_shapes(session, options.engine), 1);
}

void print_report(const Options& options, const QuantizeReport& report) {
  if (!report.kept_float.empty()) {
    Table table;
    table.column("kept float");
    table.column("reason");
    for (const auto& [name, reason] : report.kept_float) table.row({shorten(name, 48), reason});
    fmt::print("{}\n", table.text());
  }
  if (!report.kept_apart.empty()) {
    Table table;
    table.column("kept apart");
    table.column("reason");
    for (const auto& [name, reason] : report.kept_apart) table.row({shorten(name, 48), reason});
    fmt::print("{}\n", table.text());
  }
  const bool sampled = report.samples > 0;
  fmt::print("{} operators quantized, {} kept float{}\n", report.quantized.size(),
             report.kept_float.size(),
             sampled ? fmt::format(", {} samples", report.samples) : std::string());
  if (report.sqnr_db)
    fmt::print("{:.1f} dB signal to noise, {:.2f} % of rows with another class, on samples\n",
               *report.sqnr_db, *report.disagreement * 100);
  fmt::print("{}: {} bytes, {:.3f} of the float model's {}\n", options.output, report.int8_bytes,
             static_cast<double>(report.int8_bytes) / static_cast<double>(report.float_bytes),
             report.float_bytes);
  for (const std::string& note : report.notes) fmt::print("{}\n", note);
}

bool has_samples(const Options& options) {
  return !options.calibration.empty() || options.random != 0;
}

void check_usage_dynamic(const Options& options) {
  if (!options.ranges.empty() || !options.save_ranges.empty() || !options.method.empty())
    throw UsageError(
        "--mode dynamic finds ranges at run time: it takes neither --method, --ranges nor "
        "--save-ranges");
  if (options.activations != "u8" || options.symmetric)
    throw UsageError(
        "--mode dynamic has activations as DynamicQuantizeLinear makes them: it takes neither "
        "--activations s8 nor --symmetric");
  if (has_samples(options)) return;
  if (options.target_sqnr || options.max_drop)
    throw UsageError(
        "--target-sqnr and --max-drop are measured on samples: give either --calibration PATH or "
        "--random N");
  if (!options.effort.empty())
    throw UsageError(
        "--mode dynamic rounds weights for samples only: --effort needs --calibration PATH or "
        "--random N");
}

/// Throws UsageError for options that do not fit together.
void check_usage(const Options& options) {
  if (!options.engine.isa.empty())
    throw UsageError("--isa does not apply to quantize; set the variable INTACT_ISA");
  if (!options.calibration.empty() && options.random != 0)
    throw UsageError("give either --calibration PATH or --random N");
  if (options.mode == "dynamic")
    check_usage_dynamic(options);
  else if (!has_samples(options) && options.ranges.empty())
    throw UsageError("--mode static needs samples: give either --calibration PATH or --random N");
}

/// The float model, or its weights beside it under the usual names, must survive.
void check_output(const Options& options) {
  for (const std::string& output : {options.output, options.output + ".data"})
    for (const std::string& input :
         {options.model, options.model + ".data", options.model + "_data"}) {
      std::error_code missing;
      if (std::filesystem::equivalent(output, input, missing))
        throw UsageError(
            fmt::format("-o {} would overwrite {}; give another file", options.output, input));
    }
}

QuantizeReport quantize_static(const Options& options, QuantizeOptions quantize_options,
                               const CalibrationData& samples) {
  if (!options.ranges.empty()) quantize_options.ranges = read_ranges(options.ranges);
  return intact::quantize_static(options.model, options.output, samples, quantize_options);
}

/// Those that gain most, where mixed precision ranked them, else those with the most noise.
void print_worst(const QuantizeReport& report) {
  std::vector<const OperatorReport*> worst = by_gain(report);
  const bool ranked = !worst.empty() && worst[0]->float_gain_db;
  std::erase_if(worst, [&](const OperatorReport* entry) {
    return !(ranked ? entry->float_gain_db : entry->sqnr_db);
  });
  if (worst.empty()) return;
  if (!ranked)
    std::stable_sort(worst.begin(), worst.end(),
                     [](const auto* a, const auto* b) { return *a->sqnr_db < *b->sqnr_db; });
  constexpr std::size_t shown = 10;
  worst.resize(std::min(worst.size(), shown));
  Table table;
  table.column("operator");
  table.column("signal to noise, dB", Table::Align::right);
  if (ranked) table.column("gain in float, dB", Table::Align::right);
  table.column("precision");
  for (const OperatorReport* entry : worst) {
    std::vector<std::string> cells = {shorten(entry->name, 48),
                                      entry->sqnr_db ? fmt::format("{:.1f}", *entry->sqnr_db) : ""};
    if (ranked) cells.push_back(fmt::format("{:.2f}", *entry->float_gain_db));
    cells.emplace_back(entry->integer ? "int8" : "float");
    table.row(std::move(cells));
  }
  fmt::print("{}\n", table.text());
}

void write_report(const std::string& path, const QuantizeReport& report,
                  const std::string& output) {
  if (std::filesystem::path(path).extension() == ".html")
    write_text(path, report_html(report, std::filesystem::path(output).filename().string()));
  else
    write_json(path, report_json(report));
}

int quantize(const Options& options) {
  check_usage(options);
  check_output(options);
  QuantizeOptions quantize_options;
  quantize_options.method = parse_method(options.method);
  quantize_options.effort = options.effort == "low" ? Effort::low : Effort::normal;
  quantize_options.preprocess = !options.no_preprocess;
  quantize_options.per_channel = !options.per_tensor;
  quantize_options.narrow_weights = options.narrow_weights;
  quantize_options.activations = {options.activations == "s8" ? ElementType::s8 : ElementType::u8,
                                  options.symmetric};
  quantize_options.exclude = options.exclude;
  quantize_options.target_sqnr_db = options.target_sqnr;
  quantize_options.max_drop = options.max_drop;
  quantize_options.include = options.include;
  quantize_options.threads = options.engine.threads;
  CalibrationData samples;
  std::optional<Progress> progress;
  if (has_samples(options)) {
    samples = calibration_data([&] { return calibration_samples(options); });
    const int count = calibration_samples(options)->count();
    quantize_options.progress = [&, count](std::string_view phase, int done, int total) {
      // Where the total is not known, samples are counted.
      if (done == 1) progress.emplace(std::string(phase), total > 0 ? total : count);
      progress->update(done);
    };
  }
  const QuantizeReport report =
      options.mode == "dynamic"
          ? quantize_dynamic(options.model, options.output, quantize_options, samples)
          : quantize_static(options, quantize_options, samples);
  print_worst(report);
  print_report(options, report);
  if (!options.save_ranges.empty()) write_ranges(options.save_ranges, report.ranges());
  if (!options.json.empty()) write_json(options.json, report_json(report));
  if (!options.report.empty()) write_report(options.report, report, options.output);
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("quantize", "Makes an int8 model from a float model");
  command->add_option("FLOAT", options->model, "Float ONNX file")->type_name("")->required();
  command->add_option("-o,--output", options->output, "ONNX file to write")
      ->type_name("OUT")
      ->required();
  one_of(
      command->add_option("--mode", options->mode, "QDQ (static) or integer operators (dynamic)"),
      {"static", "dynamic"})
      ->required();
  CLI::Option* calibration = command
                                 ->add_option("--calibration", options->calibration,
                                              "Samples: images, .npy, .npz, or folders of them")
                                 ->type_name("PATH");
  command
      ->add_option("--preprocess", options->preprocess,
                   "none, unit (/255), imagenet, or a JSON file (default none)")
      ->type_name("P")
      ->needs(calibration);
  one_of(command->add_option("--method", options->method,
                             "How ranges are chosen (default auto: as outputs agree best)"),
         {"auto", "minmax", "average", "percentile", "entropy", "mse"});
  one_of(command->add_option(
             "--effort", options->effort,
             "Weights: nearest integers (low), or those that change outputs least on the "
             "samples (normal, the default)"),
         {"low", "normal"});
  command->add_flag("--no-preprocess", options->no_preprocess,
                    "Fold no normalization, bias or padding into products, even out no channels");
  command
      ->add_option("--ranges", options->ranges,
                   "Ranges by tensor (JSON) in place of those of the method")
      ->type_name("FILE");
  command
      ->add_option("--save-ranges", options->save_ranges,
                   "Write the chosen ranges (JSON), which --ranges reads")
      ->type_name("FILE");
  command->add_flag("--per-tensor", options->per_tensor,
                    "One weight scale per tensor, not per channel");
  command->add_flag("--narrow-weights", options->narrow_weights,
                    "Weights from -63 to 63, for other engines on CPUs without VNNI");
  one_of(command->add_option("--activations", options->activations,
                             "Integers of activations (default u8)"),
         {"u8", "s8"});
  command->add_flag("--symmetric", options->symmetric,
                    "Grids of activations with the real zero in the middle");
  command
      ->add_option("--exclude", options->exclude,
                   "Nodes that stay float: a name, with * and ? as in file names, or op:TYPE "
                   "(repeatable)")
      ->type_name("NODE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--include", options->include, "Only these nodes are quantized (repeatable)")
      ->type_name("NODE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--target-sqnr", options->target_sqnr,
                   "Keep operators float until outputs have this signal-to-noise ratio in dB "
                   "(default: 20, but 5 % of the multiply-adds at most)")
      ->type_name("DB");
  command
      ->add_option("--max-drop", options->max_drop,
                   "Keep operators float until at most this share of samples changes its class")
      ->type_name("SHARE")
      ->check(without_text(CLI::Range(0.0, 1.0)));
  CLI::Option* random =
      command->add_option("--random", options->random, "Calibrate with N random samples")
          ->type_name("N")
          ->check(without_text(CLI::PositiveNumber));
  command->add_option("--json", options->json, "Write the report as JSON")->type_name("FILE");
  command
      ->add_option("--report", options->report,
                   "Write ranges, grids, histograms and figures of all tensors (F.json, or "
                   "F.html for a page)")
      ->type_name("FILE");
  add_engine_flags(*command, options->engine);
  add_shape_flag(*command, options->engine)->needs(random);
  command->callback([options, &chosen] { chosen = [options] { return quantize(*options); }; });
}

}  // namespace intact::tools

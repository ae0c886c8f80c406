// `intact compare`: the classic quantization table for one or more int8 models.
#include <fmt/format.h>

#include <algorithm>

#include "intact/error.hpp"
#include "tools/chart.hpp"
#include "tools/common.hpp"
#include "tools/comparison.hpp"
#include "tools/layers.hpp"
#include "tools/progress.hpp"
#include "tools/table.hpp"

namespace intact::tools {
namespace {

struct Options {
  std::string float_model, inputs, labels, preprocess = "none", json, chart;
  std::vector<std::string> int8_models;
  int random = 0;
  bool per_layer = false;
  EngineFlags engine;
};

std::unique_ptr<SampleSource> open_source(const Options& options) {
  SessionOptions session_options;
  session_options.reference = true;  // only names and shapes are wanted
  const Session session = Session::load(options.float_model, session_options);
  if (!options.inputs.empty()) {
    return open_samples(options.inputs, session.inputs(), parse_preprocess(options.preprocess));
  }
  return random_samples(options.random, session.inputs(), input_shapes(session, options.engine), 1);
}

/// By model.
using Layers = std::vector<std::vector<TensorNoise>>;

/// A pass of its own: observed tensors would slow down what is timed.
Layers compare_layers(const Options& options) {
  Layers layers;
  for (const std::string& model : options.int8_models) {
    LayerComparison comparison(options.float_model, model, session_options(options.engine));
    const auto source = open_source(options);
    Progress progress("layers", source->count());
    for (int count = 0; auto sample = source->next();) {
      comparison.add(sample->inputs);
      progress.update(++count);
    }
    layers.push_back(comparison.result());
  }
  return layers;
}

Json to_json(const TensorNoise& layer) {
  return {{"tensor", layer.name},
          {"node", layer.node},
          {"op", layer.op},
          {"sqnr_db", number_or_null(layer.sqnr_db)},
          {"scaled_channels", layer.scaled}};
}

Json to_json(const Comparison& c) {
  Json json = {{"model", c.model},
               {"samples", c.samples},
               {"size_ratio", c.size_ratio},
               {"mean_diff", c.mean_diff},
               {"mean_max", c.mean_max},
               {"sqnr_db", number_or_null(c.sqnr_db)},
               {"outputs", Json::array()},
               {"disagree", c.disagree},
               {"time_float_ms", c.time_float_ms},
               {"time_int8_ms", c.time_int8_ms},
               {"ratio", c.ratio}};
  for (const OutputNoise& output : c.outputs)
    json["outputs"].push_back({{"name", output.name}, {"sqnr_db", number_or_null(output.sqnr_db)}});
  if (c.top1_float) {
    json["top1_float"] = *c.top1_float;
    json["top1_int8"] = *c.top1_int8;
  }
  return json;
}

void print_table(const std::vector<Comparison>& comparisons) {
  Table table;
  const bool labelled = comparisons[0].top1_float.has_value();
  table.column("model");
  for (const char* title : {"size_ratio", "mean_diff", "mean_max", "sqnr_db", "disagree",
                            "time_float_ms", "time_int8_ms", "ratio"}) {
    table.column(title, Table::Align::right);
  }
  if (labelled) {
    table.column("top1_float", Table::Align::right);
    table.column("top1_int8", Table::Align::right);
  }
  for (const Comparison& c : comparisons) {
    std::vector<std::string> cells = {shorten(c.model, 40),
                                      fmt::format("{:.3f}", c.size_ratio),
                                      fmt::format("{:.4g}", c.mean_diff),
                                      fmt::format("{:.4g}", c.mean_max),
                                      fmt::format("{:.1f}", c.sqnr_db),
                                      fmt::format("{:.4f}", c.disagree),
                                      fmt::format("{:.3f}", c.time_float_ms),
                                      fmt::format("{:.3f}", c.time_int8_ms),
                                      fmt::format("{:.3f}", c.ratio)};
    if (labelled) {
      cells.push_back(fmt::format("{:.2f}", *c.top1_float));
      cells.push_back(fmt::format("{:.2f}", *c.top1_int8));
    }
    table.row(std::move(cells));
  }
  fmt::print("{}{} samples\n", table.text(), comparisons[0].samples);
}

std::string short_name(const std::string& model, std::size_t length) {
  return shorten(std::filesystem::path(model).stem().string(), length);
}

/// A column per model; models with one output have said all in the table above.
void print_outputs(const std::vector<Comparison>& comparisons) {
  if (comparisons[0].outputs.size() < 2) return;
  Table table;
  table.column("output");
  for (const Comparison& c : comparisons)
    table.column("sqnr_db " + short_name(c.model, 32), Table::Align::right);
  for (std::size_t i = 0; i < comparisons[0].outputs.size(); ++i) {
    std::vector<std::string> cells = {shorten(comparisons[0].outputs[i].name, 40)};
    for (const Comparison& c : comparisons)
      cells.push_back(fmt::format("{:.1f}", c.outputs[i].sqnr_db));
    table.row(std::move(cells));
  }
  fmt::print("\n{}", table.text());
}

void print_layers(const std::string& model, const std::vector<TensorNoise>& layers) {
  std::vector<TensorNoise> worst = layers;
  std::stable_sort(worst.begin(), worst.end(),
                   [](const auto& a, const auto& b) { return a.sqnr_db < b.sqnr_db; });
  constexpr std::size_t shown = 10;
  worst.resize(std::min(worst.size(), shown));
  Table table;
  table.column("tensor");
  table.column("operator");
  table.column("sqnr_db", Table::Align::right);
  for (const TensorNoise& layer : worst)
    table.row({shorten(layer.name, 48), layer.op, fmt::format("{:.1f}", layer.sqnr_db)});
  fmt::print("\n{}: {} tensors compared, the worst of them\n{}", model, layers.size(),
             table.text());
  if (const TensorNoise* first = first_large_error(layers))
    fmt::print(
        "The first below {} dB, in the order of the model, is '{}' of {} '{}' with {:.1f} dB.\n",
        large_error_db, first->name, first->op, first->node, first->sqnr_db);
  else
    fmt::print("None is below {} dB.\n", large_error_db);
}

void write_chart(const std::string& path, const std::vector<Comparison>& comparisons,
                 const Layers& layers) {
  Panel size{"file size", " x", {{"float", 1}}}, time{"time per sample", " x", {{"float", 1}}};
  Panel difference{"mean difference", "", {}}, disagreement{"disagreement", " %", {}};
  Panel accuracy{"top-1", " %", {}};
  for (const Comparison& c : comparisons) {
    const std::string label = comparisons.size() == 1 ? "int8" : short_name(c.model, 9);
    size.bars.push_back({label, c.size_ratio});
    time.bars.push_back({label, c.ratio});
    difference.bars.push_back({label, c.mean_diff});
    disagreement.bars.push_back({label, 100 * c.disagree});
    if (c.top1_float) {
      if (accuracy.bars.empty()) accuracy.bars.push_back({"float", *c.top1_float});
      accuracy.bars.push_back({label, *c.top1_int8});
    }
  }
  std::vector<Panel> panels = {size, time, difference, disagreement};
  if (!accuracy.bars.empty()) panels.push_back(accuracy);
  CurvePanel curves{"signal to noise along the model", " dB", {}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Curve& curve = curves.curves.emplace_back(Curve{short_name(comparisons[i].model, 20), {}});
    for (const TensorNoise& layer : layers[i]) curve.values.push_back(layer.sqnr_db);
  }
  tools::write_chart(path, "int8 against float", panels, curves);
}

int compare(const Options& options) {
  if (!options.inputs.empty() && options.random > 0)
    throw UsageError("--inputs and --random exclude each other");
  if (options.inputs.empty() && options.random == 0)
    throw UsageError("give samples: --inputs PATH or --random N");
  const Labels labels = options.labels.empty() ? Labels() : Labels(options.labels);
  const auto source = open_source(options);
  const auto comparisons = compare_models(
      options.float_model, {options.int8_models.begin(), options.int8_models.end()}, *source,
      session_options(options.engine),
      [&](const Sample& sample, int i) { return labels.true_class(sample.name, i); });
  print_table(comparisons);
  print_outputs(comparisons);
  const Layers layers = options.per_layer ? compare_layers(options) : Layers();
  for (std::size_t i = 0; i < layers.size(); ++i) print_layers(options.int8_models[i], layers[i]);
  if (!options.json.empty()) {
    Json json = {{"float_model", options.float_model}, {"models", Json::array()}};
    for (std::size_t i = 0; i < comparisons.size(); ++i) {
      Json model = to_json(comparisons[i]);
      if (options.per_layer) model["layers"] = Json::array();
      if (options.per_layer)
        for (const TensorNoise& layer : layers[i]) model["layers"].push_back(to_json(layer));
      json["models"].push_back(std::move(model));
    }
    write_json(options.json, json);
  }
  if (!options.chart.empty()) write_chart(options.chart, comparisons, layers);
  return 0;
}

}  // namespace

void add_compare(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compare", "Measures int8 models against the float model");
  command->add_option("FLOAT", options->float_model, "Float ONNX file")->type_name("")->required();
  command->add_option("INT8", options->int8_models, "Int8 ONNX files")->type_name("")->required();
  CLI::Option* inputs = command
                            ->add_option("--inputs", options->inputs,
                                         "Samples: images, .npy, .npz, or folders of them")
                            ->type_name("PATH");
  CLI::Option* random = command->add_option("--random", options->random, "N random samples")
                            ->type_name("N")
                            ->check(without_text(CLI::PositiveNumber));
  command
      ->add_option("--labels", options->labels,
                   "True classes: file<TAB>class<TAB>name, or one class per line")
      ->type_name("FILE")
      ->needs(inputs);
  command
      ->add_option("--preprocess", options->preprocess,
                   "none, unit (/255), imagenet, or a JSON file (default none)")
      ->type_name("P")
      ->needs(inputs);
  command->add_flag(
      "--per-layer", options->per_layer,
      "Signal to noise of each tensor inside, and where the first large error appears");
  command->add_option("--json", options->json, "Write the table as JSON")->type_name("FILE");
  command
      ->add_option("--chart", options->chart,
                   "Draw the table, and what --per-layer finds (SVG, or PNG for F.png)")
      ->type_name("FILE");
  add_engine_flags(*command, options->engine);
  add_shape_flag(*command, options->engine)->needs(random);
  command->callback([options, &chosen] { chosen = [options] { return compare(*options); }; });
}

}  // namespace intact::tools

// `intact run`: one inference on arrays, or one per image with the best five classes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>

#include "intact/error.hpp"
#include "tools/common.hpp"
#include "tools/images.hpp"
#include "tools/labels.hpp"
#include "tools/npy.hpp"
#include "tools/progress.hpp"
#include "tools/samples.hpp"
#include "tools/stats.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

constexpr std::size_t best_classes = 5;

struct Options {
  std::string model, images, preprocess = "none", labels, output, json;
  std::vector<std::string> inputs;
  std::optional<std::uint64_t> seed;
  EngineFlags engine;
};

std::string input_list(const Session& session) {
  std::vector<std::string> names;
  for (const TensorInfo& info : session.inputs()) names.push_back(describe(info));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// NAME=FILE.npy options to tensors by input name.
std::map<std::string, Tensor> read_inputs(const Options& options, const Session& session) {
  std::map<std::string, Tensor> tensors;
  for (const std::string& text : options.inputs) {
    // File names may hold '=' as well: the model's names decide where the name ends.
    const TensorInfo* info = nullptr;
    for (const TensorInfo& candidate : session.inputs()) {
      const bool fits = text.starts_with(candidate.name + "=");
      if (fits && (info == nullptr || candidate.name.size() > info->name.size())) info = &candidate;
    }
    if (info == nullptr) {
      throw Error(
          fmt::format("--input {}: NAME=FILE.npy is expected, where NAME is an input of the "
                      "model: {}",
                      text, input_list(session)));
    }
    if (tensors.count(info->name) > 0) {
      throw Error(fmt::format("--input {}: input '{}' is given twice", text, info->name));
    }
    tensors[info->name] = read_npy(text.substr(info->name.size() + 1));
  }
  return tensors;
}

/// All inputs in the model's order; `skip_first` leaves the first one for the images.
std::vector<Tensor> collect_inputs(const Options& options, const Session& session,
                                   bool skip_first) {
  const auto given = read_inputs(options, session);
  const auto& infos = session.inputs();
  if (skip_first && given.contains(infos[0].name))
    throw Error(fmt::format("--input: input '{}' takes the images", infos[0].name));
  std::vector<Tensor> inputs(infos.size());
  std::vector<std::string> missing;
  for (std::size_t i = skip_first ? 1 : 0; i < infos.size(); ++i) {
    const auto found = given.find(infos[i].name);
    if (found != given.end())
      inputs[i] = found->second;
    else
      missing.push_back(describe(infos[i]));
  }
  if (missing.empty()) return inputs;
  if (!options.seed) {
    throw Error(
        fmt::format("missing input {}: give --input NAME=FILE.npy, or --random SEED for "
                    "random numbers",
                    fmt::join(missing, ", ")));
  }
  const auto shapes = input_shapes(session, options.engine);
  std::mt19937_64 generator(*options.seed);
  for (std::size_t i = skip_first ? 1 : 0; i < infos.size(); ++i) {
    if (!inputs[i].defined()) inputs[i] = random_tensor(infos[i].type, shapes[i], generator);
  }
  return inputs;
}

std::filesystem::path output_folder(const Options& options) {
  std::error_code code;
  std::filesystem::create_directories(options.output, code);
  if (code) {
    throw Error(fmt::format("{}: folder cannot be made: {}", options.output, code.message()));
  }
  return options.output;
}

void save_outputs(const Options& options, const std::vector<Tensor>& outputs) {
  const auto folder = output_folder(options);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    write_npy(folder / fmt::format("{}.npy", i), outputs[i]);
  }
}

Json summarize(const std::string& name, const Tensor& tensor) {
  const std::vector<double> values = to_doubles(tensor);
  Json json = {{"name", name}, {"type", element_name(tensor.type())}, {"shape", tensor.shape()}};
  if (values.empty()) return json;
  double sum = 0;
  for (const double value : values) sum += value;
  json["min"] = *std::min_element(values.begin(), values.end());
  json["max"] = *std::max_element(values.begin(), values.end());
  json["mean"] = sum / static_cast<double>(values.size());
  json["first"] = std::vector<double>(
      values.begin(), values.begin() + std::min<std::ptrdiff_t>(8, std::ssize(values)));
  return json;
}

void print_summary(const Json& json, const Shape& shape) {
  fmt::print("{}  {} {}", json["name"].get<std::string>(), json["type"].get<std::string>(),
             to_string(shape));
  if (!json.contains("min")) {
    fmt::print("  empty\n");
    return;
  }
  fmt::print("  min {:.6g}  max {:.6g}  mean {:.6g}  first", json["min"].get<double>(),
             json["max"].get<double>(), json["mean"].get<double>());
  for (const Json& value : json["first"]) fmt::print(" {:.6g}", value.get<double>());
  fmt::print("\n");
}

int run_arrays(const Options& options, const Session& session) {
  const auto inputs = collect_inputs(options, session, false);
  const std::vector<Datum> given(inputs.begin(), inputs.end());
  const auto outputs = session.run_data(given);
  Json report = {{"outputs", Json::array()}};
  const auto show = [&](const std::string& name, const std::string& file, const Tensor& tensor) {
    const Json json = summarize(name, tensor);
    if (options.output.empty())
      print_summary(json, tensor.shape());
    else
      write_npy(output_folder(options) / (file + ".npy"), tensor);
    report["outputs"].push_back(json);
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = session.outputs()[i].name;
    if (const auto* tensor = std::get_if<Tensor>(&outputs[i])) {
      if (!tensor->defined())
        fmt::print("{}  holds nothing\n", name);
      else
        show(name, fmt::format("{}", i), *tensor);
      continue;
    }
    const auto& sequence = std::get<std::vector<Tensor>>(outputs[i]);
    if (sequence.empty()) fmt::print("{}  empty sequence\n", name);
    for (std::size_t k = 0; k < sequence.size(); ++k)
      show(fmt::format("{}[{}]", name, k), fmt::format("{}_{}", i, k), sequence[k]);
  }
  if (!options.json.empty()) write_json(options.json, report);
  return 0;
}

/// Joins the outputs of all images along the first axis.
class OutputJoiner {
 public:
  void add(const std::vector<Tensor>& outputs) {
    data_.resize(outputs.size());
    shapes_.resize(outputs.size());
    types_.resize(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& tensor = outputs[i];
      Shape shape = tensor.shape().empty() ? Shape{1} : tensor.shape();
      if (!data_[i].empty()) {
        const bool same =
            std::equal(shape.begin() + 1, shape.end(), shapes_[i].begin() + 1, shapes_[i].end());
        if (!same) throw Error("--output: the images give outputs of different shapes");
        shape[0] += shapes_[i][0];
      }
      shapes_[i] = shape;
      types_[i] = tensor.type();
      const auto* bytes = static_cast<const std::byte*>(tensor.raw());
      data_[i].insert(data_[i].end(), bytes, bytes + tensor.bytes());
    }
  }
  std::vector<Tensor> joined() const {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < data_.size(); ++i) {
      tensors.emplace_back(types_[i], shapes_[i]);
      std::memcpy(tensors.back().raw(), data_[i].data(), data_[i].size());
    }
    return tensors;
  }

 private:
  std::vector<std::vector<std::byte>> data_;
  std::vector<Shape> shapes_;
  std::vector<ElementType> types_;
};

/// Counts how often the true class is the best, and among the best five.
struct Accuracy {
  int images = 0, top1 = 0, top5 = 0;
  void add(const std::vector<std::int64_t>& best, std::int64_t truth) {
    ++images;
    top1 += !best.empty() && best[0] == truth ? 1 : 0;
    top5 += std::count(best.begin(), best.end(), truth) > 0 ? 1 : 0;
  }
  double percent(int count) const { return 100.0 * count / images; }
};

Json classify(const std::string& file, int position, const Tensor& scores, const Labels& labels,
              Accuracy* accuracy) {
  // A fixed batch holds copies of the image: its first row is enough.
  std::vector<double> values = to_doubles(scores);
  if (scores.rank() > 1 && scores.shape()[0] > 1) {
    values.resize(values.size() / static_cast<std::size_t>(scores.shape()[0]));
  }
  values = probabilities(std::move(values));
  const auto best = top_indices(values, best_classes);
  Json json = {{"file", file}, {"top", Json::array()}};
  for (const std::int64_t index : best) {
    json["top"].push_back({{"class", index},
                           {"name", labels.name(index)},
                           {"probability", values[static_cast<std::size_t>(index)]}});
  }
  if (const auto truth = labels.true_class(file, position)) {
    json["true_class"] = *truth;
    accuracy->add(best, *truth);
  }
  return json;
}

void print_classes(const Json& json) {
  fmt::print("{}\n", json["file"].get<std::string>());
  for (const Json& entry : json["top"]) {
    fmt::print("  {:6.2f} %  {:4}  {}\n", entry["probability"].get<double>() * 100,
               entry["class"].get<std::int64_t>(), entry["name"].get<std::string>());
  }
}

int run_images(const Options& options, const Session& session) {
  if (session.inputs().empty()) throw Error("--images: the model has no input");
  const Preprocess preprocess = parse_preprocess(options.preprocess);
  const Labels labels = options.labels.empty() ? Labels() : Labels(options.labels);
  const TensorInfo& info = session.inputs()[0];
  const int channels = image_channels(info, preprocess);
  const auto files = list_images(options.images);
  auto inputs = collect_inputs(options, session, true);
  Accuracy accuracy;
  OutputJoiner joiner;
  Json report = {{"preprocess", preprocess.name}, {"images", Json::array()}};
  {
    Progress progress("images", static_cast<int>(files.size()));
    for (const auto& file : files) {
      inputs[0] = image_to_tensor(read_image(file, channels), info, preprocess);
      const auto outputs = session.run(inputs);
      if (!options.output.empty()) joiner.add(outputs);
      const int position = static_cast<int>(report["images"].size());
      report["images"].push_back(
          classify(file.filename().string(), position, outputs.at(0), labels, &accuracy));
      progress.update(position + 1);
    }
  }
  for (const Json& image : report["images"]) print_classes(image);
  if (accuracy.images > 0) {
    fmt::print("top-1 {:.2f} %, top-5 {:.2f} % of {} images with a known class\n",
               accuracy.percent(accuracy.top1), accuracy.percent(accuracy.top5), accuracy.images);
    report["top1"] = accuracy.percent(accuracy.top1);
    report["top5"] = accuracy.percent(accuracy.top5);
  }
  if (!options.output.empty()) save_outputs(options, joiner.joined());
  if (!options.json.empty()) write_json(options.json, report);
  return 0;
}

int run(const Options& options) {
  const Session session = Session::load(options.model, session_options(options.engine));
  return options.images.empty() ? run_arrays(options, session) : run_images(options, session);
}

}  // namespace

void add_run(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Runs a model on arrays or images");
  command->add_option("MODEL", options->model, "ONNX file")->type_name("")->required();
  command->add_option("--input", options->inputs, "Input from a file (repeatable)")
      ->type_name("NAME=FILE.npy")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* random = command
                            ->add_option("--random", options->seed,
                                         "Random numbers from this seed for missing inputs")
                            ->type_name("SEED")
                            ->check(without_text(CLI::NonNegativeNumber));
  CLI::Option* images = command
                            ->add_option("--images", options->images,
                                         "Image, or folder of images, for the first input")
                            ->type_name("PATH");
  command
      ->add_option("--preprocess", options->preprocess,
                   "none, unit (/255), imagenet, or a JSON file (default none)")
      ->type_name("P")
      ->needs(images);
  command
      ->add_option("--labels", options->labels,
                   "Class names: one per line, or file<TAB>class<TAB>name")
      ->type_name("FILE")
      ->needs(images);
  command->add_option("--output", options->output, "Folder for outputs: 0.npy, 1.npy, ...")
      ->type_name("DIR");
  command->add_flag("--no-fusion", options->engine.no_fusion,
                    "One kernel per operator; same result");
  command->add_flag("--reference", options->engine.reference,
                    "Interpret the file node by node with reference operators");
  command->add_option("--json", options->json, "Write the printed results as JSON")
      ->type_name("FILE");
  add_engine_flags(*command, options->engine);
  add_shape_flag(*command, options->engine)->needs(random);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace intact::tools

// `make demo`: quantizes the digit classifier of examples/digits, runs both models on its held-out
// images and shows what int8 costs and gains. Arguments: folder of the example, folder for results.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>

#include "intact/cpu.hpp"
#include "intact/error.hpp"
#include "intact/quantize.hpp"
#include "intact/session.hpp"
#include "tools/chart.hpp"
#include "tools/comparison.hpp"
#include "tools/draw.hpp"
#include "tools/flow_view.hpp"
#include "tools/npy.hpp"
#include "tools/stats.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

namespace fs = std::filesystem;

constexpr int images_drawn = 5;

struct Files {
  fs::path float_model, int8_model, calibration, test, labels, names, chart;
};

void quantize_model(const Files& files, const std::vector<TensorInfo>& inputs) {
  const QuantizeReport report = quantize_static(
      files.float_model, files.int8_model,
      calibration_data([&] { return open_samples(files.calibration, inputs, {}); }));
  fmt::print("Quantized {} with {} calibration images: {} operators, {} kept float.\n\n",
             files.float_model.filename().string(), report.samples, report.quantized.size(),
             report.kept_float.size());
}

/// Draws some test images spread over the set with what the int8 model sees in them.
void draw_predictions(const Files& files, const Session& session, const Labels& truth,
                      const Labels& names) {
  const auto samples = open_samples(files.test, session.inputs(), {});
  const int step = std::max(1, samples->count() / images_drawn);
  std::vector<GreyImage> images;
  for (int i = 0; auto sample = samples->next(); ++i) {
    if (i % step != 0 || std::ssize(images) == images_drawn) continue;
    const Tensor& input = sample->inputs[0];
    const auto scores = probabilities(to_doubles(session.run(sample->inputs)[0]));
    const std::int64_t best = top_indices(scores, 1)[0];
    const auto expected = truth.true_class("", i);
    GreyImage image;
    image.height = static_cast<int>(input.shape()[2]);
    image.width = static_cast<int>(input.shape()[3]);
    const auto values = input.data<float>();
    image.values.assign(values.begin(), values.end());
    image.caption = fmt::format("{}{}", names.name(best), expected == best ? "" : " (wrong)");
    images.push_back(std::move(image));
  }
  fmt::print("What the int8 model sees:\n\n{}\n", draw_images(images, isatty(STDOUT_FILENO) == 1));
}

void print_comparison(const Comparison& c) {
  fmt::print(
      "int8 against float on {} images that neither training nor calibration saw "
      "({}, best of this machine: {}):\n\n",
      c.samples, cpu_name(), isa_name(best_isa()));
  fmt::print("  file size        {:.3f} of float\n", c.size_ratio);
  fmt::print("  time per image   {:.3f} ms, float {:.3f} ms: {:.3f} of float\n", c.time_int8_ms,
             c.time_float_ms, c.ratio);
  fmt::print("  mean difference  {:.4f} (greatest per image: {:.4f} on average)\n", c.mean_diff,
             c.mean_max);
  fmt::print("  disagreement     {:.2f} %\n", 100 * c.disagree);
  fmt::print("  accuracy         {:.2f} %, float {:.2f} %\n\n", c.top1_int8.value_or(0),
             c.top1_float.value_or(0));
}

void draw_chart(const fs::path& path, const Comparison& c) {
  write_chart(path, "Digits: int8 against float",
              {{"file size", " x", {{"float", 1}, {"int8", c.size_ratio}}},
               {"time per image", " ms", {{"float", c.time_float_ms}, {"int8", c.time_int8_ms}}},
               {"mean difference", "", {{"int8", c.mean_diff}}},
               {"disagreement", " %", {{"int8", 100 * c.disagree}}},
               {"accuracy",
                " %",
                {{"float", c.top1_float.value_or(0)}, {"int8", c.top1_int8.value_or(0)}}}});
  fmt::print("Bar chart: {}\n", path.string());
}

void demo(const fs::path& example, const fs::path& results) {
  const Files files{example / "digits.onnx",
                    results / "digits-int8.onnx",
                    example / "digits_calibration.npy",
                    example / "digits_test.npy",
                    example / "digits_test_labels.txt",
                    example / "digits_labels.tsv",
                    results / "demo.svg"};
  const Labels truth(files.labels), names(files.names);
  SessionOptions one_thread;  // the network is too small to share
  one_thread.threads = 1;
  const Session float_session = Session::load(files.float_model, one_thread);
  quantize_model(files, float_session.inputs());
  const Session session = Session::load(files.int8_model, one_thread);
  draw_predictions(files, session, truth, names);
  const auto samples = open_samples(files.test, session.inputs(), {});
  const auto comparisons =
      compare_models(files.float_model, {files.int8_model}, *samples, one_thread,
                     [&](const Sample& sample, int i) { return truth.true_class(sample.name, i); });
  print_comparison(comparisons[0]);
  fmt::print("{}\n", flow_summary(session.flow()));
  draw_chart(files.chart, comparisons[0]);
}

}  // namespace
}  // namespace intact::tools

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "error: usage: intact_demo FOLDER_OF_EXAMPLE FOLDER_FOR_RESULTS\n");
    return 2;
  }
  try {
    intact::tools::demo(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}

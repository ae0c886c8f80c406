// Comparison of models; see comparison.hpp.
#include "tools/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "intact/error.hpp"
#include "tools/progress.hpp"
#include "tools/stats.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

/// Below this many timings the last sample is repeated: a median of two numbers says little.
constexpr std::size_t least_timings = 20;
constexpr double longest_repetition_seconds = 2;

struct Power {
  double signal = 0, noise = 0;
  void add(const Power& other) {
    signal += other.signal;
    noise += other.noise;
  }
  double ratio_db() const { return decibels(signal, noise); }
};

struct Model {
  Session session;
  std::vector<Power> power = {};  ///< by output
  std::vector<double> times_ms = {};
  double sum_mean = 0, sum_max = 0;
  int disagreements = 0, right = 0;
};

std::vector<Tensor> run_timed(Model& model, const std::vector<Tensor>& inputs) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  auto outputs = model.session.run(inputs);
  model.times_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  return outputs;
}

void check_same_interface(const Session& a, const Session& b, const std::string& name) {
  const auto fits = [](const std::vector<TensorInfo>& x, const std::vector<TensorInfo>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const auto& p, const auto& q) {
      return p.type == q.type && p.shape.size() == q.shape.size();
    });
  };
  if (!fits(a.inputs(), b.inputs())) {
    throw Error(
        fmt::format("{}: its inputs differ from those of the float model in number, type or "
                    "rank",
                    name));
  }
}

std::int64_t argmax(const std::vector<double>& values) {
  const auto best = top_indices(values, 1);
  return best.empty() ? -1 : best[0];
}

Power power_of(const std::vector<double>& expected, const std::vector<double>& actual) {
  Power power;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    power.signal += expected[i] * expected[i];
    power.noise += (expected[i] - actual[i]) * (expected[i] - actual[i]);
  }
  return power;
}

/// Adds one sample's signal and noise of all outputs.
void add_power(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
               const std::string& name, Model* model) {
  if (expected.size() != actual.size())
    throw Error(
        fmt::format("{} has {} outputs, the float model {}", name, actual.size(), expected.size()));
  model->power.resize(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].size() != actual[i].size())
      throw Error(fmt::format("{}: output '{}' has {} elements, the float model's {}", name,
                              model->session.outputs()[i].name, actual[i].size(),
                              expected[i].size()));
    model->power[i].add(power_of(to_doubles(expected[i]), to_doubles(actual[i])));
  }
}

/// Adds one sample's differences between the float output and the model's.
void add_difference(const std::vector<double>& expected, const std::vector<double>& actual,
                    Model* model) {
  double sum = 0, greatest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(expected[i] - actual[i]);
    sum += difference;
    greatest = std::max(greatest, difference);
  }
  if (!expected.empty()) model->sum_mean += sum / static_cast<double>(expected.size());
  model->sum_max += greatest;
  model->disagreements += argmax(expected) != argmax(actual) ? 1 : 0;
}

void repeat_timings(std::vector<Model>& models, const std::vector<Tensor>& inputs) {
  const auto begin = std::chrono::steady_clock::now();
  while (models[0].times_ms.size() < least_timings) {
    for (Model& model : models) run_timed(model, inputs);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    if (elapsed.count() > longest_repetition_seconds) break;
  }
}

std::vector<double> first_output(const std::vector<Tensor>& outputs) {
  return outputs.empty() ? std::vector<double>() : to_doubles(outputs[0]);
}

}  // namespace

std::vector<Comparison> compare_models(
    const std::filesystem::path& float_model, const std::vector<std::filesystem::path>& int8_models,
    SampleSource& samples, const SessionOptions& options,
    const std::function<std::optional<std::int64_t>(const Sample&, int)>& truth) {
  std::vector<Model> models;  // the float model first
  models.push_back({Session::load(float_model, options)});
  for (const auto& path : int8_models) {
    models.push_back({Session::load(path, options)});
    check_same_interface(models[0].session, models.back().session, path.string());
  }
  int count = 0, labelled = 0;
  std::vector<Tensor> last;
  Progress progress("samples", samples.count());
  while (auto sample = samples.next()) {
    if (count == 0) {
      for (Model& model : models) model.session.run(sample->inputs);  // plans
    }
    const auto known = truth(*sample, count);
    labelled += known ? 1 : 0;
    const std::vector<Tensor> outputs = run_timed(models[0], sample->inputs);
    const auto expected = first_output(outputs);
    models[0].right += known && argmax(expected) == *known ? 1 : 0;
    for (std::size_t i = 1; i < models.size(); ++i) {
      const std::vector<Tensor> given = run_timed(models[i], sample->inputs);
      add_power(outputs, given, int8_models[i - 1].string(), &models[i]);
      const auto actual = first_output(given);
      add_difference(expected, actual, &models[i]);
      models[i].right += known && argmax(actual) == *known ? 1 : 0;
    }
    progress.update(++count);
    last = std::move(sample->inputs);
  }
  if (count == 0) throw Error("there is no sample to compare the models on");
  repeat_timings(models, last);
  std::vector<Comparison> result;
  for (std::size_t i = 1; i < models.size(); ++i) {
    const Model& model = models[i];
    Comparison c;
    c.model = int8_models[i - 1].string();
    c.size_ratio = static_cast<double>(model.session.info().file_bytes) /
                   static_cast<double>(models[0].session.info().file_bytes);
    c.mean_diff = model.sum_mean / count;
    c.mean_max = model.sum_max / count;
    Power all;
    for (std::size_t k = 0; k < model.power.size(); ++k) {
      all.add(model.power[k]);
      c.outputs.push_back({models[0].session.outputs()[k].name, model.power[k].ratio_db()});
    }
    c.sqnr_db = all.ratio_db();
    c.disagree = static_cast<double>(model.disagreements) / count;
    c.time_float_ms = median(models[0].times_ms);
    c.time_int8_ms = median(model.times_ms);
    c.ratio = c.time_int8_ms / c.time_float_ms;
    if (labelled > 0) {
      c.top1_float = 100.0 * models[0].right / labelled;
      c.top1_int8 = 100.0 * model.right / labelled;
    }
    c.samples = count;
    result.push_back(std::move(c));
  }
  return result;
}

}  // namespace intact::tools

// Measuring int8 models against their float model: size, time, difference, disagreement, accuracy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "intact/session.hpp"
#include "tools/labels.hpp"
#include "tools/samples.hpp"

namespace intact::tools {

/// 10 log10(sum float^2 / sum (float - int8)^2) over all samples; infinite for equal outputs.
struct OutputNoise {
  std::string name;
  double sqnr_db = 0;
};

/// One int8 model against the float model. Differences are of the first output, per sample.
struct Comparison {
  std::string model;
  double size_ratio = 0;  ///< int8 file / float file
  double mean_diff = 0;   ///< mean over samples of the mean |float - int8|
  double mean_max = 0;    ///< mean over samples of the greatest |float - int8|
  double sqnr_db = 0;     ///< of all outputs together
  std::vector<OutputNoise> outputs;
  double disagree = 0;       ///< share of samples whose greatest value is at another index
  double time_float_ms = 0;  ///< median per sample
  double time_int8_ms = 0;
  double ratio = 0;                             ///< time_int8_ms / time_float_ms
  std::optional<double> top1_float, top1_int8;  ///< percent, when true classes are known
  int samples = 0;
};

/// Runs all models on each sample in turn, so that a change of clock or load meets all alike.
/// `truth(sample, index)` gives the true class of a sample, if known.
std::vector<Comparison> compare_models(
    const std::filesystem::path& float_model, const std::vector<std::filesystem::path>& int8_models,
    SampleSource& samples, const SessionOptions& options,
    const std::function<std::optional<std::int64_t>(const Sample&, int)>& truth);

}  // namespace intact::tools

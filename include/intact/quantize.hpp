// Making quantized models from float ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "intact/error.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// How the range of a tensor's grid follows from its values in the samples. Model inputs and
/// outputs keep their smallest and largest value with any method.
enum class CalibrationMethod : std::uint8_t {
  automatic,   ///< of mse, percentile and minmax those with which the quantized model agrees best
  minmax,      ///< from the smallest to the largest value
  average,     ///< from the mean of the samples' smallest to that of their largest values
  percentile,  ///< without the 0.005 % of the values at either end
  entropy,     ///< where rounding and clipping change the distribution least (Kullback-Leibler)
  mse,         ///< where the mean squared error is least, that of clipped values counted four times
};

/// What is done for the accuracy of static quantization beyond choosing ranges.
enum class Effort : std::uint8_t {
  low,     ///< weights to the nearest integer
  normal,  ///< weights so that outputs change least on the samples, biases so that means stay
};

/// A closed interval of real numbers, min <= max.
struct ValueRange {
  float min = 0, max = 0;
  bool operator==(const ValueRange&) const = default;
};

/// Integers of the grids of activations.
struct ActivationFormat {
  ElementType type = ElementType::u8;  ///< or s8
  /// The real zero in the middle: zero point 0 for s8, 128 for u8.
  bool symmetric = false;
};

/// Called after each part of a phase, phases following one another: the phase's name, and how many
/// of its parts are done and there in all (0: not known). One call at a time, from any thread.
using QuantizeProgress = std::function<void(std::string_view phase, int done, int total)>;

struct QuantizeOptions {
  CalibrationMethod method = CalibrationMethod::automatic;
  Effort effort = Effort::normal;
  /// Float operators become part of products, and channels get similar ranges, before ranges are
  /// measured.
  bool preprocess = true;
  bool per_channel = true;  ///< weights: one scale per output channel, else one per tensor
  /// Weights from -63 to 63: for engines on CPUs without VNNI, where the sum of two products of
  /// bytes may overflow 16 bits. Intact is exact everywhere without it.
  bool narrow_weights = false;
  ActivationFormat activations;  ///< static mode
  /// Nodes that stay float: names, with * and ? for any characters and one, or op:TYPE.
  std::vector<std::string> exclude;
  /// In the same form: all other nodes stay float. Empty: none for this reason.
  std::vector<std::string> include;
  /// Mixed precision: operators stay float, those first that gain most, until the quantized model
  /// has this signal-to-noise ratio on the samples (QuantizeReport::sqnr_db). Absent: a model below
  /// 20 dB is spared the worst operators, of at most 5 % of its multiply-adds.
  std::optional<double> target_sqnr_db;
  /// The same for QuantizeReport::disagreement, from 0 to 1.
  std::optional<double> max_drop;
  /// Ranges by tensor name that replace those of the method (static mode), as
  /// QuantizeReport::ranges() gives them: one tensor of each that share a grid is enough. They are
  /// those of the tensors after pre-processing, which is the same for the same samples.
  std::map<std::string, ValueRange> ranges;
  int threads = 0;  ///< 0: the CPUs that this process may use
  QuantizeProgress progress;
};

/// Returns the next sample (inputs in the model's order), or nothing at the end. Called once per
/// sample, so that one sample is in memory at a time.
using CalibrationSource = std::function<std::optional<std::vector<Tensor>>()>;

/// Each call begins a pass over the same samples in the same order: steps that need what earlier
/// steps found read the samples again instead of keeping them.
using CalibrationData = std::function<CalibrationSource()>;

/// An activation that lies on a grid.
struct TensorReport {
  std::string name;
  ValueRange values;        ///< smallest and largest value in the samples
  ValueRange range;         ///< as chosen for it and those that share its grid
  std::string shares_with;  ///< first tensor of those that share its grid; empty: its own grid
  /// The result of a Concat whose operands keep their own grids: its range holds theirs.
  bool follows = false;
  ElementType type = ElementType::u8;
  float scale = 1;
  std::int32_t zero_point = 0;
  double saturated = 0;  ///< share of the values that lie more than half a step outside the grid
  /// Signal-to-noise ratio of the tensor rounded to its grid, 10 log10(sum x^2 / sum (x - r)^2).
  double sqnr_db = std::numeric_limits<double>::infinity();
  /// Numbers of values in equally wide bins from values.min to values.max; empty for tensors that
  /// calibration did not have to look at (their range follows from shares_with).
  std::vector<std::uint64_t> histogram;
};

/// An operator of the pre-processed model, in its order; shape computations are left out.
struct OperatorReport {
  std::string name, op;
  std::string output;  ///< its first result
  bool integer = false;
  std::string reason;  ///< why it stays float
  /// Signal-to-noise ratio of its result in the quantized model against the pre-processed float
  /// model, on a few of the samples; static mode.
  std::optional<double> sqnr_db;
  /// What the model's signal-to-noise ratio gains when this operator, and those that read the same
  /// grid, stay float; measured for mixed precision only.
  std::optional<double> float_gain_db;
};

struct QuantizeReport {
  int samples = 0;
  std::string method;  ///< "static percentile", "dynamic", ...
  std::vector<TensorReport> tensors;
  std::vector<OperatorReport> operators;
  /// Of all outputs of the quantized model against the float model, and share of rows of the first
  /// output whose largest element is another one: both on at most 32 of the calibration samples.
  std::optional<double> sqnr_db, disagreement;
  std::vector<std::string> quantized;                           ///< names of quantized operators
  std::vector<std::pair<std::string, std::string>> kept_float;  ///< name, reason
  /// Concats whose operands keep grids of their own, for one would be too coarse: name, reason.
  std::vector<std::pair<std::string, std::string>> kept_apart;
  std::vector<std::string> notes;               ///< what users of the written file should know
  std::size_t float_bytes = 0, int8_bytes = 0;  ///< file sizes

  /// What QuantizeOptions::ranges takes: one entry per grid.
  std::map<std::string, ValueRange> ranges() const;
};

/// Static quantization: u8 asymmetric activations, s8 symmetric weights, int32 bias; writes a
/// standard QDQ model. With options.ranges and without pre-processing, `calibration` may be empty,
/// if the model declares the shapes of its inputs (1 stands for an unknown first extent). Throws
/// Error when no sample is given, when a tensor is not finite (naming it), when a pattern of
/// `exclude` or `include` matches no node, when `ranges` names no tensor or lacks one, or when the
/// output cannot be written.
QuantizeReport quantize_static(const std::filesystem::path& float_model,
                               const std::filesystem::path& output,
                               const CalibrationData& calibration,
                               const QuantizeOptions& options = {});

/// Dynamic quantization: Conv, MatMul and Gemm with constant weights become DynamicQuantizeLinear
/// and ConvInteger or MatMulInteger, on u8 activations whose grids are found at run time and s8
/// symmetric weights; everything else stays float. Needs no samples; with some, pre-processing
/// evens out channels, and weights are rounded for them (options.effort). Method, ranges and the
/// goals of mixed precision are not used. Throws Error when a pattern of `exclude` or `include`
/// matches no node, when `calibration` has no sample or one that is not finite, or when the output
/// cannot be written.
QuantizeReport quantize_dynamic(const std::filesystem::path& float_model,
                                const std::filesystem::path& output,
                                const QuantizeOptions& options = {},
                                const CalibrationData& calibration = {});

}  // namespace intact

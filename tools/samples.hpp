// Samples for calibration and comparison, one in memory at a time: images, arrays or random
// numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "intact/quantize.hpp"
#include "intact/session.hpp"
#include "intact/tensor.hpp"
#include "tools/images.hpp"

namespace intact::tools {

struct Sample {
  std::string name;            ///< file name, for images
  std::vector<Tensor> inputs;  ///< in the model's order
};

class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual int count() const = 0;
  virtual std::optional<Sample> next() = 0;
};

/// PATH is an image or a folder of images (models with one input); a .npy file (one input); a .npz
/// file or a folder with NAME.npy for each input NAME; or a folder of any of the latter three.
/// Along the first axis of an array lie samples. Throws Error when nothing fits, saying what was
/// looked for.
std::unique_ptr<SampleSource> open_samples(const std::filesystem::path& path,
                                           const std::vector<TensorInfo>& inputs,
                                           const Preprocess& preprocess);

/// Passes over the samples that `open` opens.
CalibrationData calibration_data(std::function<std::unique_ptr<SampleSource>()> open);

/// `count` samples of random tensors with these shapes.
std::unique_ptr<SampleSource> random_samples(int count, const std::vector<TensorInfo>& inputs,
                                             const std::vector<Shape>& shapes, std::uint64_t seed);

/// Uniform: floats in [0,1), bytes over their range, other integers in 0..9, booleans. The same
/// seed gives the same numbers on every machine.
Tensor random_tensor(ElementType type, const Shape& shape, std::mt19937_64& generator);

}  // namespace intact::tools

// Where along a model the error of its int8 twin arises.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "intact/session.hpp"

namespace intact::tools {

/// A tensor that both models have under one name.
struct TensorNoise {
  std::string name, node, op;
  /// 10 log10(sum float^2 / sum (float - int8)^2) over all samples; infinite for equal tensors.
  double sqnr_db = 0;
  /// The quantizer gave its channels other factors (metadata intact.scaled_channels): each channel
  /// is compared up to the factor that fits best.
  bool scaled = false;
};

/// The float and the int8 model side by side, with all tensors that both write as f32. Activations
/// of one sample are in memory at a time.
class LayerComparison {
 public:
  LayerComparison(const std::filesystem::path& float_model, const std::filesystem::path& int8_model,
                  const SessionOptions& options);

  void add(std::span<const Tensor> inputs);
  /// In the float model's order.
  std::vector<TensorNoise> result() const;

 private:
  struct Sums {
    double floats = 0, products = 0, int8s = 0;  ///< of squares, and of float * int8
  };
  struct Layer {
    InnerTensor tensor;
    std::size_t in_float = 0, in_int8 = 0;  ///< places among the outputs
    std::optional<int> axis;                ///< of the channels, where they have factors
    std::vector<Sums> channels = {};        ///< one without factors
    double noise = 0;                       ///< sum (float - int8)^2
  };
  void add(Layer& layer, const Tensor& expected, const Tensor& given) const;

  std::vector<Session> sessions_;  ///< float, int8
  std::vector<Layer> layers_;
};

/// Below this an error is large: a third of the signal.
constexpr double large_error_db = 10;
/// The first tensor below large_error_db; null when there is none.
const TensorNoise* first_large_error(std::span<const TensorNoise> layers);

}  // namespace intact::tools

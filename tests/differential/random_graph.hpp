// Random small models with QuantizeLinear and DequantizeLinear, as exporters and people write them:
// any zero point, u8 and s8, per tensor and per channel, missing pairs, several consumers, outputs
// in the middle. The same seed gives the same model.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/graph/model_builder.hpp"

namespace intact::testing {

struct RandomModel {
  std::vector<std::byte> file;
  Shape input;  ///< first extent is the batch, -1 in the file
  ElementType input_type = ElementType::f32;
  std::string operators;  ///< for messages

  // Models of one operator: the same without the last QuantizeLinear, whose scale is `scale`.
  std::vector<std::byte> unrounded;
  float scale = 0;

  Tensor random_input(std::int64_t batch, unsigned seed) const;
};

/// Names of the operators that single_operator() knows.
const std::vector<std::string>& operator_names();
RandomModel single_operator(const std::string& name, unsigned seed);
RandomModel deep_model(unsigned seed, int operators);

}  // namespace intact::testing

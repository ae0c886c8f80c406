// A BERT-like encoder of random weights as an ONNX graph: the model of plan_bench. Sequence length
// unknown, reshapes computed from shapes as PyTorch exports them.
#pragma once

#include <string>

#include "tests/graph/model_builder.hpp"

namespace intact::bench {

struct EncoderOptions {
  int layers = 2;
  bool int8 = true;  ///< QDQ around every product, weights per channel; else float
  std::int64_t hidden = 768, heads = 12, inner = 3072;
};

class EncoderModel {
 public:
  explicit EncoderModel(const EncoderOptions& options) : options_(options) {}

  /// Input "x" [1, sequence, hidden], output of the same shape.
  Graph build() {
    ValueId x = model_.input("x", ElementType::f32, {1, -1, options_.hidden});
    for (int i = 0; i < options_.layers; ++i) x = layer("layer" + std::to_string(i), x);
    return model_.build({x});
  }

 private:
  ValueId on_grid(const std::string& name, ValueId x) {
    return options_.int8 ? model_.round<std::uint8_t>(name, x, 0.05f, 128) : x;
  }

  ValueId weights(const std::string& name, std::int64_t rows, std::int64_t columns) {
    if (!options_.int8)
      return model_.constant(name, testing::random_floats({rows, columns}, seed_++, -0.05f, 0.05f));
    const ValueId bytes =
        model_.constant(name, testing::random_integers<std::int8_t>({rows, columns}, seed_++));
    const auto channels = static_cast<std::size_t>(columns);
    return model_.node("DequantizeLinear", name + ".dq",
                       {bytes, model_.vector(name + ".s", std::vector<float>(channels, 5e-4f)),
                        model_.vector(name + ".z", std::vector<std::int8_t>(channels, 0))},
                       {{"axis", std::int64_t{1}}});
  }

  ValueId dense(const std::string& name, ValueId x, std::int64_t rows, std::int64_t columns) {
    const ValueId product =
        model_.node("MatMul", name, {on_grid(name + ".x", x), weights(name + ".w", rows, columns)});
    const ValueId bias = model_.constant(name + ".b", testing::random_floats({columns}, seed_++));
    return on_grid(name + ".y", model_.node("Add", name + ".add", {bias, product}));
  }

  ValueId length_of(const std::string& name, ValueId x) {
    const ValueId shape = model_.node("Shape", name + ".shape", {x});
    const ValueId length = model_.node("Gather", name + ".length",
                                       {shape, model_.scalar(name + ".one", std::int64_t{1})});
    return model_.node("Unsqueeze", name + ".unsqueeze",
                       {length, model_.vector<std::int64_t>(name + ".axes", {0})});
  }

  ValueId reshape(const std::string& name, ValueId x, const std::vector<std::int64_t>& tail) {
    const ValueId shape = model_.node("Concat", name + ".concat",
                                      {model_.vector<std::int64_t>(name + ".batch", {1}),
                                       length_of(name, x), model_.vector(name + ".tail", tail)},
                                      {{"axis", std::int64_t{0}}});
    return model_.node("Reshape", name, {x, shape});
  }

  ValueId heads(const std::string& name, ValueId x, const std::vector<std::int64_t>& order) {
    const ValueId dense_x = dense(name, x, options_.hidden, options_.hidden);
    const ValueId split =
        reshape(name + ".split", dense_x, {options_.heads, options_.hidden / options_.heads});
    return model_.node("Transpose", name + ".transpose", {split}, {{"perm", order}});
  }

  ValueId attention(const std::string& name, ValueId x) {
    const ValueId q = heads(name + ".q", x, {0, 2, 1, 3});
    const ValueId k = heads(name + ".k", x, {0, 2, 3, 1});
    const ValueId v = heads(name + ".v", x, {0, 2, 1, 3});
    const ValueId scores =
        model_.node("Div", name + ".scale",
                    {model_.node("MatMul", name + ".qk", {q, k}), model_.scalar(name + ".d", 8.f)});
    const ValueId weights = on_grid(
        name + ".p", model_.node("Softmax", name + ".softmax", {on_grid(name + ".s", scores)},
                                 {{"axis", std::int64_t{-1}}}));
    const ValueId mixed = on_grid(name + ".m", model_.node("MatMul", name + ".pv", {weights, v}));
    const ValueId rows = model_.node("Transpose", name + ".rows", {mixed},
                                     {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    return dense(name + ".out", reshape(name + ".join", rows, {options_.hidden}), options_.hidden,
                 options_.hidden);
  }

  /// Reshape needs the length of [1, heads, sequence, head]: taken from the rows after Transpose.
  ValueId normalized_sum(const std::string& name, ValueId a, ValueId b) {
    const auto ones = std::vector<float>(static_cast<std::size_t>(options_.hidden), 1.0f);
    const ValueId sum = on_grid(name + ".sum", model_.node("Add", name + ".add", {a, b}));
    return on_grid(name + ".y", model_.node("LayerNormalization", name,
                                            {sum, model_.vector(name + ".gamma", ones),
                                             model_.vector(name + ".beta", ones)}));
  }

  /// x / 2 * (1 + erf(x / sqrt 2))
  ValueId gelu(const std::string& name, ValueId x) {
    const ValueId scaled =
        model_.node("Div", name + ".div", {x, model_.scalar(name + ".root", 1.41421356f)});
    const ValueId erf = model_.node("Erf", name + ".erf", {scaled});
    const ValueId one = model_.node("Add", name + ".add", {erf, model_.scalar(name + ".one", 1.f)});
    const ValueId product = model_.node("Mul", name + ".mul", {x, one});
    return model_.node("Mul", name, {product, model_.scalar(name + ".half", 0.5f)});
  }

  ValueId layer(const std::string& name, ValueId x) {
    const ValueId attended = normalized_sum(name + ".norm1", x, attention(name + ".attention", x));
    const ValueId inner =
        gelu(name + ".gelu", dense(name + ".up", attended, options_.hidden, options_.inner));
    const ValueId outer = dense(name + ".down", inner, options_.inner, options_.hidden);
    return normalized_sum(name + ".norm2", attended, outer);
  }

  EncoderOptions options_;
  testing::ModelBuilder model_{17};
  unsigned seed_ = 1;
};

}  // namespace intact::bench

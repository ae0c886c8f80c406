// Operators that draw random numbers. ONNX leaves the generator open; here it is SplitMix64
// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) with element i drawing
// number i (Box-Muller: numbers 2i and 2i + 1) of the stream that the attribute `seed` selects. A
// node without it uses a seed made of its name, so that nodes differ and every run of a model gives
// the same numbers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/element_types.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

class Stream {
 public:
  explicit Stream(const Node& node) {
    if (node.attributes.has("seed")) {
      seed_ = std::bit_cast<std::uint32_t>(node.attributes.number("seed", 0));
      return;
    }
    seed_ = 0xcbf29ce484222325;  // FNV-1a of the name
    for (const char c : node.name) seed_ = (seed_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }

  /// Number i, in [0, 1): a multiple of 2^-53.
  double uniform(std::uint64_t i) const {
    std::uint64_t z = seed_ + (i + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  double normal(std::uint64_t i) const {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(2 * i)));
    return radius * std::cos(2 * std::numbers::pi * uniform(2 * i + 1));
  }

 private:
  std::uint64_t seed_ = 0;
};

ElementType type_attribute(const Node& node, ElementType fallback) {
  return node.attributes.has("dtype")
             ? element_type_of_code(node, node.attributes.integer("dtype", 0))
             : fallback;
}

void check_drawn(const Node& node, ElementType type) {
  if (!is_float(type))
    refuse(node, "cannot draw elements of type {}; it must be a floating-point type",
           element_name(type));
}

std::vector<TensorType> infer_shaped(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 0, 0);
  if (!node.attributes.has("shape")) refuse(node, "the attribute 'shape' is missing");
  const ElementType type = type_attribute(node, ElementType::f32);
  check_drawn(node, type);
  return {sized(node, type, node.attributes.integers("shape"))};
}

std::vector<TensorType> infer_like(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  const ElementType type = type_attribute(node, context.inputs[0].type);
  check_drawn(node, type);
  return {{type, context.inputs[0].shape}};
}

/// Elements draw(stream, i), rounded to the type of the output.
template <class Draw>
std::vector<Tensor> drawn(const Node& node, const TensorType& type, const Draw& draw) {
  const Stream stream(node);
  Tensor result = allocate(node, {ElementType::f64, type.shape});
  const auto out = result.data<double>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = draw(stream, i);
  return {convert(result, type.type)};
}

template <std::vector<TensorType> (*infer)(const InferContext&)>
std::vector<Tensor> evaluate_uniform(const EvalContext& context) {
  const Node& node = context.node;
  const double low = node.attributes.number("low", 0), high = node.attributes.number("high", 1);
  return drawn(node, output_types(context, infer)[0], [&](const Stream& stream, std::uint64_t i) {
    return low + (high - low) * stream.uniform(i);
  });
}

template <std::vector<TensorType> (*infer)(const InferContext&)>
std::vector<Tensor> evaluate_normal(const EvalContext& context) {
  const Node& node = context.node;
  const double mean = node.attributes.number("mean", 0), scale = node.attributes.number("scale", 1);
  return drawn(node, output_types(context, infer)[0], [&](const Stream& stream, std::uint64_t i) {
    return mean + scale * stream.normal(i);
  });
}

/// 1 with the probability that the input gives, else 0.
std::vector<TensorType> infer_bernoulli(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_drawn(context.node, context.inputs[0].type);
  return {{type_attribute(context.node, context.inputs[0].type), context.inputs[0].shape}};
}

std::vector<Tensor> evaluate_bernoulli(const EvalContext& context) {
  const TensorType type = output_types(context, infer_bernoulli)[0];
  const Tensor wide = convert(context.inputs[0], ElementType::f64);
  const auto probability = wide.data<double>();
  return drawn(context.node, type, [&](const Stream& stream, std::uint64_t i) {
    return stream.uniform(i) < probability[i] ? 1.0 : 0.0;
  });
}

/// Classes drawn by their unnormalized logarithmic probabilities, [batch, classes].
std::vector<TensorType> infer_multinomial(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  check_drawn(node, context.inputs[0].type);
  const ElementType type = type_attribute(node, ElementType::s32);
  if (type != ElementType::s32 && type != ElementType::s64)
    refuse(node, "cannot give classes of type {}; it must be s32 or s64", element_name(type));
  const auto& shape = context.inputs[0].shape;
  if (!shape) return {{type, std::nullopt}};
  if (shape->size() != 2 || (*shape)[1] == 0)
    refuse(node, "the input has shape {}; it must be [batch, classes]", to_string(*shape));
  return {sized(node, type, {(*shape)[0], node.attributes.integer("sample_size", 1)})};
}

std::vector<Tensor> evaluate_multinomial(const EvalContext& context) {
  const TensorType type = output_types(context, infer_multinomial)[0];
  const Tensor wide = convert(context.inputs[0], ElementType::f64);
  const auto classes = static_cast<std::size_t>(wide.shape()[1]);
  const auto samples = static_cast<std::size_t>((*type.shape)[1]);
  // Running sums of exp(x - greatest) per row.
  std::vector<double> sums(wide.data<double>().begin(), wide.data<double>().end());
  for (std::size_t row = 0; row < sums.size(); row += classes) {
    const auto begin = sums.begin() + static_cast<std::ptrdiff_t>(row);
    const double greatest = *std::max_element(begin, begin + static_cast<std::ptrdiff_t>(classes));
    double sum = 0;
    for (std::size_t c = row; c < row + classes; ++c) sums[c] = sum += std::exp(sums[c] - greatest);
  }
  return drawn(context.node, type, [&](const Stream& stream, std::uint64_t i) {
    const double* const row = sums.data() + i / samples * classes;
    const double wanted = stream.uniform(i) * row[classes - 1];
    const auto found = std::upper_bound(row, row + classes - 1, wanted);
    return static_cast<double>(found - row);
  });
}

Definition definition(std::string_view op, decltype(Definition::infer) infer,
                      decltype(Definition::evaluate) evaluate) {
  return {.op = op, .infer = infer, .evaluate = evaluate, .random = true};
}

}  // namespace

std::span<const Definition> random_definitions() {
  static const std::vector<Definition> definitions = {
      definition("RandomUniform", infer_shaped, evaluate_uniform<infer_shaped>),
      definition("RandomUniformLike", infer_like, evaluate_uniform<infer_like>),
      definition("RandomNormal", infer_shaped, evaluate_normal<infer_shaped>),
      definition("RandomNormalLike", infer_like, evaluate_normal<infer_like>),
      definition("Bernoulli", infer_bernoulli, evaluate_bernoulli),
      definition("Multinomial", infer_multinomial, evaluate_multinomial),
  };
  return definitions;
}

}  // namespace intact

// Float operators of com.microsoft that are several standard ones in a row.
#include <algorithm>
#include <array>
#include <numeric>

#include "graph/onnx/expand/channels_last.hpp"
#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

/// The activation of FusedConv and FusedGemm, with its one or two parameters.
ValueId activated(Expansion& e, ValueId x) {
  const Attributes& attributes = e.node().attributes;
  const std::string name = attributes.text("activation", "");
  const std::vector<float> values = attributes.numbers("activation_params");
  const auto parameter = [&](std::size_t i, const char* attribute, float fallback) {
    return attributes.number(attribute, i < values.size() ? values[i] : fallback);
  };
  constexpr std::array<std::string_view, 6> plain = {"Relu",     "Sigmoid",  "Tanh",
                                                     "Softplus", "Softsign", "HardSwish"};
  if (name.empty()) return x;
  if (std::ranges::find(plain, name) != plain.end()) return e.add(name, {x});
  if (name == "Clip")
    return e.add("Clip", {x, e.number(parameter(0, "activation_alpha", -3.4028235e38f)),
                          e.number(parameter(1, "activation_beta", 3.4028235e38f))});
  if (name == "LeakyRelu" || name == "Elu" || name == "ThresholdedRelu") {
    const float alpha = parameter(0, "activation_alpha", name == "LeakyRelu" ? 0.01f : 1.0f);
    return e.add(name, {x}, attributes_of({{"alpha", alpha}}));
  }
  if (name == "HardSigmoid")
    return e.add(name, {x},
                 attributes_of({{"alpha", parameter(0, "activation_alpha", 0.2f)},
                                {"beta", parameter(1, "activation_beta", 0.5f)}}));
  refuse_unsupported(e.node(), "the activation '{}' is not supported", name);
}

Attributes without_activation(const Expansion& e) {
  return e.attributes_without({"activation", "activation_params", "activation_alpha",
                               "activation_beta", "activation_gamma", "channels_last"});
}

/// X, W, bias, and a tensor that is added before the activation.
void expand_conv(Expansion& e, bool channels_last) {
  ImageLayout layout(e, channels_last, channels_last ? e.needed_rank(e.operand(1)) : 0);
  const ValueId x = layout.read(e.operand(0)), residual = layout.read(e.optional(3));
  const ValueId y = e.main(e.add("Conv", {x, e.operand(1), e.optional(2)}, without_activation(e)));
  layout.give(0, activated(e, e.add_optional(y, residual)));
}
void expand_fused_conv(Expansion& e) {
  expand_conv(e, false);
}
void expand_nhwc_fused_conv(Expansion& e) {
  expand_conv(e, true);
}

void expand_fused_gemm(Expansion& e) {
  const ValueId y =
      e.main(e.add("Gemm", {e.operand(0), e.operand(1), e.optional(2)}, without_activation(e)));
  e.give(0, activated(e, y));
}

/// A matrix operand of FusedMatMul. `batch`: its first axis is that of the rows (or columns), the
/// batch axes lie in between.
ValueId matrix(Expansion& e, ValueId x, bool transposed, bool batch) {
  if (!transposed && !batch) return x;
  const int rank = e.needed_rank(x);
  if (rank < 2)
    refuse(e.node(), "a tensor of rank {} cannot be transposed; it must have rank 2 or more", rank);
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (batch) std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (transposed) std::swap(order[order.size() - 1], order[order.size() - 2]);
  return e.add("Transpose", {x}, attributes_of({{"perm", order}}));
}

void expand_fused_matmul(Expansion& e) {
  const Attributes& attributes = e.node().attributes;
  const auto flag = [&](const char* name) { return attributes.integer(name, 0) != 0; };
  const ValueId a = matrix(e, e.operand(0), flag("transA"), flag("transBatchA"));
  const ValueId b = matrix(e, e.operand(1), flag("transB"), flag("transBatchB"));
  ValueId y = e.main(e.add("MatMul", {a, b}));
  const float alpha = attributes.number("alpha", 1.0f);
  if (alpha != 1) y = e.add("Mul", {y, e.number(alpha)});
  e.give(0, activated(e, y));
}

/// Operators with an optional bias in front: `op` with these attributes.
void expand_biased(Expansion& e, const char* op, Attributes attributes) {
  const ValueId x = e.add_optional(e.operand(0), e.optional(1));
  e.give(0, e.main(e.add(op, {x}, std::move(attributes))));
}
void expand_gelu(Expansion& e) {
  expand_biased(e, "Gelu", {});
}
void expand_fast_gelu(Expansion& e) {
  expand_biased(e, "Gelu", attributes_of({{"approximate", std::string("tanh")}}));
}
void expand_quick_gelu(Expansion& e) {
  const float alpha = e.node().attributes.number("alpha", 1.702f);
  expand_biased(e, "Swish", attributes_of({{"alpha", alpha}}));
}

void expand_bias_add(Expansion& e) {
  const ValueId x = e.main(e.add("Add", {e.operand(0), e.operand(1)}));
  e.give(0, e.add_optional(x, e.optional(2)));
}

/// The first half of the channels times Gelu of the second.
void expand_bias_split_gelu(Expansion& e) {
  const ValueId x = e.add("Add", {e.operand(0), e.operand(1)});
  const auto halves = e.add_several("Split", {x}, 2, attributes_of({{"axis", std::int64_t{-1}}}));
  const ValueId gate = e.main(e.add("Gelu", {halves[1]}));
  e.give(0, e.add("Mul", {halves[0], gate}));
}

/// The axis is one 32-bit integer.
void expand_expand_dims(Expansion& e) {
  const ValueId axis = e.add("Cast", {e.operand(1)}, attributes_of({{"to", std::int64_t{7}}}));
  const ValueId axes = e.add("Reshape", {axis, e.integers({1})});
  e.give(0, e.main(e.add("Unsqueeze", {e.operand(0), axes})));
}

/// The same operator, at home in ONNX.
void expand_same(Expansion& e) {
  const ValueId y = e.main(e.add(e.node().op, e.node().inputs, e.node().attributes));
  e.give(0, y);
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"FusedConv", microsoft, expand_fused_conv},
    {"NhwcFusedConv", microsoft, expand_nhwc_fused_conv},
    {"FusedGemm", microsoft, expand_fused_gemm},
    {"FusedMatMul", microsoft, expand_fused_matmul},
    {"FusedMatMulActivation", microsoft, expand_fused_matmul},
    {"TransposeMatMul", microsoft, expand_fused_matmul},
    {"Gelu", microsoft, expand_gelu},
    {"BiasGelu", microsoft, expand_gelu},
    {"FastGelu", microsoft, expand_fast_gelu},
    {"QuickGelu", microsoft, expand_quick_gelu},
    {"BiasAdd", microsoft, expand_bias_add},
    {"BiasSplitGelu", microsoft, expand_bias_split_gelu},
    {"ExpandDims", microsoft, expand_expand_dims},
    {"Trilu", microsoft, expand_same},
    {"GatherND", microsoft, expand_same},
};

}  // namespace

std::span<const ExpansionRule> fused_rules() {
  return rules;
}

}  // namespace intact

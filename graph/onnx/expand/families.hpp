// The lists of expansions, one per file of this folder; expand.cpp looks them up.
#pragma once

#include <span>
#include <string_view>

#include "graph/onnx/expand/expansion.hpp"

namespace intact {

/// How an operator is written in standard ones. Throws Error for a wrong node and Unsupported for a
/// form without a standard equivalent.
struct ExpansionRule {
  std::string_view op, domain;
  void (*expand)(Expansion&);
};

std::span<const ExpansionRule> channels_last_rules();
std::span<const ExpansionRule> quantized_rules();      ///< QLinearConv, QGemm, ...
std::span<const ExpansionRule> integer_rules();        ///< MatMulIntegerToFloat, ...
std::span<const ExpansionRule> blocked_rules();        ///< MatMulNBits, GatherBlockQuantized, ...
std::span<const ExpansionRule> other_tool_rules();     ///< Quant, FakeQuantize, ...
std::span<const ExpansionRule> fused_rules();          ///< FusedConv, BiasGelu, ...
std::span<const ExpansionRule> normalization_rules();  ///< SkipLayerNormalization, ...
std::span<const ExpansionRule> attention_rules();      ///< Attention, MultiHeadAttention, ...
std::span<const ExpansionRule> standard_rules();  ///< Einsum, Attention of ONNX, CenterCropPad, ...

// Operators that have a file of their own.
void expand_einsum(Expansion& expansion);
void expand_group_query_attention(Expansion& expansion);
void expand_standard_attention(Expansion& expansion);
void expand_rotary_embedding(Expansion& expansion);
void expand_standard_rotary_embedding(Expansion& expansion);

}  // namespace intact

// Normalizations that optimized transformers and diffusion models carry.
#include "graph/onnx/expand/channels_last.hpp"
#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/grids.hpp"

namespace intact {
namespace {

/// LayerNormalization along the last axes: the result, the mean, the inverse deviation.
std::vector<ValueId> layer(Expansion& e, ValueId x, ValueId scale, ValueId bias, float epsilon,
                           std::size_t outputs) {
  const std::int64_t axis = e.node().attributes.integer("axis", -1);
  const auto results = e.add_several("LayerNormalization", {x, scale, bias}, outputs,
                                     attributes_of({{"axis", axis}, {"epsilon", epsilon}}));
  e.main(results[0]);
  return results;
}

/// x / sqrt(mean of squares) * scale, and the inverse root.
std::vector<ValueId> root_mean_square(Expansion& e, ValueId x, ValueId scale, float epsilon) {
  const std::int64_t axis = e.node().attributes.integer("axis", -1);
  if (axis != -1 && e.needed_rank(x) - 1 != axis)
    refuse_unsupported(e.node(), "axis {} is not supported, only the last one", axis);
  const ValueId squares = e.add("Mul", {x, x});
  const ValueId mean =
      e.add("ReduceMean", {squares}, attributes_of({{"axes", std::vector<std::int64_t>{-1}}}));
  const ValueId root = e.add("Sqrt", {e.add("Add", {mean, e.number(epsilon)})});
  const ValueId inverse = e.add("Reciprocal", {root});
  const ValueId normalized = e.main(e.add("Mul", {x, inverse}));
  return {e.add("Mul", {normalized, scale}), inverse};
}

void expand_layer(Expansion& e) {
  const float epsilon = e.node().attributes.number("epsilon", 1e-5f);
  const auto results = layer(e, e.operand(0), e.operand(1), e.optional(2), epsilon, e.wanted(3));
  e.give_all(results, 3);
}

void expand_simplified_layer(Expansion& e) {
  const float epsilon = e.node().attributes.number("epsilon", 1e-5f);
  const auto results = root_mean_square(e, e.operand(0), e.operand(1), epsilon);
  for (std::size_t i = 0; i < 2; ++i) e.give(i, results[i]);
}

/// X, residual, scale, bias, bias of the sum. Output 3 is the sum.
void expand_skip_layer(Expansion& e) {
  const float epsilon = e.node().attributes.number("epsilon", 1e-12f);
  const ValueId sum = e.add_optional(e.add("Add", {e.operand(0), e.operand(1)}), e.optional(4));
  const auto results = layer(e, sum, e.operand(2), e.optional(3), epsilon, e.wanted(3));
  e.give_all(results, 3);
  e.give(3, sum);
}

/// X, residual, scale, bias of the sum. Output 3 is the sum; the mean is not taken.
void expand_skip_simplified_layer(Expansion& e) {
  const float epsilon = e.node().attributes.number("epsilon", 1e-12f);
  const ValueId sum = e.add_optional(e.add("Add", {e.operand(0), e.operand(1)}), e.optional(3));
  const auto results = root_mean_square(e, sum, e.operand(2), epsilon);
  e.give(0, results[0]);
  e.give(2, results[1]);
  e.give(3, sum);
}

/// Positions 0, 1, ... of each sequence.
ValueId first_positions(Expansion& e, ValueId ids, ValueId table) {
  const ValueId length = e.add("Slice", {e.add("Shape", {ids}), e.integers({1}), e.integers({2})});
  return e.add("Slice", {table, e.integers({0}), length, e.integers({0})});
}

/// What an EmbedLayerNormalization looks up, sums and normalizes. Segments, mask and positions may
/// be absent.
struct Embedding {
  ValueId tokens, segments;
  ValueId token_table, position_table, segment_table, scale, bias;
  ValueId mask, positions;
};

/// Outputs: the normalized sum, the length of each sequence, the sum.
void embed(Expansion& e, const Embedding& given) {
  const ValueId tokens = given.tokens;
  const auto look_up = [&](ValueId table, ValueId at) { return e.add("Gather", {table, at}); };
  const ValueId positions = given.positions != no_value
                                ? look_up(given.position_table, given.positions)
                                : first_positions(e, tokens, given.position_table);
  ValueId sum = e.add("Add", {look_up(given.token_table, tokens), positions});
  if (given.segments != no_value)
    sum = e.add("Add", {sum, look_up(given.segment_table, given.segments)});
  const float epsilon = e.node().attributes.number("epsilon", 1e-12f);
  e.give(0, layer(e, sum, given.scale, given.bias, epsilon, 1)[0]);
  if (e.wants(1)) {
    ValueId marks = given.mask != no_value ? given.mask : e.add("Sub", {tokens, tokens});
    marks = e.add("Cast", {marks}, attributes_of({{"to", std::int64_t{6}}}));
    e.give(1, e.add("ReduceSum", {marks, e.integers({1})},
                    attributes_of({{"keepdims", std::int64_t{0}}})));
  }
  e.give(2, sum);
}

/// Token and segment numbers, three tables (tokens, positions, segments), scale, bias, mask,
/// positions.
void expand_embed_layer(Expansion& e) {
  embed(e, {e.operand(0), e.optional(1), e.operand(2), e.operand(3),
            e.has(1) ? e.operand(4) : no_value, e.operand(5), e.operand(6), e.optional(7),
            e.optional(8)});
}

/// The same with integers in the tables, scale and bias: behind the mask their scales, then their
/// zero points.
void expand_quantized_embed_layer(Expansion& e) {
  const auto reals = [&](std::size_t i) {
    return dequantized(e, quantized_at(e, {i, i + 6, i + 11}));
  };
  embed(e, {e.operand(0), e.optional(1), reals(2), reals(3), e.has(1) ? reals(4) : no_value,
            reals(5), reals(6), e.optional(7), no_value});
}

/// X, scale, bias; channels last unless told otherwise; activation 1 is SiLU.
void expand_group(Expansion& e) {
  const Attributes& attributes = e.node().attributes;
  const bool channels_last = attributes.integer("channels_last", 1) != 0;
  ImageLayout layout(e, channels_last, channels_last ? e.needed_rank(e.operand(0)) : 0);
  const std::int64_t activation = attributes.integer("activation", 0);
  if (activation != 0 && activation != 1)
    refuse(e.node(), "activation is {}; it must be 0 for none or 1 for SiLU", activation);
  ValueId y =
      e.main(e.add("GroupNormalization", {layout.read(e.operand(0)), e.operand(1), e.operand(2)},
                   attributes_of({{"num_groups", attributes.integer("groups", 1)},
                                  {"epsilon", attributes.number("epsilon", 1e-5f)}})));
  if (activation == 1) y = e.add("Mul", {y, e.add("Sigmoid", {y})});
  layout.give(0, y);
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"LayerNormalization", microsoft, expand_layer},
    {"SimplifiedLayerNormalization", "", expand_simplified_layer},
    {"SimplifiedLayerNormalization", microsoft, expand_simplified_layer},
    {"SkipLayerNormalization", microsoft, expand_skip_layer},
    {"SkipSimplifiedLayerNormalization", microsoft, expand_skip_simplified_layer},
    {"EmbedLayerNormalization", microsoft, expand_embed_layer},
    {"QEmbedLayerNormalization", microsoft, expand_quantized_embed_layer},
    {"GroupNorm", microsoft, expand_group},
};

}  // namespace

std::span<const ExpansionRule> normalization_rules() {
  return rules;
}

}  // namespace intact

// Attention in its several packings: projections, heads, masks and past keys differ, the two
// products and the Softmax between them are written once (attend).
#include <cmath>

#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/integer.hpp"

namespace intact {
namespace {

constexpr std::int64_t to_f32 = 1, to_s64 = 7, to_bool = 9;  ///< ONNX's numbers of types

Attributes perm(std::vector<std::int64_t> order) {
  return attributes_of({{"perm", std::move(order)}});
}
Attributes cast_to(std::int64_t type) {
  return attributes_of({{"to", type}});
}
Attributes along(std::int64_t axis) {
  return attributes_of({{"axis", axis}});
}

std::int64_t head_count(const Expansion& e) {
  const std::int64_t heads = e.node().attributes.integer("num_heads", 0);
  if (heads <= 0) refuse(e.node(), "num_heads is {}; it must be positive", heads);
  return heads;
}

/// [B, S, heads * H] -> [B, heads, S, H].
ValueId split_heads(Expansion& e, ValueId x, std::int64_t heads) {
  const ValueId split = e.add("Reshape", {x, e.integers({0, 0, heads, -1})});
  return e.add("Transpose", {split}, perm({0, 2, 1, 3}));
}

/// Extent `axis` of a tensor as a list of one number.
ValueId extent_of(Expansion& e, ValueId x, std::int64_t axis) {
  return e.add("Gather", {e.add("Shape", {x}), e.integers({axis})});
}

/// 0, 1, ... up to an extent of a tensor.
ValueId indices_along(Expansion& e, ValueId x, std::int64_t axis) {
  const ValueId limit = e.add("Squeeze", {extent_of(e, x, axis), e.integers({0})});
  return e.add("Range", {e.integer(0), limit, e.integer(1)});
}

/// What all forms of attention come down to; queries, keys and values are [B, heads, *, H].
struct Heads {
  ValueId q, k, v;
  /// Keys of a mask, in any of the node's forms, and a tensor that is added to the scores.
  ValueId mask = no_value, bias = no_value;
  std::optional<std::int64_t> head_size = std::nullopt;
};

/// What is added to the scores where `visible` is false: broadcast to [B, heads, S, T].
ValueId hidden_where_not(Expansion& e, ValueId visible, float value) {
  return e.add("Where", {visible, e.number(0), e.number(value)});
}

/// The mask as numbers to add: [B, T] or [B, S, T] with zeros where nothing is to be seen, or the
/// lengths [B] of sequences that are padded at the end.
ValueId mask_bias(Expansion& e, const Heads& heads) {
  const float hidden = e.node().attributes.number("mask_filter_value", -10000.0f);
  switch (const int rank = e.needed_rank(heads.mask); rank) {
    case 1: {
      const ValueId lengths =
          e.add("Unsqueeze", {e.add("Cast", {heads.mask}, cast_to(to_s64)), e.integers({1, 2, 3})});
      const ValueId visible = e.add("Less", {indices_along(e, heads.k, 2), lengths});
      return hidden_where_not(e, visible, hidden);
    }
    case 2:
    case 3: {
      const ValueId axes = rank == 2 ? e.integers({1, 2}) : e.integers({1});
      const ValueId visible = e.add("Cast", {heads.mask}, cast_to(to_bool));
      return hidden_where_not(e, e.add("Unsqueeze", {visible, axes}), hidden);
    }
    default:
      refuse_unsupported(
          e.node(), "a mask of rank {} is not supported; ranks 1 (lengths), 2 and 3 are", rank);
  }
}

/// Each query sees the keys up to its own position, the last query all of them.
ValueId causal_bias(Expansion& e, const Heads& heads) {
  const ValueId earlier = e.add("Sub", {extent_of(e, heads.k, 2), extent_of(e, heads.q, 2)});
  const ValueId last = e.add("Add", {indices_along(e, heads.q, 2), earlier});
  const ValueId visible = e.add(
      "LessOrEqual", {indices_along(e, heads.k, 2), e.add("Unsqueeze", {last, e.integers({1})})});
  e.set_version(visible, 16);
  return hidden_where_not(e, visible, -3.4028235e38f);
}

ValueId scaled(Expansion& e, ValueId scores, const Heads& heads) {
  const float given = e.node().attributes.number("scale", 0.0f);
  if (given != 0) return e.add("Mul", {scores, e.number(given)});
  if (heads.head_size)
    return e.add("Mul", {scores, e.number(1 / std::sqrt(static_cast<float>(*heads.head_size)))});
  const ValueId size = e.add("Cast", {extent_of(e, heads.q, 3)}, cast_to(to_f32));
  return e.add("Div", {scores, e.add("Sqrt", {size})});
}

/// softmax(scale * q * k' + masks) * v, the heads side by side: [B, S, heads * H]. The second
/// product stands for the node.
ValueId attend(Expansion& e, const Heads& heads) {
  const ValueId keys = e.add("Transpose", {heads.k}, perm({0, 1, 3, 2}));
  ValueId scores = scaled(e, e.add("MatMul", {heads.q, keys}), heads);
  if (heads.mask != no_value) scores = e.add("Add", {scores, mask_bias(e, heads)});
  scores = e.add_optional(scores, heads.bias);
  if (e.node().attributes.integer("unidirectional", 0) != 0)
    scores = e.add("Add", {scores, causal_bias(e, heads)});
  const ValueId weights = e.add("Softmax", {scores}, along(-1));
  const ValueId y = e.main(e.add("MatMul", {weights, heads.v}));
  const ValueId rows = e.add("Transpose", {y}, perm({0, 2, 1, 3}));
  return e.add("Reshape", {rows, e.integers({0, 0, -1})});
}

/// Attributes of fused kernels that change what they compute.
void refuse_variants(const Expansion& e) {
  for (const char* name : {"do_rotary", "past_present_share_buffer"})
    if (e.node().attributes.integer(name, 0) != 0)
      refuse_unsupported(e.node(), "{} is not supported", name);
}

// Attention and QAttention: one matrix makes queries, keys and values of the input.

/// The widths of queries, keys and values in the projection's last axis of extent `all`.
std::vector<std::int64_t> widths_of(const Expansion& e, std::optional<std::int64_t> all) {
  const auto given = e.node().attributes.integers("qkv_hidden_sizes");
  if (!given.empty()) {
    if (given.size() != 3) refuse(e.node(), "qkv_hidden_sizes has {} entries, not 3", given.size());
    return given;
  }
  if (!all) return {};
  if (*all % 3 != 0 || *all / 3 % head_count(e) != 0)
    refuse(e.node(), "the weights have {} columns, which are not three times {} heads", *all,
           head_count(e));
  return {*all / 3, *all / 3, *all / 3};
}

/// Keys or values (`which` 0, 1) behind those of the past [2, B, heads, P, H].
ValueId behind_past(Expansion& e, ValueId past, std::int64_t which, ValueId present) {
  if (past == no_value) return present;
  return e.add("Concat", {e.add("Gather", {past, e.integer(which)}, along(0)), present}, along(2));
}

/// `projected` [B, S, widths of q, k and v].
void attend_packed(Expansion& e, ValueId projected, std::optional<std::int64_t> columns,
                   ValueId mask, ValueId past, ValueId bias) {
  refuse_variants(e);
  const std::int64_t count = head_count(e);
  const std::vector<std::int64_t> widths = widths_of(e, columns);
  const auto parts = e.add_several(
      "Split", {projected, widths.empty() ? no_value : e.integers(widths)}, 3, along(-1));
  Heads heads{split_heads(e, parts[0], count), split_heads(e, parts[1], count),
              split_heads(e, parts[2], count), mask, bias};
  heads.k = behind_past(e, past, 0, heads.k);
  heads.v = behind_past(e, past, 1, heads.v);
  if (!widths.empty() && widths[0] > 0) heads.head_size = widths[0] / count;
  e.give(0, attend(e, heads));
  if (!e.wants(1)) return;
  const auto stacked = [&](ValueId x) { return e.add("Unsqueeze", {x, e.integers({0})}); };
  e.give(1, e.add("Concat", {stacked(heads.k), stacked(heads.v)}, along(0)));
}

/// Input, weights, bias, mask, past, bias of the scores.
void expand_attention(Expansion& e) {
  const ValueId product = e.add("MatMul", {e.operand(0), e.operand(1)});
  attend_packed(e, e.add_optional(product, e.optional(2)), e.extent(e.operand(1), 1), e.optional(3),
                e.optional(4), e.optional(5));
}

/// Input, weights, bias, scales of both, mask, zero points of both, past.
void expand_qattention(Expansion& e) {
  const ValueId product = integer_product(e, {e.operand(0), e.operand(3), e.optional(6)},
                                          {e.operand(1), e.operand(4), e.optional(7)});
  attend_packed(e, e.add("Add", {product, e.operand(2)}), e.extent(e.operand(1), 1), e.optional(5),
                e.optional(8), no_value);
}

// MultiHeadAttention: projections are separate nodes. Query, key, value, bias of the projections,
// mask, bias of the scores, past keys, past values.

/// [B, S, heads, parts, H] -> `parts` tensors [B, heads, S, H].
std::vector<ValueId> unpacked_heads(Expansion& e, ValueId packed, std::size_t parts) {
  std::vector<ValueId> results;
  for (const ValueId part : e.add_several("Split", {packed}, parts, along(3))) {
    const ValueId rows = e.add("Squeeze", {part, e.integers({3})});
    results.push_back(e.add("Transpose", {rows}, perm({0, 2, 1, 3})));
  }
  return results;
}

/// The parts of the bias that belong to query, key and value.
std::vector<ValueId> bias_parts(Expansion& e, ValueId bias, ValueId q, ValueId v) {
  const ValueId q_width = extent_of(e, q, 2), v_width = extent_of(e, v, 2);
  return e.add_several("Split", {bias, e.add("Concat", {q_width, q_width, v_width}, along(0))}, 3,
                       along(0));
}

/// Queries, keys and values of separate tensors [B, S, heads * H]; keys and values may have their
/// heads split already.
Heads separate_heads(Expansion& e, std::int64_t count) {
  ValueId q = e.operand(0), k = e.operand(1), v = e.operand(2);
  const bool split = e.rank(k) == 4;
  if (e.has(3)) {
    if (split) refuse_unsupported(e.node(), "a bias with keys of rank 4 is not supported");
    const auto bias = bias_parts(e, e.operand(3), q, v);
    q = e.add("Add", {q, bias[0]});
    k = e.add("Add", {k, bias[1]});
    v = e.add("Add", {v, bias[2]});
  }
  return {split_heads(e, q, count), split ? k : split_heads(e, k, count),
          split ? v : split_heads(e, v, count)};
}

Heads heads_of(Expansion& e, std::int64_t count) {
  if (e.has(2)) return separate_heads(e, count);
  if (e.has(3)) refuse_unsupported(e.node(), "a bias with packed operands is not supported");
  if (e.has(1)) {
    const auto kv = unpacked_heads(e, e.operand(1), 2);
    return {split_heads(e, e.operand(0), count), kv[0], kv[1]};
  }
  const auto qkv = unpacked_heads(e, e.operand(0), 3);
  return {qkv[0], qkv[1], qkv[2]};
}

void expand_multi_head_attention(Expansion& e) {
  refuse_variants(e);
  if (e.has(8) || e.has(9))
    refuse_unsupported(e.node(), "past_sequence_length and cache_indirection are not supported");
  const std::int64_t count = head_count(e);
  Heads heads = heads_of(e, count);
  heads.mask = e.optional(4);
  heads.bias = e.optional(5);
  if (e.has(6)) heads.k = e.add("Concat", {e.operand(6), heads.k}, along(2));
  if (e.has(7)) heads.v = e.add("Concat", {e.operand(7), heads.v}, along(2));
  if (const auto width = e.extent(e.operand(0), 2); e.has(2) && width)
    heads.head_size = *width / count;
  e.give(0, attend(e, heads));
  e.give(1, heads.k);
  e.give(2, heads.v);
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"Attention", microsoft, expand_attention},
    {"QAttention", microsoft, expand_qattention},
    {"MultiHeadAttention", microsoft, expand_multi_head_attention},
    {"RotaryEmbedding", microsoft, expand_rotary_embedding},
};

}  // namespace

std::span<const ExpansionRule> attention_rules() {
  return rules;
}

}  // namespace intact

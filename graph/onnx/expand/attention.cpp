// Attention of com.microsoft in its several packings: projections, masks and past keys differ.
#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/heads.hpp"
#include "graph/onnx/expand/integer.hpp"

namespace intact {
namespace {

std::int64_t head_count(const Expansion& e) {
  const std::int64_t heads = e.node().attributes.integer("num_heads", 0);
  if (heads <= 0) refuse(e.node(), "num_heads is {}; it must be positive", heads);
  return heads;
}

/// The mask as numbers to add, of any of the node's forms: [B, T] or [B, S, T] with zeros where
/// nothing is to be seen, or the lengths [B] of sequences that are padded at the end.
ValueId mask_bias(Expansion& e, ValueId mask, const Heads& heads) {
  const float hidden = e.node().attributes.number("mask_filter_value", -10000.0f);
  switch (const int rank = e.needed_rank(mask); rank) {
    case 1: {
      const ValueId lengths =
          e.add("Unsqueeze", {e.add("Cast", {mask}, cast_to(to_s64)), e.integers({1, 2, 3})});
      const ValueId visible = e.add("Less", {indices_along(e, heads.k, 2), lengths});
      return hidden_where_not(e, visible, hidden, heads.q);
    }
    case 2:
    case 3: {
      const ValueId axes = rank == 2 ? e.integers({1, 2}) : e.integers({1});
      const ValueId visible = e.add("Cast", {mask}, cast_to(to_bool));
      return hidden_where_not(e, e.add("Unsqueeze", {visible, axes}), hidden, heads.q);
    }
    default:
      refuse_unsupported(
          e.node(), "a mask of rank {} is not supported; ranks 1 (lengths), 2 and 3 are", rank);
  }
}

/// Each query sees the keys up to its own position, the last query all of them.
ValueId causal_bias(Expansion& e, const Heads& heads) {
  const ValueId earlier = e.add("Sub", {extent_of(e, heads.k, 2), extent_of(e, heads.q, 2)});
  const ValueId visible = visible_in(e, {.causal = true}, heads, earlier);
  return hidden_where_not(e, visible, -3.4028235e38f, heads.q);
}

/// The attention itself, the heads side by side: [B, S, heads * H].
ValueId attended(Expansion& e, Heads heads, ValueId mask, ValueId bias) {
  heads.scale = e.node().attributes.number("scale", 0.0f);
  if (mask != no_value) heads.bias = mask_bias(e, mask, heads);
  heads.bias = sum_of_biases(e, heads.bias, bias);
  if (e.node().attributes.integer("unidirectional", 0) != 0)
    heads.bias = sum_of_biases(e, heads.bias, causal_bias(e, heads));
  return merge_heads(e, attend(e, heads).y);
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
              split_heads(e, parts[2], count)};
  heads.k = behind_past(e, past, 0, heads.k);
  heads.v = behind_past(e, past, 1, heads.v);
  if (!widths.empty() && widths[0] > 0) heads.head_size = widths[0] / count;
  e.give(0, attended(e, heads, mask, bias));
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
  if (e.has(6)) heads.k = e.add("Concat", {e.operand(6), heads.k}, along(2));
  if (e.has(7)) heads.v = e.add("Concat", {e.operand(7), heads.v}, along(2));
  if (const auto width = e.extent(e.operand(0), 2); e.has(2) && width)
    heads.head_size = *width / count;
  e.give(0, attended(e, heads, e.optional(4), e.optional(5)));
  e.give(1, heads.k);
  e.give(2, heads.v);
}

constexpr const char* microsoft = "com.microsoft";

constexpr ExpansionRule rules[] = {
    {"Attention", microsoft, expand_attention},
    {"QAttention", microsoft, expand_qattention},
    {"MultiHeadAttention", microsoft, expand_multi_head_attention},
    {"GroupQueryAttention", microsoft, expand_group_query_attention},
    {"RotaryEmbedding", microsoft, expand_rotary_embedding},
};

}  // namespace

std::span<const ExpansionRule> attention_rules() {
  return rules;
}

}  // namespace intact

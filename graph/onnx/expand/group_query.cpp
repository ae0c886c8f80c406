// GroupQueryAttention of com.microsoft: attention of decoders, with positions, a cache of keys and
// values, and several heads of queries for each head of keys.
#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/heads.hpp"
#include "graph/onnx/expand/rotary.hpp"

namespace intact {
namespace {

enum Operand : std::size_t {
  query,
  key,
  value,
  past_key,
  past_value,
  lengths,  ///< of the keys with the new ones, minus 1
  total_length,
  cosines,
  sines,
  positions,
  bias,
};

void refuse_variants(const Expansion& e) {
  const Attributes& attributes = e.node().attributes;
  for (const char* name : {"sliding_window_cache", "kv_cache_bit_width", "qk_output"})
    if (attributes.integer(name, 0) != 0) refuse_unsupported(e.node(), "{} is not supported", name);
  if (attributes.integer("smooth_softmax", 0) > 0)
    refuse_unsupported(e.node(), "smooth_softmax is not supported");
  constexpr const char* names[] = {"head_sink",     "k_scale",       "v_scale",
                                   "q_norm_weight", "k_norm_weight", "query_seqlens"};
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (e.has(bias + 1 + i)) refuse_unsupported(e.node(), "{} is not supported", names[i]);
  if (e.has(past_key) != e.has(past_value))
    refuse(e.node(), "past_key and past_value must be given together");
}

struct Counts {
  std::int64_t queries, keys;
};

Counts head_counts(const Expansion& e) {
  const Counts counts{e.node().attributes.integer("num_heads", 0),
                      e.node().attributes.integer("kv_num_heads", 0)};
  if (counts.queries <= 0 || counts.keys <= 0 || counts.queries % counts.keys != 0)
    refuse(e.node(), "num_heads is {} and kv_num_heads {}; the second must divide the first",
           counts.queries, counts.keys);
  return counts;
}

/// Separate operands, or all heads side by side in the first.
Heads heads_of(Expansion& e, Counts counts) {
  if (e.has(key))
    return {split_heads(e, e.operand(query), counts.queries),
            split_heads(e, e.operand(key), counts.keys),
            split_heads(e, e.operand(value), counts.keys)};
  const ValueId all = split_heads(e, e.operand(query), counts.queries + 2 * counts.keys);
  const ValueId widths = e.integers({counts.queries, counts.keys, counts.keys});
  const auto parts = e.add_several("Split", {all, widths}, 3, along(1));
  return {parts[0], parts[1], parts[2]};
}

/// Where the rows of the cache end that were there before, per image: [B].
ValueId past_lengths(Expansion& e, const Heads& heads) {
  const ValueId last = e.add("Cast", {e.operand(lengths)}, cast_to(to_s64));
  const ValueId before =
      e.add("Sub", {e.add("Add", {last, e.integer(1)}), extent_of(e, heads.q, 2)});
  // A first prompt may be padded behind its end.
  return e.add("Max", {before, e.integers({0})});
}

/// [B, S]: those given, or counted on from the past.
ValueId positions_of(Expansion& e, const Heads& heads, ValueId before) {
  if (e.has(positions)) return e.operand(positions);
  return e.add("Add",
               {e.add("Unsqueeze", {before, e.integers({1})}), indices_along(e, heads.q, 2)});
}

void rotate(Expansion& e, Heads& heads, ValueId before) {
  const ValueId at = positions_of(e, heads, before);
  const auto half = e.extent(e.operand(cosines), 1);
  const auto width = e.has(past_key) ? e.extent(e.operand(past_key), 3) : std::nullopt;
  RotaryAngles angles{.cosines = e.add("Gather", {e.operand(cosines), at}),
                      .sines = e.add("Gather", {e.operand(sines), at}),
                      .per_batch = true};
  angles.interleaved = e.node().attributes.integer("rotary_interleaved", 0) != 0;
  if (half && (!width || *width != 2 * *half)) angles.width = 2 * *half;
  heads.q = rotated(e, heads.q, true, angles);
  heads.k = rotated(e, heads.k, true, angles);
}

/// New rows x [B, heads, S, H] in the cache behind those that were there. A cache that is too short
/// grows to the total length.
ValueId cached(Expansion& e, Operand past, ValueId x, ValueId before) {
  if (!e.has(past)) return x;
  const ValueId total = e.add(
      "Reshape", {e.add("Cast", {e.operand(total_length)}, cast_to(to_s64)), e.integers({1})});
  const ValueId missing =
      e.add("Max", {e.add("Sub", {total, extent_of(e, e.operand(past), 2)}), e.integers({0})});
  const ValueId pads = e.add("Concat", {e.integers({0}), missing}, along(0));
  const ValueId room = e.add("Pad", {e.operand(past), pads, no_value, e.integers({2})});
  e.set_version(room, 18);
  return e.add("TensorScatter", {room, x, before}, along(2));
}

/// The bias of the file for the total length, with zeros for the rest of the cache.
ValueId bias_of(Expansion& e, const Heads& heads) {
  if (!e.has(bias)) return no_value;
  const ValueId missing =
      e.add("Sub", {extent_of(e, heads.k, 2), extent_of(e, e.operand(bias), -1)});
  const ValueId pads = e.add("Concat", {e.integers({0}), missing}, along(0));
  const ValueId padded = e.add("Pad", {e.operand(bias), pads, no_value, e.integers({-1})});
  e.set_version(padded, 18);
  return padded;
}

/// What lies behind the query, before its window, or behind the end of the keys.
ValueId hidden_bias(Expansion& e, const Heads& heads, ValueId before) {
  const Attributes& attributes = e.node().attributes;
  constexpr float lowest = -3.4028235e38f;
  const ValueId first = e.add("Unsqueeze", {before, e.integers({1, 2, 3})});
  if (attributes.integer("causal", 1) != 0) {
    const std::int64_t window = attributes.integer("local_window_size", -1);
    const Window visible{.causal = true, .left = window > 0 ? window - 1 : -1};
    return hidden_where_not(e, visible_in(e, visible, heads, first), lowest, heads.q);
  }
  const ValueId end = e.add("Add", {first, extent_of(e, heads.q, 2)});
  return hidden_where_not(e, e.add("Less", {indices_along(e, heads.k, 2), end}), lowest, heads.q);
}

}  // namespace

/// Query (or all three), key, value, past keys and values, lengths - 1, total length, cosines,
/// sines, positions, bias of the scores.
void expand_group_query_attention(Expansion& e) {
  refuse_variants(e);
  const Counts counts = head_counts(e);
  Heads heads = heads_of(e, counts);
  const ValueId before = past_lengths(e, heads);
  if (e.node().attributes.integer("do_rotary", 0) != 0) rotate(e, heads, before);
  heads.k = cached(e, past_key, heads.k, before);
  heads.v = cached(e, past_value, heads.v, before);
  const ValueId present_key = heads.k, present_value = heads.v;
  heads.scale = e.node().attributes.number("scale", 0.0f);
  heads.softcap = e.node().attributes.number("softcap", 0.0f);
  if (e.has(past_key)) heads.head_size = e.extent(e.operand(past_key), 3);
  heads.bias = sum_of_biases(e, bias_of(e, heads), hidden_bias(e, heads, before));
  if (counts.queries != counts.keys) {
    heads.k = repeat_heads(e, heads.k, heads.q, counts.queries / counts.keys);
    heads.v = repeat_heads(e, heads.v, heads.q, counts.queries / counts.keys);
  }
  e.give(0, merge_heads(e, attend(e, heads).y));
  e.give(1, present_key);
  e.give(2, present_value);
}

}  // namespace intact

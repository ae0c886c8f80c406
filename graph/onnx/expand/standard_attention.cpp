// Attention of ONNX (operator sets 23 to 25). The product with the scale stands behind the first
// product, not in front of it as in the standard's text, so that queries and keys stay on their
// grids. softmax_precision asks for no more than Softmax has.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/convert.hpp"
#include "graph/onnx/expand/families.hpp"
#include "graph/onnx/expand/heads.hpp"

namespace intact {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

enum Operand : std::size_t { query, key, value, attn_mask, past_key, past_value, nonpad_lengths };

/// Of the operands; where the file does not tell, only those without numbers of heads can be.
int rank_of(const Expansion& e) {
  for (const Operand i : {query, key, value})
    if (const auto known = e.rank(e.operand(i))) {
      if (*known != 3 && *known != 4)
        refuse(e.node(), "operand {} has rank {}; it must have rank 3 or 4", std::size_t{i},
               *known);
      return *known;
    }
  return e.node().attributes.has("q_num_heads") ? e.needed_rank(e.operand(query)) : 4;
}

/// How many heads the queries have for each of the keys, where the file fixes it.
std::optional<std::int64_t> heads_per_key(const Expansion& e, int rank) {
  const Attributes& attributes = e.node().attributes;
  std::int64_t queries = attributes.integer("q_num_heads", 0),
               keys = attributes.integer("kv_num_heads", 0);
  if (rank == 3 && (queries <= 0 || keys <= 0))
    refuse(e.node(),
           "q_num_heads is {} and kv_num_heads {}; with operands of rank 3 they must be "
           "positive",
           queries, keys);
  if (rank == 4) {
    queries = e.extent(e.operand(query), 1).value_or(queries);
    keys = e.extent(e.operand(key), 1).value_or(keys);
  }
  if (queries <= 0 || keys <= 0) return std::nullopt;
  if (queries % keys != 0)
    refuse(e.node(), "{} heads of queries cannot share {} heads of keys evenly", queries, keys);
  return queries / keys;
}

std::optional<std::int64_t> head_size(const Expansion& e, int rank) {
  const auto width = e.extent(e.operand(query), static_cast<std::size_t>(rank - 1));
  if (!width || rank == 4) return width;
  return *width / e.node().attributes.integer("q_num_heads", 1);
}

ValueId by_heads(Expansion& e, Operand i, int rank, const char* count) {
  if (rank == 4) return e.operand(i);
  return split_heads(e, e.operand(i), e.node().attributes.integer(count, 0));
}

ValueId behind_past(Expansion& e, Operand past, ValueId present) {
  return e.has(past) ? e.add("Concat", {e.operand(past), present}, along(2)) : present;
}

/// Whether a constant mask hides all keys from some query.
bool hides_rows(const Tensor& mask) {
  if (mask.rank() == 0 || mask.size() == 0) return false;
  const bool flags = mask.type() == ElementType::boolean;
  const Tensor wide = convert(mask, ElementType::f64);
  const auto all = wide.data<double>();
  const auto row = static_cast<std::size_t>(mask.shape().back());
  const auto hidden = [&](double x) {
    return flags ? x == 0 : x == -static_cast<double>(infinity);
  };
  for (std::size_t i = 0; i < all.size(); i += row)
    if (std::ranges::all_of(all.subspan(i, row), hidden)) return true;
  return false;
}

/// The mask as numbers to add; keys behind its end are hidden.
ValueId mask_bias(Expansion& e, const Heads& heads) {
  if (!e.has(attn_mask)) return no_value;
  ValueId bias = e.operand(attn_mask);
  if (e.type(bias) == ElementType::boolean) bias = hidden_where_not(e, bias, -infinity, heads.q);
  const ValueId missing = e.add("Sub", {extent_of(e, heads.k, 2), extent_of(e, bias, -1)});
  const ValueId pads = e.add("Concat", {e.integers({0}), missing}, along(0));
  const ValueId padded =
      e.add("Pad", {bias, pads, e.number_like(-infinity, bias), e.integers({-1})});
  e.set_version(padded, 18);
  return padded;
}

/// Position of the first query among the keys.
ValueId first_position(Expansion& e, const Heads& heads) {
  if (e.has(past_key)) return extent_of(e, e.operand(past_key), 2);
  if (!e.has(nonpad_lengths)) return no_value;
  const ValueId first = e.add("Sub", {e.operand(nonpad_lengths), extent_of(e, heads.q, 2)});
  return e.add("Unsqueeze", {first, e.integers({1, 2, 3})});
}

/// Everything that is added to the scores, and whether that may hide all keys from a query.
void set_bias(Expansion& e, Heads& heads) {
  const Attributes& attributes = e.node().attributes;
  const Window window{attributes.integer("is_causal", 0) != 0,
                      attributes.integer("left_window_size", -1),
                      attributes.integer("right_window_size", -1)};
  heads.bias = mask_bias(e, heads);
  const auto hide = [&](ValueId visible) {
    heads.bias = sum_of_biases(e, heads.bias, hidden_where_not(e, visible, -infinity, heads.q));
  };
  if (!window.is_open()) hide(visible_in(e, window, heads, first_position(e, heads)));
  if (e.has(nonpad_lengths)) {
    const ValueId lengths = e.add("Unsqueeze", {e.operand(nonpad_lengths), e.integers({1, 2, 3})});
    hide(e.add("Less", {indices_along(e, heads.k, 2), lengths}));
  }
  const Tensor* mask = e.has(attn_mask) ? e.constant(e.operand(attn_mask)) : nullptr;
  const bool masked = e.has(attn_mask) && (mask == nullptr || hides_rows(*mask));
  const bool narrow = window.left >= 0 || window.right >= 0;
  heads.has_hidden_rows =
      masked || narrow || e.has(nonpad_lengths) || (e.has(attn_mask) && window.causal);
}

void check_forms(const Expansion& e) {
  if (e.has(past_key) != e.has(past_value))
    refuse(e.node(), "past_key and past_value must be given together");
  if (e.has(past_key) && e.has(nonpad_lengths))
    refuse(e.node(), "nonpad_kv_seqlen must not be given together with past_key");
}

/// Output 3: what lies between the two products, as qk_matmul_output_mode says.
ValueId between(Expansion& e, const Attended& a, const Heads& heads) {
  switch (const auto mode = e.node().attributes.integer("qk_matmul_output_mode", 0); mode) {
    case 0:
      return a.scores;
    case 1:
      return a.capped;
    case 2:
      return a.masked;
    case 3:
      return without_hidden_rows(e, a.weights, heads);
    default:
      refuse(e.node(), "qk_matmul_output_mode is {}; it must be from 0 to 3", mode);
  }
}

}  // namespace

/// Query, key, value, mask, past keys and values, lengths of the keys.
void expand_standard_attention(Expansion& e) {
  check_forms(e);
  const int rank = rank_of(e);
  const auto times = heads_per_key(e, rank);
  Heads heads{by_heads(e, query, rank, "q_num_heads"), by_heads(e, key, rank, "kv_num_heads"),
              by_heads(e, value, rank, "kv_num_heads")};
  heads.k = behind_past(e, past_key, heads.k);
  heads.v = behind_past(e, past_value, heads.v);
  const ValueId present_key = heads.k, present_value = heads.v;
  if (times != 1) {
    heads.k = repeat_heads(e, heads.k, heads.q, times);
    heads.v = repeat_heads(e, heads.v, heads.q, times);
  }
  heads.scale = e.node().attributes.number("scale", 0.0f);
  heads.softcap = e.node().attributes.number("softcap", 0.0f);
  heads.head_size = head_size(e, rank);
  set_bias(e, heads);
  const Attended a = attend(e, heads);
  if (e.wants(3)) e.give(3, between(e, a, heads));
  e.give(0, rank == 3 ? merge_heads(e, a.y) : a.y);
  e.give(1, present_key);
  e.give(2, present_value);
}

}  // namespace intact

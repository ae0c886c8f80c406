// What all forms of attention come down to: queries, keys and values by heads, two products and the
// Softmax between them.
#pragma once

#include "graph/onnx/expand/expansion.hpp"

namespace intact {

struct Heads {
  ValueId q, k, v;          ///< [B, heads, S, H], [B, heads, T, H], [B, heads, T, width]
  ValueId bias = no_value;  ///< added to the scores, of a shape that broadcasts to [B, heads, S, T]
  float scale = 0;          ///< of the scores; 0: 1 / sqrt(H)
  std::optional<std::int64_t> head_size = std::nullopt;  ///< H where the file fixes it
  float softcap = 0;                                     ///< 0: none
  /// Rows in which the bias is -infinity everywhere give zeros; otherwise there are none.
  bool has_hidden_rows = false;
};

/// The steps of attention; `y` [B, heads, S, width], the others [B, heads, S, T].
struct Attended {
  ValueId scores;  ///< scaled
  ValueId capped, masked, weights, y;
};

/// softmax(scale * q * k' + bias) * v. The second product stands for the node.
Attended attend(Expansion& expansion, const Heads& heads);

/// x [B, heads, S, *] with zeros in the rows that see no key, whose Softmax is 0 / 0.
ValueId without_hidden_rows(Expansion& expansion, ValueId x, const Heads& heads);

/// [B, S, heads * H] -> [B, heads, S, H], and back.
ValueId split_heads(Expansion& expansion, ValueId x, std::int64_t heads);
ValueId merge_heads(Expansion& expansion, ValueId x);
/// Each head of x [B, kv_heads, T, H] for `times` heads of q [B, heads, S, H] in a row; without
/// `times` it follows from the extents.
ValueId repeat_heads(Expansion& expansion, ValueId x, ValueId q, std::optional<std::int64_t> times);

/// Extent `axis` of a tensor as a list of one number.
ValueId extent_of(Expansion& expansion, ValueId x, std::int64_t axis);
/// 0, 1, ... up to an extent of a tensor.
ValueId indices_along(Expansion& expansion, ValueId x, std::int64_t axis);

/// 0 where `visible` is true and `hidden` elsewhere, of the type of `like`.
ValueId hidden_where_not(Expansion& expansion, ValueId visible, float hidden, ValueId like);
/// a + b; either may be absent.
ValueId sum_of_biases(Expansion& expansion, ValueId a, ValueId b);

/// Which keys a query sees, by the distance in the sequence.
struct Window {
  bool causal = false;
  std::int64_t left = -1, right = -1;  ///< so many keys before and behind its own; -1: all
  bool is_open() const { return !causal && left < 0 && right < 0; }
};

/// Booleans that broadcast to [B, heads, S, T]. The first query of q is at position `first` among
/// the keys: a number or a list of one, or [B, 1, 1, 1]; absent: 0.
ValueId visible_in(Expansion& expansion, const Window& window, const Heads& heads, ValueId first);

constexpr std::int64_t to_f32 = 1, to_s32 = 6, to_s64 = 7, to_bool = 9;  ///< ONNX's numbers

inline Attributes perm(std::vector<std::int64_t> order) {
  return attributes_of({{"perm", std::move(order)}});
}
inline Attributes cast_to(std::int64_t type) {
  return attributes_of({{"to", type}});
}
inline Attributes along(std::int64_t axis) {
  return attributes_of({{"axis", axis}});
}

}  // namespace intact

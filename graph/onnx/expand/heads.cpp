// The two products of attention and what lies between them, and the parts of masks.
#include "graph/onnx/expand/heads.hpp"

#include <cmath>
#include <limits>

namespace intact {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

ValueId scaled(Expansion& e, ValueId scores, const Heads& heads) {
  if (heads.scale != 0) return e.add("Mul", {scores, e.number_like(heads.scale, scores)});
  if (heads.head_size) {
    const float scale = 1 / std::sqrt(static_cast<float>(*heads.head_size));
    return e.add("Mul", {scores, e.number_like(scale, scores)});
  }
  const ValueId size = e.add("Cast", {extent_of(e, heads.q, 3)}, cast_to(to_f32));
  return e.add("Div", {scores, e.like(e.add("Sqrt", {size}), scores)});
}

ValueId softcapped(Expansion& e, ValueId scores, float cap) {
  if (cap <= 0) return scores;
  const ValueId limit = e.number_like(cap, scores);
  return e.add("Mul", {e.add("Tanh", {e.add("Div", {scores, limit})}), limit});
}

}  // namespace

ValueId without_hidden_rows(Expansion& e, ValueId x, const Heads& heads) {
  if (!heads.has_hidden_rows) return x;
  Attributes last = attributes_of({{"axes", std::vector<std::int64_t>{-1}}});
  const ValueId highest = e.add("ReduceMax", {heads.bias}, std::move(last));
  const ValueId sees = e.add("Greater", {highest, e.number_like(-infinity, highest)});
  return e.add("Where", {sees, x, e.number_like(0, x)});
}

Attended attend(Expansion& e, const Heads& heads) {
  const ValueId keys = e.add("Transpose", {heads.k}, perm({0, 1, 3, 2}));
  Attended a{};
  a.scores = scaled(e, e.add("MatMul", {heads.q, keys}), heads);
  a.capped = softcapped(e, a.scores, heads.softcap);
  a.masked = e.add_optional(a.capped, heads.bias);
  a.weights = e.add("Softmax", {a.masked}, along(-1));
  a.y = without_hidden_rows(e, e.main(e.add("MatMul", {a.weights, heads.v})), heads);
  return a;
}

ValueId split_heads(Expansion& e, ValueId x, std::int64_t heads) {
  const ValueId split = e.add("Reshape", {x, e.integers({0, 0, heads, -1})});
  return e.add("Transpose", {split}, perm({0, 2, 1, 3}));
}

ValueId merge_heads(Expansion& e, ValueId x) {
  return e.add("Reshape", {e.add("Transpose", {x}, perm({0, 2, 1, 3})), e.integers({0, 0, -1})});
}

ValueId repeat_heads(Expansion& e, ValueId x, ValueId q, std::optional<std::int64_t> times) {
  const ValueId heads = extent_of(e, q, 1), one = e.integers({1});
  const ValueId count = times ? e.integers({*times}) : e.add("Div", {heads, extent_of(e, x, 1)});
  const ValueId copies = e.add("Concat", {one, one, count, one, one}, along(0));
  const ValueId wide = e.add("Expand", {e.add("Unsqueeze", {x, e.integers({2})}), copies});
  const ValueId shape = e.add(
      "Concat", {extent_of(e, x, 0), heads, extent_of(e, x, 2), extent_of(e, x, 3)}, along(0));
  return e.add("Reshape", {wide, shape});
}

ValueId extent_of(Expansion& e, ValueId x, std::int64_t axis) {
  return e.add("Gather", {e.add("Shape", {x}), e.integers({axis})});
}

ValueId indices_along(Expansion& e, ValueId x, std::int64_t axis) {
  const ValueId limit = e.add("Squeeze", {extent_of(e, x, axis), e.integers({0})});
  return e.add("Range", {e.integer(0), limit, e.integer(1)});
}

ValueId hidden_where_not(Expansion& e, ValueId visible, float hidden, ValueId like) {
  return e.add("Where", {visible, e.number_like(0, like), e.number_like(hidden, like)});
}

ValueId sum_of_biases(Expansion& e, ValueId a, ValueId b) {
  return a == no_value ? b : e.add_optional(a, b);
}

ValueId visible_in(Expansion& e, const Window& window, const Heads& heads, ValueId first) {
  const ValueId keys = indices_along(e, heads.k, 2);
  ValueId own = e.add("Unsqueeze", {indices_along(e, heads.q, 2), e.integers({1})});
  own = e.add_optional(own, first);
  ValueId visible = no_value;
  const auto require = [&](ValueId condition) {
    visible = visible == no_value ? condition : e.add("And", {visible, condition});
  };
  if (window.causal) require(e.add("LessOrEqual", {keys, own}));
  if (window.right >= 0 && !window.causal)
    require(e.add("LessOrEqual", {keys, e.add("Add", {own, e.integer(window.right)})}));
  if (window.left >= 0)
    require(e.add("GreaterOrEqual", {keys, e.add("Sub", {own, e.integer(window.left)})}));
  return visible;
}

}  // namespace intact

// x / max(norm(x), epsilon) is LpNormalization where no norm but 0 lies below epsilon. A tensor on
// a grid has none below its scale, so that it suffices to compare the two.
#include <cmath>

#include "graph/definition.hpp"
#include "graph/passes/normalization_terms.hpp"
#include "graph/passes/recognize.hpp"

namespace intact {
namespace {

/// Max(x, c) or Clip(x, c); gives x.
ValueId take_lower_bound(Pattern& pattern, ValueId id, double& least) {
  ValueId bounded = no_value;
  const auto by_clip = [&] {
    const Node* clip = pattern.take(id, "Clip");
    if (clip == nullptr || clip->has_input(2)) return false;
    const auto bound = clip->has_input(1)
                           ? pattern.number(clip->inputs[1])
                           : std::optional<double>(clip->attributes.number("min", 0));
    if (!bound || clip->attributes.has("max")) return false;
    bounded = clip->inputs[0];
    least = *bound;
    return true;
  };
  const auto by_maximum = [&] {
    const Node* most = pattern.take(id, "Max");
    return most != nullptr && pattern.either_order(*most, [&](ValueId a, ValueId b) {
      const auto bound = pattern.number(b);
      if (!bound) return false;
      bounded = a;
      least = *bound;
      return true;
    });
  };
  if (!pattern.attempt(by_clip)) pattern.attempt(by_maximum);
  return bounded;
}

/// The sum of the squares along one axis, kept above the square of `least`.
std::optional<Mean> take_bounded_norm(Pattern& pattern, ValueId id, double& least) {
  std::optional<Mean> squares;
  const auto bounded_root = [&] {
    const ValueId root_id = take_lower_bound(pattern, id, least);
    const auto root = root_id == no_value ? std::nullopt : take_root(pattern, root_id);
    if (root && !root->centered && root->epsilon == 0) squares = root->square;
    return squares.has_value();
  };
  const auto root_of_bounded = [&] {
    const Node* root = pattern.take(id, "Sqrt");
    const ValueId sum =
        root == nullptr ? no_value : take_lower_bound(pattern, root->inputs[0], least);
    if (sum != no_value) squares = take_mean_square(pattern, sum);
    least = std::sqrt(least);
    return squares.has_value();
  };
  if (!pattern.attempt(bounded_root)) pattern.attempt(root_of_bounded);
  const bool one_axis = squares && squares->axes.size() == 1;
  if (!one_axis) return std::nullopt;
  const Shape& shape = *pattern.shape(squares->of);
  const auto extent = static_cast<double>(shape[static_cast<std::size_t>(squares->axes[0])]);
  return nearly(squares->factor, extent) ? squares : std::nullopt;
}

/// `id` is x divided by its norm.
std::optional<Mean> take_normalized(Pattern& pattern, const Node& last, double& least) {
  std::optional<Mean> norm;
  const auto matches = [&](ValueId x, ValueId divisor) {
    norm = take_bounded_norm(pattern, divisor, least);
    return norm && norm->of == x;
  };
  if (last.is("Div") && pattern.attempt([&] { return matches(last.inputs[0], last.inputs[1]); }))
    return norm;
  const bool product = last.is("Mul") && pattern.either_order(last, [&](ValueId a, ValueId b) {
    const ValueId divisor = take_reciprocal(pattern, b);
    return divisor != no_value && matches(a, divisor);
  });
  return product ? norm : std::nullopt;
}

}  // namespace

bool recognize_lp_normalization(Pattern& pattern, const Node& last) {
  double least = 0;
  const std::optional<Mean> norm = take_normalized(pattern, last, least);
  if (!norm || pattern.shape(norm->of) != pattern.shape(last.outputs[0])) return false;
  const std::optional<Grid>& grid = pattern.graph().value(norm->of).grid;
  if (!grid || !grid->per_tensor() || least <= 0 || least >= static_cast<double>(grid->scale[0]))
    return false;
  Node node = standard_node("LpNormalization", 1, {norm->of});
  node.attributes.set("axis", norm->axes[0]);
  return pattern.replace(std::move(node));
}

}  // namespace intact

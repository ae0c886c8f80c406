// What normalizations consist of, as files spell it: means, roots of mean squares, and products and
// quotients of a tensor with such roots.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/passes/pattern.hpp"

namespace intact {

/// `factor` times the mean of a tensor along axes that stay with extent 1.
struct Mean {
  ValueId of = no_value;
  std::vector<std::int64_t> axes = {};  ///< not negative, ascending
  double factor = 1;
};
/// A ReduceMean, ReduceSum or GlobalAveragePool, and a product with or quotient by a number.
std::optional<Mean> take_mean(Pattern& pattern, ValueId id);

/// mean(y * y), where `of` is y, and sums of squares.
std::optional<Mean> take_mean_square(Pattern& pattern, ValueId id);

/// `id` is 1 / x; gives x.
ValueId take_reciprocal(Pattern& pattern, ValueId id);

/// `id` is x - mean(x); gives x and the axes.
std::optional<Mean> take_centered(Pattern& pattern, ValueId id);

/// The root of `square.factor` times a mean square, plus `epsilon`. The mean square is that of
/// `square.of`, or of what is left of it without its mean.
struct Root {
  Mean square;
  bool centered = false;
  double epsilon = 0;
};
std::optional<Root> take_root(Pattern& pattern, ValueId id);

/// `number` * y * gamma / root, in any order and nesting. y and gamma, a constant, may be missing.
struct Quotient {
  double number = 1;
  ValueId y = no_value, gamma = no_value;
  std::optional<Root> root;
};
/// False without a root, or with more factors.
bool take_quotient(Pattern& pattern, ValueId id, Quotient& quotient);

/// The constant `id` (no_value: 1) times `number` as an operand of its own along the axes from
/// `first` to `last` of `like`, which has a shape; several axes may have extent 1 in it, a single
/// one has not. no_value when it differs along other axes. Adds a constant to the graph.
ValueId constant_along(Pattern& pattern, ValueId id, ValueId like, std::size_t first,
                       std::size_t last, double number);

}  // namespace intact

// How large the real numbers of a tensor can become.
#pragma once

#include <map>
#include <optional>

#include "engine/lower/lowering.hpp"

namespace intact {

/// Upper bounds of |x|, by value, from grids, constants and weights.
class Magnitudes {
 public:
  explicit Magnitudes(const Lowering& lowering) : lowering_(lowering) {}
  /// Of all elements; nothing where the graph does not tell, or where it is not finite.
  std::optional<double> bound(ValueId id);

 private:
  std::optional<double> computed(const Node& node);
  std::optional<double> product(const Node& node);
  /// The greatest sum of |weight| that goes into one output.
  double largest_column(const Node& node) const;

  const Lowering& lowering_;
  std::map<ValueId, std::optional<double>> known_;
};

}  // namespace intact

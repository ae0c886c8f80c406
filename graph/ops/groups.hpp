// Elements that belong together: those that one reduction joins, or that one broadcast element
// meets. Normalizations and reductions are loops over elements with such an index each.
#pragma once

#include <cstdint>
#include <vector>

#include "intact/tensor.hpp"

namespace intact {

/// For each element of a tensor of shape `to`, the index of the element of shape `from` that
/// broadcasting puts there. `from` must broadcast to `to`.
std::vector<std::size_t> broadcast_indices(const Shape& from, const Shape& to);

/// `shape` with extent 1 along `axes`.
Shape reduced_shape(Shape shape, const std::vector<int>& axes);

/// Mean and variance (divided by the count) of the elements of each of `count` groups.
struct Moments {
  std::vector<double> mean, variance;
};
Moments moments_of(std::span<const double> values, std::span<const std::size_t> groups,
                   std::size_t count);

}  // namespace intact

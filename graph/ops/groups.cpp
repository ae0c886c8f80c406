// Group indices; see groups.hpp.
#include "graph/ops/groups.hpp"

#include <numeric>

#include "graph/checks.hpp"
#include "graph/ops/strided.hpp"

namespace intact {

std::vector<std::size_t> broadcast_indices(const Shape& from, const Shape& to) {
  Tensor indices(ElementType::u64, from), spread(ElementType::u64, to);
  const auto all = indices.data<std::uint64_t>();
  std::iota(all.begin(), all.end(), 0);
  copy_strided(indices, 0, broadcast_strides(from, to), spread);
  const auto values = spread.data<std::uint64_t>();
  return {values.begin(), values.end()};
}

Shape reduced_shape(Shape shape, const std::vector<int>& axes) {
  for (const int axis : axes) shape[static_cast<std::size_t>(axis)] = 1;
  return shape;
}

Moments moments_of(std::span<const double> values, std::span<const std::size_t> groups,
                   std::size_t count) {
  Moments moments{std::vector<double>(count), std::vector<double>(count)};
  std::vector<double> members(count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    moments.mean[groups[i]] += values[i];
    members[groups[i]] += 1;
  }
  for (std::size_t g = 0; g < count; ++g) moments.mean[g] /= members[g];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double distance = values[i] - moments.mean[groups[i]];
    moments.variance[groups[i]] += distance * distance;
  }
  for (std::size_t g = 0; g < count; ++g) moments.variance[g] /= members[g];
  return moments;
}

}  // namespace intact

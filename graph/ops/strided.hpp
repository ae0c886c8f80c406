// Copies between a dense tensor and a strided view: slices, transposes, broadcasts, tiles.
#pragma once

#include "intact/tensor.hpp"

namespace intact {

/// to[i0, i1, ...] = from[offset + i0 * strides[0] + i1 * strides[1] + ...] in elements, for all
/// elements of `to`. The types must be equally wide; the caller checks the bounds.
void copy_strided(const Tensor& from, std::int64_t offset, const std::vector<std::int64_t>& strides,
                  Tensor& to);

/// Elements between neighbours along each axis of a dense row-major tensor.
std::vector<std::int64_t> dense_strides(const Shape& shape);

}  // namespace intact

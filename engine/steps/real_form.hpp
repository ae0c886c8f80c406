// How kernels with float arithmetic in registers read or write a stored tensor.
#pragma once

#include "engine/program.hpp"

namespace intact {

/// The type of its elements, and for bytes the grid.
inline kernels::Output real_form(const StoredTensor& tensor, float& scale,
                                 std::int32_t& zero_point) {
  if (tensor.type == ElementType::f32) return kernels::Output::f32;
  scale = tensor.grid->scale[0];
  zero_point = tensor.zero_point();
  return kernels::Output::u8;
}

}  // namespace intact

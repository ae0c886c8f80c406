// How kernels with float arithmetic in registers read or write a stored tensor.
#pragma once

#include "engine/program.hpp"
#include "kernels/element.hpp"

namespace intact {

/// Of u8, u16 or f32.
inline kernels::Element element_form(ElementType type) {
  if (type == ElementType::f32) return kernels::Element::f32;
  return type == ElementType::u16 ? kernels::Element::u16 : kernels::Element::u8;
}

/// The type of its elements, and for integers the grid.
inline kernels::Element real_form(const StoredTensor& tensor, float& scale,
                                  std::int32_t& zero_point) {
  if (tensor.type != ElementType::f32) {
    scale = tensor.grid->scale[0];
    zero_point = tensor.zero_point();
  }
  return element_form(tensor.type);
}

}  // namespace intact

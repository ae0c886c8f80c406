// The one table of element types and kernel types.
#include "engine/element_kind.hpp"

namespace intact {

std::optional<kernels::ElementKind> element_kind(ElementType type) {
  using kernels::ElementKind;
  switch (type) {
    case ElementType::boolean:
      return ElementKind::boolean;
    case ElementType::u8:
      return ElementKind::u8;
    case ElementType::s8:
      return ElementKind::s8;
    case ElementType::s32:
      return ElementKind::s32;
    case ElementType::s64:
      return ElementKind::s64;
    case ElementType::f32:
      return ElementKind::f32;
    default:
      return std::nullopt;
  }
}

}  // namespace intact

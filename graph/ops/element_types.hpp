// Element types as ONNX numbers them in attributes (Cast's `to`, `dtype`).
#pragma once

#include "graph/checks.hpp"
#include "graph/element_numbers.hpp"

namespace intact {

/// Throws Unsupported naming the node for a code without an element type.
inline ElementType element_type_of_code(const Node& node, std::int64_t code) {
  const std::optional<ElementType> type = element_type_numbered(code);
  if (!type) refuse_unsupported(node, "element type {} of ONNX is not supported", code);
  return *type;
}

}  // namespace intact

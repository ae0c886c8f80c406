// Element types as ONNX numbers them in attributes (Cast's `to`, `dtype`).
#pragma once

#include "graph/ops/checks.hpp"

namespace intact {

/// Throws Unsupported naming the node for a code without an element type.
inline ElementType element_type_of_code(const Node& node, std::int64_t code) {
  using enum ElementType;
  constexpr ElementType types[] = {
      undefined,  f32,    u8,         s8,  u16, s16,       s32,       s64,  string,
      boolean,    f16,    f64,        u32, u64, undefined, undefined, bf16, f8e4m3fn,
      f8e4m3fnuz, f8e5m2, f8e5m2fnuz, u4,  s4,  undefined, undefined, u2,   s2};
  if (code < 0 || code > 26 || types[code] == undefined || types[code] == string)
    refuse_unsupported(node, "element type {} of ONNX is not supported", code);
  return types[code];
}

}  // namespace intact

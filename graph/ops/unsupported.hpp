// Operators of the standard that have no definition on purpose.
#pragma once

#include <span>
#include <string_view>

namespace intact {

struct UnsupportedOperator {
  std::string_view op, domain, reason;
};
std::span<const UnsupportedOperator> unsupported_operators();

}  // namespace intact

// Operators of the standard that are several simpler ones.
#include "graph/onnx/expand/families.hpp"

namespace intact {
namespace {

constexpr ExpansionRule rules[] = {
    {"Einsum", "", expand_einsum},
};

}  // namespace

std::span<const ExpansionRule> standard_rules() {
  return rules;
}

}  // namespace intact

// What `intact flow` says of steps that are float: why, then what in the model would help, with a
// semicolon in between.
#pragma once

#include <string>

#include "graph/graph.hpp"

namespace intact {

/// An operator that only moves elements, of a tensor that is stored as float.
std::string float_reason(const std::string& tensor);
/// The same for a constant.
std::string float_constant_reason(const std::string& tensor);
/// An operator whose operands lie on grids, but in a form without an integer kernel.
std::string form_reason(const Node& node);
/// An operator that the reference evaluates.
std::string reference_reason(const Node& node);

}  // namespace intact

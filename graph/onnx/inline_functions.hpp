// Functions that a model defines for itself.
#pragma once

#include <string>

#include "graph/onnx/proto.hpp"

namespace intact {

/// Puts the nodes of each function in the place of its calls, in subgraphs too, and removes the
/// functions. Names inside of a function get the name of the call in front. `label` names the model
/// in messages. Throws Error for functions that call themselves or each other too deep, calls that
/// do not fit, broken defaults, and more nodes or bytes than any model has; Unsupported for a
/// function written for another version of an operator set than the model.
void inline_functions(const std::string& label, onnx::ModelProto& model);

}  // namespace intact

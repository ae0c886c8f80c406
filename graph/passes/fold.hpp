// Constant folding before the grids are known.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// fold_constants without quantization operators: scales and zero points become constants, while
/// quantized weights stay to be read as grids.
void fold_parameters(Graph& graph);

}  // namespace intact

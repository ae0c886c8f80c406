// Gemm in the one form that is quantized.
#pragma once

#include "graph/graph.hpp"

namespace intact {

/// Gemm without transA, alpha and beta, and with a constant C per column or none: factors become
/// part of constants, transA a Transpose, another C an Add behind. Gemm of computed matrices
/// becomes MatMul.
void make_gemm_plain(Graph& graph);

}  // namespace intact

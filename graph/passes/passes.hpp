// Passes over the graph: each a function in the file of its name, applied in the order of the lists
// in passes.cpp. A pass keeps the meaning of the graph and accounts for every source node.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "graph/graph.hpp"

namespace intact {

struct Pass {
  const char* name;
  void (*run)(Graph&);
};

/// From the file's operators to the canonical form (docs/dataflow.md): shape-independent.
std::span<const Pass> canonical_passes();
/// Runs them in order; checks the invariants after each in debug builds.
void canonicalize(Graph& graph);

/// Gives the part of a constant that has this name: `cut` makes it, if it has not been made before.
using PartOfConstant = std::function<Tensor(const Tensor& whole, const std::string& name,
                                            const std::function<Tensor()>& cut)>;
/// What needs the shapes of one plan, between shape inference and lowering; checked likewise. Plans
/// of several shapes share the parts of weights.
void run_shaped_passes(Graph& graph, const PartOfConstant& part_of_constant);

void widen_halves(Graph& graph);         ///< f16 and bf16 -> f32
void import_quantization(Graph& graph);  ///< Q/DQ -> Round, Bytes, FromBytes
void fold_constants(Graph& graph);       ///< nodes with constant inputs
/// fold_constants without quantization operators (in the same file): scales and zero points become
/// constants, while quantized weights stay to be read as grids.
void fold_parameters(Graph& graph);
void cancel_bytes(Graph& graph);  ///< FromBytes(Bytes(x)) on one grid, equal Rounds, moves on bytes
void multiply_dynamic_bytes(Graph& graph);  ///< products behind DynamicQuantizeLinear and DQ
void gather_bytes(Graph& graph);            ///< Gather from tables of integers and FromBytes
void fold_bias(Graph& graph);  ///< Add of a constant per channel into the convolution before it
void fold_batch_normalization(Graph& graph);  ///< into the Conv, ConvTranspose or Gemm before it
void fold_pad(Graph& graph);             ///< Pad with the real zero into the Conv or pool behind it
void fold_space_to_depth(Graph& graph);  ///< blocks of pixels as channels into the Conv behind them
void split_products(Graph& graph);       ///< products behind which stands a Split of channels
void remove_identities(Graph& graph);    ///< Identity, Dropout, Cast to the same type, ...
void remove_dead_code(Graph& graph);     ///< nodes that no output needs
void inline_branches(Graph& graph);      ///< If with a constant condition
void canonicalize_subgraphs(Graph& graph);  ///< all passes on the subgraphs of control flow

/// split_products along axes that only shapes tell.
void split_products(Graph& graph, const PartOfConstant& part_of_constant);

/// Max, Min, Sum and Mean of any number of tensors as operators of two; needs shapes.
void pair_operands(Graph& graph);
/// Gelu, Swish, HardSwish, Mish, LayerNormalization, RMSNormalization that the file spells out;
/// needs shapes.
void recognize_operators(Graph& graph);
/// Expand in front of operators that broadcast by themselves; needs shapes.
void drop_expands(Graph& graph);
/// Numbers by which operands of a MatMul are multiplied, behind it; needs shapes.
void pull_factors(Graph& graph);
/// Element-wise operators of results on grids in front of Reshape, Transpose, ...; needs shapes.
void hoist_functions(Graph& graph);
/// Round in front of Reshape, Transpose, ...; needs shapes.
void hoist_rounds(Graph& graph);
/// Trilu of reals with known shape: Where with a constant condition, so that zeros lie on the grid.
void replace_trilu(Graph& graph);

/// Sets Value::grid wherever it follows: Round, FromBytes, constants, moving operators, MaxPool.
void propagate_grids(Graph& graph);

}  // namespace intact

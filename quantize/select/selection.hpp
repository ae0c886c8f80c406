// Which operators of a float model become integer operators, and why the others do not.
//
// An operator that computes (Conv, Gemm, MatMul with constant weights) is always taken. One that
// only passes data on (Add, Concat, MaxPool, Reshape, Sigmoid, ...) is taken where its operands
// come from integer operators or graph inputs, or have a grid for the sake of another one, so that
// no tensor is rounded only for its sake.
// Nodes that together spell out one operator (recognize_operators) are judged as that operator.
// Rows of an embedding that integer operators alone read lie on their grid; others become bytes in
// the file, with scales of their own.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

enum class Role : std::uint8_t {
  product,     ///< Conv, Gemm, MatMul: constant weights, bias in the accumulator
  matrices,    ///< MatMul of two activations
  arithmetic,  ///< Add, Sub, Mul, ...
  own_grid,    ///< of one operand, on a grid of its own: averages, sums, normalizations of images,
               ///< cubic Resize
  rows,        ///< Softmax, LayerNormalization, Gelu of a product, factors per channel behind them:
               ///< computed in float of what may have no grid, and read in float where that helps
  function,    ///< element by element, of one operand: a byte table
  part,        ///< of an operator that several nodes spell out, inside of which nothing is rounded
  move,  ///< the results are elements of the operand (MaxPool, Reshape, ...): one grid for both
  embedding,  ///< rows of a table of bytes, with one scale per column, that are read in float
  concat,     ///< operands and result share one grid: Concat, Where
  clamp,      ///< Relu or Clip behind one of the others, which performs it
  bias,       ///< Add of a constant behind MatMul, which performs it
  recurrent,  ///< LSTM with constant weights that rounds its activations itself
};

struct Choice {
  std::optional<Role> role;  ///< absent: the operator stays float
  std::string reason;        ///< why it stays float; empty for operators on integers (shapes)
  /// Indices of the inputs that have to lie on grids; weights and biases of products apart.
  std::vector<std::size_t> operands;
};

struct Selection {
  std::vector<Choice> nodes;       ///< one per node of the graph
  std::vector<bool> from_integer;  ///< by value: written by a chosen operator
};

/// `graph` is completed (prepare.hpp). A node stays float when `exclude` has its name or the name
/// of a source node that it stands for.
Selection select_operators(const Graph& graph, const std::set<std::string>& exclude);

/// Some product on integers computes with the tensor, as it is or as chosen operators make it.
bool feeds_product(const Graph& graph, const Selection& selection, ValueId id);

/// Axis of a product's weights along which its output channels run.
int output_channel_axis(const Node& node);

}  // namespace intact

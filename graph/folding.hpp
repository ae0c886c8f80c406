// Evaluating single nodes at load time, and the grids of moved data. Used by shape inference and by
// the pass fold_constants.
#pragma once

#include <cstdint>
#include <optional>

#include "graph/definition.hpp"

namespace intact {

/// Types and shapes of a node's outputs from what the graph knows about its inputs. Constants on a
/// grid are dequantized only where their values may determine a shape.
std::vector<TensorType> infer_node(const Graph& graph, const Node& node);

/// Evaluates `node` when all its inputs are constant (for Shape and Size: when the shape of the
/// input is known), it is not random and its outputs have at most `max_elements` elements together.
/// Then its outputs become constants (on a grid where they lie on one), its sources move to
/// graph.removed ("constant"), the node is marked for erase_marked(), and the result is true.
/// Operators without an evaluation stay. Throws what inference and evaluation throw.
bool fold_node(Graph& graph, Node& node, std::int64_t max_elements);

/// Output elements are copies of elements of the data inputs: the definition says so of the
/// operator, or it is a Resize that takes the nearest element and fills nothing in.
bool moves_data(const Node& node);

/// Where, TensorScatter, and Scatter without a reduction: each output element is a copy of an
/// element of one of several data inputs.
bool mixes_data(const Node& node);

/// Of a moving or mixing operator: the input holds elements that are copied, not conditions,
/// shapes, indices or scales.
bool is_data_input(const Node& node, std::size_t input);

/// The grid of the output of an operator that only moves or mixes data, when its data inputs lie on
/// one grid; a channel axis moves along. Nothing for other operators and where the channel axis is
/// lost.
std::optional<Grid> moved_grid(const Graph& graph, const Node& node);

}  // namespace intact

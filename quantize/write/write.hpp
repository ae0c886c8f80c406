// The quantized graph: Rounds on activations, constants on grids. Written to a file, they become
// QuantizeLinear and DequantizeLinear pairs, and integer initializers with DequantizeLinear.
#pragma once

#include <optional>
#include <span>

#include "graph/graph.hpp"
#include "graph/passes/rewrite.hpp"
#include "quantize/grids/plan.hpp"
#include "quantize/select/selection.hpp"
#include "quantize/weights/adapt.hpp"

namespace intact {

/// Weights and biases of chosen products, and constant operands of other chosen operators.
void quantize_constants(Graph& graph, const Selection& selection, const GridPlan& plan,
                        std::span<const std::optional<AdaptedWeights>> weights);

/// DequantizeLinear behind embeddings, and one Round per activation that a chosen operator reads.
/// What a chosen operator wrote is then read from the grid by everyone, graph outputs included, so
/// that no second, float copy of it is needed; but not what joins tensors on grids of their own,
/// which floats read as it is.
void insert_rounds(Graph& graph, const Selection& selection, const GridPlan& plan,
                   std::span<const std::optional<AdaptedWeights>> weights);

/// com.microsoft.DynamicQuantizeLSTM in the place of an LSTM with constant f32 W and R: s8 weights
/// with one scale per gate and unit (per direction without options.per_channel).
Node dynamic_lstm(Graph& graph, FreshNames& names, Node lstm, const QuantizeOptions& options);

}  // namespace intact

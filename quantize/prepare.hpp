// The float model as the quantizer works on it.
#pragma once

#include <filesystem>
#include <span>

#include "graph/graph.hpp"
#include "intact/quantize.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// Loads a float model. Throws Error naming the first quantization operator of one that is not.
Graph load_float_model(const std::filesystem::path& path);

/// Folds constants, drops identities and writes Gemm in one form (plain_gemm.hpp);
/// `fold_neighbours`: biases, BatchNormalization and Pad become part of products. Standard
/// operators remain.
void preprocess(Graph& graph, bool fold_neighbours);

/// Sets types and shapes of all values as they are for this sample, then raises the operator set to
/// the first in which QuantizeLinear has an axis. Throws Error when the sample does not fit.
void complete(Graph& graph, std::span<const Tensor> sample);

/// Throws Error when there is none.
std::vector<Tensor> first_sample(const CalibrationData& data);

/// Zeros of the declared input shapes, with 1 for an unknown first extent. Throws Error naming an
/// input with other unknown extents.
std::vector<Tensor> sample_of_declared_shapes(const Graph& graph);

/// Writes the quantized model and notes its size.
void write_model(Graph& graph, const std::filesystem::path& output, QuantizeReport& report);

}  // namespace intact

// Between reals and the integers of a grid.
#pragma once

#include <vector>

#include "core/grid.hpp"
#include "graph/graph.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// Element by element: reals (f32 or f64) to integers of the grid's type, as round_to_integer but
/// with the division in the type of the reals, as ONNX has it.
Tensor quantize(const Tensor& reals, const Grid& grid);
/// x / scale, rounded once to f32.
Tensor steps_of(const Tensor& reals, const Grid& grid);
/// scale * (q - zero_point) in double, rounded once to f32.
Tensor dequantize(const Tensor& integers, const Grid& grid);
/// The same as f64: exact where the product fits into 53 bits.
Tensor exact_reals(const Tensor& integers, const Grid& grid);

/// The reals of a constant, on a grid or not (real_constant), in double.
std::vector<double> constant_numbers(const Graph& graph, ValueId id);

}  // namespace intact

// The families of operator definitions. Each family is a file (or a few) in this folder with one
// function that lists its definitions; registry.cpp joins them into one lookup.
#pragma once

#include <span>

#include "graph/definition.hpp"

namespace intact {

// Arithmetic and movement.
std::span<const Definition> elementwise_definitions();  ///< Add, Mul, Equal, Where, ...
std::span<const Definition> unary_definitions();        ///< Relu, Sigmoid, Clip, Cast, ...
std::span<const Definition> movement_definitions();     ///< Concat, Slice, Reshape, Gather, ...
std::span<const Definition> shape_definitions();        ///< Shape, Constant, Range, TopK, ...

// Heavy arithmetic and quantization.
std::span<const Definition> conv_definitions();
std::span<const Definition> gemm_definitions();
std::span<const Definition> pool_definitions();
std::span<const Definition> normalization_definitions();
std::span<const Definition> reduce_definitions();
std::span<const Definition> resize_definitions();
std::span<const Definition> quantization_definitions();
std::span<const Definition> qlinear_definitions();

}  // namespace intact

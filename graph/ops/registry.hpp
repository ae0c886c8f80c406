// The families of operator definitions. Each family is a file (or a few) in this folder with one
// function that lists its definitions; registry.cpp joins them into one lookup.
#pragma once

#include <span>

#include "graph/definition.hpp"

namespace intact {

// Arithmetic and movement.
std::span<const Definition> elementwise_definitions();  ///< Add, Mul, Max, Where, ...
std::span<const Definition> logical_definitions();      ///< Equal, And, BitShift, ...
std::span<const Definition> unary_definitions();        ///< Abs, Sqrt, Identity, Cast, ...
std::span<const Definition> activation_definitions();   ///< Relu, Sigmoid, Clip, ...
std::span<const Definition> movement_definitions();     ///< Concat, Split, Transpose, ...
std::span<const Definition> reshape_definitions();      ///< Reshape, Flatten, Squeeze, ...
std::span<const Definition> slice_definitions();        ///< Slice, Pad
std::span<const Definition> gather_definitions();       ///< Gather, ScatterND, ...
std::span<const Definition> shape_definitions();        ///< Shape, Constant, Range, ...
std::span<const Definition> order_definitions();        ///< TopK, NonZero, CumSum, ...
std::span<const Definition> einsum_definitions();
std::span<const Definition> grid_sample_definitions();
std::span<const Definition> affine_grid_definitions();
std::span<const Definition> tensor_scatter_definitions();
std::span<const Definition> col2im_definitions();
std::span<const Definition> signal_definitions();  ///< DFT, STFT, HannWindow, ...
std::span<const Definition> unique_definitions();
std::span<const Definition> sequence_definitions();      ///< SequenceAt, Optional, ...
std::span<const Definition> control_flow_definitions();  ///< If, Loop, Scan, SequenceMap
std::span<const Definition> loss_definitions();          ///< SoftmaxCrossEntropyLoss, ...
std::span<const Definition> detection_definitions();     ///< NonMaxSuppression, RoiAlign

// Heavy arithmetic and quantization.
std::span<const Definition> conv_definitions();
std::span<const Definition> deform_conv_definitions();
std::span<const Definition> gemm_definitions();
std::span<const Definition> pool_definitions();
std::span<const Definition> normalization_definitions();
std::span<const Definition> reduce_definitions();
std::span<const Definition> resize_definitions();
std::span<const Definition> recurrent_definitions();  ///< RNN, GRU, LSTM
std::span<const Definition> quantization_definitions();

// Odds and ends.
std::span<const Definition> ngram_definitions();
std::span<const Definition> optimizer_definitions();  ///< ai.onnx.preview.training
std::span<const Definition> random_definitions();     ///< RandomNormal, Bernoulli, ...

}  // namespace intact

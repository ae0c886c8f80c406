// One step of RNN, GRU and LSTM in double.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

using Activation = std::function<double(double)>;

/// The activation functions of one direction of a node, in ONNX's order, `count` of them, with the
/// attributes activations, activation_alpha and activation_beta. Throws Error for a wrong number
/// and Unsupported for unknown ones.
std::vector<Activation> recurrent_activations(const Node& node, std::size_t direction,
                                              std::size_t directions,
                                              std::span<const char* const> defaults);

/// The weights of one direction. Gate g of unit j is row g * hidden + j. Without biases or
/// peepholes the spans are empty.
struct CellWeights {
  std::int64_t input = 0, hidden = 0;
  std::span<const double> w;                           ///< [gates * hidden, input]
  std::span<const double> r;                           ///< [gates * hidden, hidden]
  std::span<const double> input_bias, recurrent_bias;  ///< [gates * hidden]
  std::span<const double> peephole;  ///< LSTM: [3 * hidden], input, output, forget
};

/// What a step does beside the weights.
struct CellOptions {
  std::vector<Activation> activations;
  double clip = 0;  ///< 0: none
  bool linear_before_reset = false, input_forget = false;
};

/// State of one sequence; `cell` is used by LSTM only.
struct CellState {
  std::vector<double> hidden, cell;
};

using CellStep = void (*)(const CellWeights&, const CellOptions&, std::span<const double> x,
                          CellState&);
void rnn_step(const CellWeights&, const CellOptions&, std::span<const double> x, CellState&);
void gru_step(const CellWeights&, const CellOptions&, std::span<const double> x, CellState&);
void lstm_step(const CellWeights&, const CellOptions&, std::span<const double> x, CellState&);

}  // namespace intact

// Recurrent cells after the formulas of the ONNX operator pages; see recurrent_cell.hpp.
#include "graph/ops/recurrent_cell.hpp"

#include <algorithm>
#include <cmath>

#include "graph/checks.hpp"

namespace intact {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// A function by name with its parameters, and the parameters' defaults.
struct Named {
  std::string_view name;
  double alpha, beta;
  double (*function)(double x, double alpha, double beta);
};

constexpr Named functions[] = {
    {"sigmoid", 0, 0, [](double x, double, double) { return sigmoid(x); }},
    {"tanh", 0, 0, [](double x, double, double) { return std::tanh(x); }},
    {"relu", 0, 0, [](double x, double, double) { return std::max(x, 0.0); }},
    {"affine", 1, 0, [](double x, double a, double b) { return a * x + b; }},
    {"leakyrelu", 0.01, 0, [](double x, double a, double) { return x < 0 ? a * x : x; }},
    {"thresholdedrelu", 1, 0, [](double x, double a, double) { return x > a ? x : 0; }},
    {"scaledtanh", 1, 1, [](double x, double a, double b) { return a * std::tanh(b * x); }},
    {"hardsigmoid", 0.2, 0.5,
     [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }},
    {"elu", 1, 0, [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }},
    {"softsign", 0, 0, [](double x, double, double) { return x / (1 + std::fabs(x)); }},
    {"softplus", 0, 0, [](double x, double, double) { return std::log1p(std::exp(x)); }},
};

const Named& find_function(const Node& node, std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Named& entry : functions)
    if (entry.name == name) return entry;
  refuse_unsupported(node, "the activation '{}' is not supported", name);
}

double dot(std::span<const double> matrix, std::size_t row, std::span<const double> x) {
  const double* weights = matrix.data() + row * x.size();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += weights[i] * x[i];
  return sum;
}

double at(std::span<const double> optional, std::size_t i) {
  return optional.empty() ? 0 : optional[i];
}

double from_input(const CellWeights& weights, std::size_t row, std::span<const double> x) {
  return dot(weights.w, row, x) + at(weights.input_bias, row);
}
double from_state(const CellWeights& weights, std::size_t row, std::span<const double> hidden) {
  return dot(weights.r, row, hidden) + at(weights.recurrent_bias, row);
}

double clipped(const CellOptions& options, double x) {
  return options.clip > 0 ? std::clamp(x, -options.clip, options.clip) : x;
}

}  // namespace

std::vector<Activation> recurrent_activations(const Node& node, std::size_t direction,
                                              std::size_t directions,
                                              std::span<const char* const> defaults) {
  std::vector<std::string> names;
  const auto& attributes = node.attributes.all();
  if (const auto given = attributes.find("activations"); given != attributes.end())
    if (const auto* texts = std::get_if<std::vector<std::string>>(&given->second)) names = *texts;
  if (names.empty())
    for (std::size_t d = 0; d < directions; ++d)
      names.insert(names.end(), defaults.begin(), defaults.end());
  if (names.size() != defaults.size() * directions)
    refuse(node, "{} activations are given; it takes {} for each of {} direction(s)", names.size(),
           defaults.size(), directions);
  // alpha and beta are listed only for the functions that have them, in order of the functions.
  const std::vector<float> alphas = node.attributes.numbers("activation_alpha");
  const std::vector<float> betas = node.attributes.numbers("activation_beta");
  std::size_t next_alpha = 0, next_beta = 0;
  std::vector<Activation> result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Named& entry = find_function(node, names[i]);
    double alpha = entry.alpha, beta = entry.beta;
    if (entry.alpha != 0 && next_alpha < alphas.size()) alpha = alphas[next_alpha++];
    if (entry.beta != 0 && next_beta < betas.size()) beta = betas[next_beta++];
    if (i / defaults.size() == direction)
      result.push_back(
          [=, function = entry.function](double x) { return function(x, alpha, beta); });
  }
  return result;
}

void rnn_step(const CellWeights& weights, const CellOptions& options, std::span<const double> x,
              CellState& state) {
  std::vector<double> next(state.hidden.size());
  for (std::size_t j = 0; j < next.size(); ++j)
    next[j] = options.activations[0](
        clipped(options, from_input(weights, j, x) + from_state(weights, j, state.hidden)));
  state.hidden = std::move(next);
}

/// Gates: update, reset, hidden.
void gru_step(const CellWeights& weights, const CellOptions& options, std::span<const double> x,
              CellState& state) {
  const std::size_t hidden = state.hidden.size();
  const auto gate = [&](std::size_t row) {
    return options.activations[0](
        clipped(options, from_input(weights, row, x) + from_state(weights, row, state.hidden)));
  };
  std::vector<double> next(hidden), reset(hidden), gated(hidden);
  for (std::size_t j = 0; j < hidden; ++j) {
    reset[j] = gate(hidden + j);
    gated[j] = reset[j] * state.hidden[j];
  }
  for (std::size_t j = 0; j < hidden; ++j) {
    const std::size_t row = 2 * hidden + j;
    const double memory = options.linear_before_reset
                              ? reset[j] * from_state(weights, row, state.hidden)
                              : from_state(weights, row, gated);
    const double candidate =
        options.activations[1](clipped(options, from_input(weights, row, x) + memory));
    const double update = gate(j);
    next[j] = (1 - update) * candidate + update * state.hidden[j];
  }
  state.hidden = std::move(next);
}

/// Gates: input, output, forget, cell.
void lstm_step(const CellWeights& weights, const CellOptions& options, std::span<const double> x,
               CellState& state) {
  const std::size_t hidden = state.hidden.size();
  const auto gate = [&](std::size_t index, std::size_t j) {
    const std::size_t row = index * hidden + j;
    return from_input(weights, row, x) + from_state(weights, row, state.hidden);
  };
  const auto& f = options.activations[0];
  const auto& g = options.activations[1];
  const auto& h = options.activations[2];
  CellState next = state;
  for (std::size_t j = 0; j < hidden; ++j) {
    const double before = state.cell[j];
    const double input = f(clipped(options, gate(0, j) + at(weights.peephole, j) * before));
    const double forget =
        options.input_forget
            ? 1 - input
            : f(clipped(options, gate(2, j) + at(weights.peephole, 2 * hidden + j) * before));
    const double candidate = g(clipped(options, gate(3, j)));
    next.cell[j] = forget * before + input * candidate;
    const double output =
        f(clipped(options, gate(1, j) + at(weights.peephole, hidden + j) * next.cell[j]));
    next.hidden[j] = output * h(next.cell[j]);
  }
  state = std::move(next);
}

}  // namespace intact

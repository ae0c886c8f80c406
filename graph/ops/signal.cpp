// Operators of audio front ends: window functions, DFT, STFT, MelWeightMatrix. Computed in double.
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <optional>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/element_types.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

using Complex = std::complex<double>;

constexpr double pi = std::numbers::pi;
/// Transforms are sums over all pairs of elements and bins; a longer one would not end.
constexpr std::int64_t longest_transform = 1 << 20;

/// The value of a constant operand with one element; absent while it is not known.
std::optional<std::int64_t> known_integer(const InferContext& context, std::size_t i,
                                          const char* what) {
  if (!context.constants[i].defined()) return std::nullopt;
  const auto values = integers_of(context.node, context.constants[i], what);
  if (values.size() != 1)
    refuse(context.node, "{} has {} elements; it must have one", what, values.size());
  return values[0];
}

ElementType chosen_type(const Node& node, const char* attribute) {
  constexpr std::int64_t code_of_f32 = 1;
  return element_type_of_code(node, node.attributes.integer(attribute, code_of_f32));
}

// --- Windows

std::vector<TensorType> infer_window(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  const TensorType unknown{chosen_type(node, "output_datatype"), std::nullopt};
  const auto size = known_integer(context, 0, "the size");
  if (!size) return {unknown};
  if (*size < 0) refuse(node, "the size is {}; it must not be negative", *size);
  return {sized(node, unknown.type, {*size})};
}

/// Sums of cosines of the phase: a0 - a1 cos(phase) + a2 cos(2 phase).
struct Cosines {
  double a0, a1, a2;
};
constexpr Cosines hann{0.5, 0.5, 0}, hamming{25.0 / 46, 21.0 / 46, 0}, blackman{0.42, 0.5, 0.08};

template <const Cosines& window>
std::vector<Tensor> evaluate_window(const EvalContext& context) {
  const TensorType type = output_types(context, infer_window)[0];
  Tensor result = allocate(context.node, {ElementType::f64, type.shape});
  const auto out = result.data<double>();
  const bool periodic = context.node.attributes.integer("periodic", 1) != 0;
  const auto period = static_cast<double>(periodic ? result.size() : result.size() - 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    // A symmetric window of one element is its middle.
    const double phase = period == 0 ? pi : 2 * pi * static_cast<double>(i) / period;
    out[i] = window.a0 - window.a1 * std::cos(phase) + window.a2 * std::cos(2 * phase);
  }
  return {convert(result, type.type)};
}

// --- DFT

/// The unit circle in `length` steps, clockwise, or the other way for the inverse.
std::vector<Complex> unit_circle(std::int64_t length, bool inverse) {
  std::vector<Complex> circle(static_cast<std::size_t>(length));
  const double step = (inverse ? 2 : -2) * pi / static_cast<double>(length);
  for (std::size_t i = 0; i < circle.size(); ++i)
    circle[i] = std::polar(1.0, step * static_cast<double>(i));
  return circle;
}

/// Bin `bin` of the transform of `signal`, which is continued with zeros to the circle's length.
Complex frequency_bin(std::span<const Complex> signal, std::span<const Complex> circle,
                      std::size_t bin) {
  Complex sum = 0;
  std::size_t at = 0;
  for (const Complex& x : signal) {
    sum += x * circle[at];
    at += bin;
    if (at >= circle.size()) at -= circle.size();
  }
  return sum;
}

std::int64_t bins_of(std::int64_t length, bool onesided) {
  return onesided ? length / 2 + 1 : length;
}

void check_length(const Node& node, std::int64_t length) {
  if (length < 1) refuse(node, "the length is {}; it must be positive", length);
  if (length > longest_transform)
    refuse_unsupported(node, "the length is {}; transforms of up to {} elements are supported",
                       length, longest_transform);
}

/// The last axis holds real numbers or pairs of real and imaginary part.
void check_parts(const InferContext& context, std::size_t least_rank) {
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  const auto& x = context.inputs[0].shape;
  if (x && (x->size() < least_rank || (x->back() != 1 && x->back() != 2)))
    refuse(context.node,
           "the signal has shape {}; rank {} or more is needed, with 1 or 2 parts in the last axis",
           to_string(*x), least_rank);
}

/// Before opset 20 the axis was an attribute; the last axis, of parts, cannot be meant.
std::optional<std::size_t> transformed_axis(const InferContext& context, int rank) {
  const Node& node = context.node;
  std::int64_t given = node.version < 20 ? node.attributes.integer("axis", 1) : -2;
  if (node.version >= 20 && context.has(2)) {
    const auto known = known_integer(context, 2, "the axis");
    if (!known) return std::nullopt;
    given = *known;
  }
  const int axis = normalize_axis(node, given, rank);
  if (axis == rank - 1) refuse(node, "axis {} is the one of real and imaginary parts", given);
  return static_cast<std::size_t>(axis);
}

std::vector<TensorType> infer_dft(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, node.version < 20 ? 2 : 3);
  check_parts(context, 2);
  const bool onesided = node.attributes.integer("onesided", 0) != 0;
  if (onesided && node.attributes.integer("inverse", 0) != 0)
    refuse_unsupported(node, "an inverse transform of one side is not supported");
  const TensorType unknown{context.inputs[0].type, std::nullopt};
  if (!context.inputs[0].shape) return {unknown};
  Shape shape = *context.inputs[0].shape;
  const auto axis = transformed_axis(context, static_cast<int>(shape.size()));
  if (!axis) return {unknown};
  if (onesided && shape.back() != 1)
    refuse(node, "one side of the transform is enough for real signals only");
  std::int64_t length = shape[*axis];
  if (context.has(1)) {
    const auto known = known_integer(context, 1, "the length");
    if (!known) return {unknown};
    length = *known;
  }
  check_length(node, length);
  shape[*axis] = bins_of(length, onesided);
  shape.back() = 2;
  return {sized(node, unknown.type, shape)};
}

std::vector<Tensor> evaluate_dft(const EvalContext& context) {
  const TensorType type = output_types(context, infer_dft)[0];
  const Node& node = context.node;
  const Tensor x = convert(context.inputs[0], ElementType::f64);
  std::vector<TensorType> inputs;
  for (const Tensor& input : context.inputs) inputs.push_back({input.type(), input.shape()});
  const std::size_t axis = *transformed_axis({node, inputs, context.inputs}, x.rank());
  const std::int64_t parts = x.shape().back(), extent = x.shape()[axis];
  const std::int64_t inner = extent_product(x.shape(), axis + 1, x.shape().size() - 1);
  const std::int64_t outer = extent_product(x.shape(), 0, axis);
  const bool inverse = node.attributes.integer("inverse", 0) != 0;
  const std::int64_t length =
      context.has(1) ? integers_of(node, context.inputs[1], "the length")[0] : extent;
  const std::vector<Complex> circle = unit_circle(length, inverse);
  const double factor = inverse ? 1 / static_cast<double>(length) : 1;
  Tensor y = allocate(node, {ElementType::f64, type.shape});
  const std::int64_t bins = (*type.shape)[axis];
  std::vector<Complex> signal(static_cast<std::size_t>(std::min(length, extent)));
  for (std::int64_t row = 0; row < outer * inner; ++row) {
    const std::int64_t o = row / inner, i = row % inner;
    const double* in = x.data<double>().data() + (o * extent * inner + i) * parts;
    double* out = y.data<double>().data() + (o * bins * inner + i) * 2;
    for (std::size_t k = 0; k < signal.size(); ++k, in += inner * parts)
      signal[k] = {in[0], parts == 2 ? in[1] : 0};
    for (std::int64_t bin = 0; bin < bins; ++bin, out += inner * 2) {
      const Complex sum = factor * frequency_bin(signal, circle, static_cast<std::size_t>(bin));
      out[0] = sum.real();
      out[1] = sum.imag();
    }
  }
  return {convert(y, type.type)};
}

// --- STFT

/// The operands are signal, frame_step, window, frame_length.
std::vector<TensorType> infer_stft(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 4);
  check_parts(context, 3);
  const TensorType unknown{context.inputs[0].type, std::nullopt};
  std::optional<std::int64_t> length;
  if (context.has(2) && context.inputs[2].shape) length = element_count(*context.inputs[2].shape);
  if (context.has(3)) {
    const auto known = known_integer(context, 3, "the frame length");
    if (known && length && *known != *length)
      refuse(node, "the frame length is {}, but the window has {} elements", *known, *length);
    if (known) length = known;
  }
  if (!context.has(2) && !context.has(3)) refuse(node, "it needs a window or a frame length");
  const auto step = known_integer(context, 1, "the frame step");
  if (!context.inputs[0].shape || !length || !step) return {unknown};
  const Shape& signal = *context.inputs[0].shape;
  if (signal.size() != 3)
    refuse(node, "the signal has shape {}; it must be [batch, length, 1 or 2]", to_string(signal));
  if (*step < 1) refuse(node, "the frame step is {}; it must be positive", *step);
  if (*length < 1 || *length > signal[1])
    refuse(node, "the frame length is {}; it must be from 1 to the {} elements of the signal",
           *length, signal[1]);
  check_length(node, *length);
  const bool onesided = node.attributes.integer("onesided", 1) != 0;
  if (onesided && signal[2] != 1)
    refuse(node, "one side of the transform is enough for real signals only");
  const std::int64_t frames = (signal[1] - *length) / *step + 1;
  return {sized(node, unknown.type, {signal[0], frames, bins_of(*length, onesided), 2})};
}

std::vector<Tensor> evaluate_stft(const EvalContext& context) {
  const TensorType type = output_types(context, infer_stft)[0];
  const Node& node = context.node;
  const Tensor x = convert(context.inputs[0], ElementType::f64);
  const std::int64_t step = integers_of(node, context.inputs[1], "the frame step")[0];
  const Tensor window = context.has(2) ? convert(context.inputs[2], ElementType::f64) : Tensor();
  const std::int64_t length = window.defined()
                                  ? window.size()
                                  : integers_of(node, context.inputs[3], "the frame length")[0];
  const std::int64_t frames = (*type.shape)[1], bins = (*type.shape)[2], parts = x.shape()[2];
  const std::vector<Complex> circle = unit_circle(length, false);
  Tensor y = allocate(node, {ElementType::f64, type.shape});
  std::vector<Complex> signal(static_cast<std::size_t>(length));
  double* out = y.data<double>().data();
  for (std::int64_t row = 0; row < x.shape()[0] * frames; ++row) {
    const std::int64_t start = row / frames * x.shape()[1] + row % frames * step;
    const double* in = x.data<double>().data() + start * parts;
    for (std::size_t k = 0; k < signal.size(); ++k, in += parts) {
      signal[k] = {in[0], parts == 2 ? in[1] : 0};
      if (window.defined()) signal[k] *= window.data<double>()[k];
    }
    for (std::int64_t bin = 0; bin < bins; ++bin) {
      const Complex sum = frequency_bin(signal, circle, static_cast<std::size_t>(bin));
      *out++ = sum.real();
      *out++ = sum.imag();
    }
  }
  return {convert(y, type.type)};
}

// --- MelWeightMatrix

/// The operands are num_mel_bins, dft_length, sample_rate, lower and upper edge in hertz.
std::vector<TensorType> infer_mel(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 5, 5);
  const TensorType unknown{chosen_type(node, "output_datatype"), std::nullopt};
  for (std::size_t i = 0; i < 5; ++i)
    if (context.inputs[i].shape && element_count(*context.inputs[i].shape) != 1)
      refuse(node, "operand {} has shape {}; it must be a scalar", i,
             to_string(*context.inputs[i].shape));
  const auto mels = known_integer(context, 0, "the number of mel bins");
  const auto length = known_integer(context, 1, "the length");
  const auto rate = known_integer(context, 2, "the sample rate");
  if (!mels || !length || !rate) return {unknown};
  if (*mels < 0 || *length < 1 || *rate < 1)
    refuse(node, "{} mel bins, length {} and sample rate {} must be positive", *mels, *length,
           *rate);
  return {sized(node, unknown.type, {bins_of(*length, true), *mels})};
}

double hertz_to_mel(double hertz) {
  return 2595 * std::log10(1 + hertz / 700);
}
double mel_to_hertz(double mel) {
  return 700 * (std::pow(10, mel / 2595) - 1);
}

/// Column m is a triangle between the bins of three neighbouring steps on the mel scale.
std::vector<Tensor> evaluate_mel(const EvalContext& context) {
  const TensorType type = output_types(context, infer_mel)[0];
  const std::int64_t bins = (*type.shape)[0], mels = (*type.shape)[1];
  std::array<double, 5> given;
  for (std::size_t i = 0; i < given.size(); ++i)
    given[i] = convert(context.inputs[i], ElementType::f64).data<double>()[0];
  const auto [count, length, rate, lower, upper] = given;
  const double low = hertz_to_mel(lower), step = (hertz_to_mel(upper) - low) / (count + 2);
  const auto edge = [&, length = length, rate = rate](std::int64_t i) {
    const double hertz = mel_to_hertz(low + step * static_cast<double>(i));
    const double bin = std::floor((length + 1) * hertz / rate);
    if (!(bin >= 0 && bin < static_cast<double>(bins)))
      refuse(context.node, "the edges {} and {} Hz are not within half of the sample rate {}",
             given[3], given[4], rate);
    return static_cast<std::int64_t>(bin);
  };
  Tensor result = allocate(context.node, {ElementType::f64, type.shape});
  const auto out = result.data<double>();
  for (std::int64_t m = 0; m < mels; ++m) {
    const std::int64_t left = edge(m), middle = edge(m + 1), right = edge(m + 2);
    const auto at = [&](std::int64_t bin) -> double& {
      return out[static_cast<std::size_t>(bin * mels + m)];
    };
    for (std::int64_t bin = left; bin < middle; ++bin)
      at(bin) = static_cast<double>(bin - left) / static_cast<double>(middle - left);
    at(middle) = 1;
    for (std::int64_t bin = middle; bin < right; ++bin)
      at(bin) = static_cast<double>(right - bin) / static_cast<double>(right - middle);
  }
  return {convert(result, type.type)};
}

template <const Cosines& window>
Definition window_definition(std::string_view op) {
  return {
      .op = op, .infer = infer_window, .evaluate = evaluate_window<window>, .shape_operands = {0}};
}

}  // namespace

std::span<const Definition> signal_definitions() {
  static const Definition definitions[] = {
      window_definition<hann>("HannWindow"),
      window_definition<hamming>("HammingWindow"),
      window_definition<blackman>("BlackmanWindow"),
      {.op = "DFT", .infer = infer_dft, .evaluate = evaluate_dft, .shape_operands = {1, 2}},
      {.op = "STFT", .infer = infer_stft, .evaluate = evaluate_stft, .shape_operands = {1, 3}},
      {.op = "MelWeightMatrix",
       .infer = infer_mel,
       .evaluate = evaluate_mel,
       .shape_operands = {0, 1, 2}},
  };
  return definitions;
}

}  // namespace intact

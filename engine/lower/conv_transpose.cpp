// ConvTranspose on grids of 8 and 16 bits. Output positions that are equal modulo the stride meet
// the same taps of the kernel: each such phase is an ordinary convolution of stride 1. Every phase
// is computed into a dense tensor of its own and copied to its positions; a single phase is the
// output itself.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/checked.hpp"
#include "engine/lower/integer_product.hpp"

namespace intact {
namespace {

/// Strides multiply operations: beyond this many phases the reference is the better choice.
constexpr std::int64_t most_phases = 64;

/// The outputs phase, phase + stride, ... along one axis. Output o meets input i at tap k when
/// i * stride + k * dilation == o + pad_begin, so later taps meet earlier inputs.
struct PhaseAxis {
  std::int64_t extent = 1;                   ///< outputs
  std::int64_t taps = 1;                     ///< 0: no tap ever meets these outputs
  std::int64_t last_tap = 0, tap_step = 1;   ///< the convolution's tap t is last_tap - t * tap_step
  std::int64_t dilation = 1, pad_begin = 0;  ///< of the convolution; padding may be negative
};

PhaseAxis phase_axis(const SpatialGeometry& geometry, std::size_t axis, std::int64_t phase) {
  const std::int64_t stride = geometry.stride[axis], dilation = geometry.dilation[axis];
  const std::int64_t common = std::gcd(stride, dilation), kernel = geometry.kernel[axis];
  const std::int64_t at = phase + geometry.pad_begin[axis];
  PhaseAxis result;
  result.extent = (geometry.out[axis] - phase + stride - 1) / stride;
  result.tap_step = stride / common;
  result.dilation = dilation / common;
  std::int64_t first = 0;
  while (first < kernel && (at - first * dilation) % stride != 0) ++first;
  result.taps = first < kernel ? (kernel - 1 - first) / result.tap_step + 1 : 0;
  result.last_tap = first + (result.taps - 1) * result.tap_step;
  if (result.taps > 0) result.pad_begin = (result.last_tap * dilation - at) / stride;
  return result;
}

struct Phase {
  std::vector<std::int64_t> at;  ///< first output, per spatial axis
  std::vector<PhaseAxis> axes;
  bool empty() const {
    return std::any_of(axes.begin(), axes.end(), [](const PhaseAxis& a) { return a.taps == 0; });
  }
};

/// All phases, the last axis fastest. Empty when there are too many.
std::vector<Phase> phases_of(const SpatialGeometry& geometry) {
  std::vector<Phase> phases = {{}};
  for (std::size_t axis = 0; axis < geometry.axes(); ++axis) {
    const std::int64_t count = std::min(geometry.stride[axis], geometry.out[axis]);
    if (count > most_phases / static_cast<std::int64_t>(phases.size())) return {};
    std::vector<Phase> next;
    for (const Phase& outer : phases)
      for (std::int64_t at = 0; at < count; ++at) {
        next.push_back(outer);
        next.back().at.push_back(at);
        next.back().axes.push_back(phase_axis(geometry, axis, at));
      }
    phases = std::move(next);
  }
  return phases;
}

kernels::ConvShape shape_of(const Phase& phase, const kernels::ConvShape& whole) {
  kernels::ConvShape shape = whole;
  shape.kernel = shape.stride = shape.dilation = {1, 1, 1};
  shape.pad_begin = {0, 0, 0};
  const std::size_t lead = 3 - phase.axes.size();
  for (std::size_t i = 0; i < phase.axes.size(); ++i) {
    shape.out[lead + i] = phase.axes[i].extent;
    if (phase.empty()) continue;
    shape.kernel[lead + i] = phase.axes[i].taps;
    shape.dilation[lead + i] = phase.axes[i].dilation;
    shape.pad_begin[lead + i] = phase.axes[i].pad_begin;
  }
  return shape;
}

/// [I, O/g, kernel...] of the whole to [O][tap][I/g] of a phase. Without taps: one tap of real
/// zeros, which leaves the bias.
ProductWeights::Values weights_of(const Phase& phase, const kernels::ConvShape& shape,
                                  const IntegerProduct& whole,
                                  const ProductWeights::Values& weights) {
  const std::int64_t inner = shape.group_in_channels(), taps = shape.taps();
  const std::int64_t group_out = shape.out_channels / shape.groups;
  const std::array<std::int64_t, 3>& kernel = whole.shape.kernel;
  const std::size_t lead = 3 - phase.axes.size();
  ProductWeights::Values result;
  result.reserve(static_cast<std::size_t>(shape.out_channels * taps * inner));
  const auto whole_tap = [&](std::int64_t tap) {
    const std::array<std::int64_t, 3> t = {tap / (shape.kernel[1] * shape.kernel[2]),
                                           tap / shape.kernel[2] % shape.kernel[1],
                                           tap % shape.kernel[2]};
    std::int64_t index = 0;
    for (std::size_t i = 0; i < phase.axes.size(); ++i)
      index =
          index * kernel[lead + i] + phase.axes[i].last_tap - t[lead + i] * phase.axes[i].tap_step;
    return index;
  };
  for (std::int64_t o = 0; o < shape.out_channels; ++o) {
    if (phase.empty()) {
      const auto& zeros = whole.weight_zero_point;
      const std::int32_t zero = zeros.empty() ? 0 : zeros[static_cast<std::size_t>(o)];
      result.insert(result.end(), static_cast<std::size_t>(inner), static_cast<std::int8_t>(zero));
      continue;
    }
    const std::int64_t first = o / group_out * inner, column = o % group_out;
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const std::int64_t k = whole_tap(tap);
      for (std::int64_t i = 0; i < inner; ++i)
        result.push_back(weights[static_cast<std::size_t>(
            ((first + i) * group_out + column) * whole.shape.taps() + k)]);
    }
  }
  return result;
}

/// All that weights_of depends on but the weights.
std::string form_of(const Phase& phase, const kernels::ConvShape& shape,
                    const IntegerProduct& whole) {
  std::string form = fmt::format("phase {} of {}x{}x{} {}", phase.empty(), whole.shape.kernel[0],
                                 whole.shape.kernel[1], whole.shape.kernel[2], shape.groups);
  for (const PhaseAxis& axis : phase.axes)
    form += fmt::format(" {},{},{}", axis.taps, axis.last_tap, axis.tap_step);
  if (phase.empty()) extend_key(form, whole.weight_zero_point);
  return form;
}

/// The convolution of every phase; empty, with the reason, when one cannot run on integers.
std::vector<ConvOperation> convolutions(const Lowering& lowering, const Node& node,
                                        const std::vector<Phase>& phases,
                                        const IntegerProduct& whole, std::string& reason) {
  std::vector<ConvOperation> result;
  for (const Phase& phase : phases) {
    IntegerProduct product = whole;
    product.shape = shape_of(phase, whole.shape);
    product.weights = whole.weights.rearranged(
        form_of(phase, product.shape, whole),
        [phase, shape = product.shape, whole](const ProductWeights::Values& weights) {
          return weights_of(phase, shape, whole, weights);
        });
    std::optional<ConvOperation> conv = lowering.on_word_grid(whole.activation)
                                            ? word_convolution(lowering, product, reason)
                                            : convolution_of(lowering, node, product, reason);
    if (!conv) return {};
    result.push_back(std::move(*conv));
  }
  return result;
}

/// Copies a phase to its positions in the output.
CopyOperation spread(const Program& program, const Phase& phase, const SpatialGeometry& geometry,
                     TensorId from, TensorId to) {
  CopyOperation copy;
  copy.extents = program.tensor(from).shape;
  copy.src_strides = program.tensor(from).strides();
  copy.dst_strides = program.tensor(to).strides();
  for (std::size_t i = 0; i < phase.axes.size(); ++i) {
    copy.dst_offset += phase.at[i] * copy.dst_strides[2 + i];
    copy.dst_strides[2 + i] *= geometry.stride[i];
  }
  return copy;
}

/// One phase of the result, which the operation writes to `part`.
Operation& emit_phase(Lowering& lowering, const Node& node, const IntegerProduct& whole,
                      const Tail& tail, ConvOperation conv, TensorId part) {
  if (!lowering.on_word_grid(whole.activation)) {
    const TensorId input = lowering.bytes(whole.activation, Layout::channels_last);
    return lowering.emit(node, tail, std::move(conv), {input}, part);
  }
  const Shape shape = lowering.program().tensor(part).shape;
  const TensorId sum =
      emit_word_sum(lowering, node, whole, std::move(conv), shape, Layout::channels_last);
  return lowering.emit(node, tail, scales_of(lowering, whole), {sum}, part);
}

void emit_phases(Lowering& lowering, const Node& node, const SpatialGeometry& geometry,
                 const std::vector<Phase>& phases, const IntegerProduct& whole_product,
                 std::vector<ConvOperation> convs) {
  const bool words = lowering.on_word_grid(whole_product.activation);
  const Tail tail = words ? Lowering::no_tail(node) : lowering.take_tail(node);
  const TensorId output = lowering.result_tensor(tail, Layout::channels_last);
  const StoredTensor whole = lowering.program().tensor(output);
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const std::int64_t macs = multiply_adds(convs[i].shape);
    TensorId part = output;
    if (phases.size() > 1) {
      Shape shape = whole.shape;
      for (std::size_t axis = 0; axis < geometry.axes(); ++axis)
        shape[2 + axis] = phases[i].axes[axis].extent;
      part = lowering.new_tensor(fmt::format("{} phase {}", whole.name, i), whole.type,
                                 std::move(shape), Layout::channels_last, whole.grid);
    }
    Operation& conv = emit_phase(lowering, node, whole_product, tail, std::move(convs[i]), part);
    if (!words) conv.macs = phases[i].empty() ? 0 : macs;
    if (phases.size() == 1) return;
    conv.name = fmt::format("{} phase {}", node.name, i);
    if (i > 0) conv.sources.clear();
    lowering
        .emit_move(node, spread(lowering.program(), phases[i], geometry, part, output), part,
                   output)
        .sources.clear();
  }
}

/// Through oneDNN. False for outputs that reach so far beyond the last tap that it knows no such
/// form.
bool lower_float(Lowering& lowering, const Node& node, const kernels::ConvShape& shape,
                 const std::string& reason) {
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t reach = (shape.kernel[i] - 1) * shape.dilation[i] + 1;
    const std::int64_t full = (shape.in[i] - 1) * shape.stride[i] + reach;
    const std::int64_t beyond = shape.out[i] + shape.pad_begin[i] - full;
    if (shape.pad_begin[i] < 0 || beyond >= shape.stride[i]) return false;
  }
  FloatConvOperation conv;
  conv.shape = shape;
  conv.transposed = true;
  conv.weights = lowering.real_constant_of(node.inputs[1]);
  if (node.has_input(2)) conv.bias = lowering.real_constant_of(node.inputs[2]);
  const std::int64_t macs = saturating_product({shape.batch, volume(shape.in), shape.in_channels,
                                                shape.taps(), shape.out_channels / shape.groups});
  const TensorId input = lowering.real(node.inputs[0], Layout::channels_last);
  const Tail tail = lowering.take_float_tail(node);
  conv.lower = tail.lower;
  conv.upper = tail.upper;
  const TensorId output = lowering.result_tensor(tail, Layout::channels_last);
  Operation& operation = lowering.emit_float(node, tail, std::move(conv), {input}, output);
  operation.macs = macs;
  operation.reason = reason;
  return true;
}

void lower_with_reason(Lowering& lowering, const Node& node, const std::string& reason) {
  const std::size_t begin = lowering.program().operations.size();
  lower_reference(lowering, node);
  for (std::size_t i = begin; i < lowering.program().operations.size(); ++i) {
    Operation& operation = lowering.program().operations[i];
    if (std::holds_alternative<ReferenceOperation>(operation.kind)) operation.reason = reason;
  }
}

}  // namespace

bool lower_conv_transpose(Lowering& lowering, const Node& node) {
  if (!node.is("ConvTranspose")) return false;
  const ValueId x = node.inputs[0], w = node.inputs[1];
  const bool constant_bias = !node.has_input(2) || lowering.is_constant(node.inputs[2]);
  if (!lowering.is_constant(w) || !constant_bias || lowering.shape(x).size() > 5) return false;
  if (lowering.value(x).type != ElementType::f32) return false;
  const SpatialGeometry geometry =
      conv_transpose_geometry(node, lowering.shape(x), lowering.shape(w));

  IntegerProduct whole;
  whole.activation = x;
  whole.bias = node.has_input(2) ? node.inputs[2] : no_value;
  whole.shape = conv_shape(lowering.shape(x), lowering.shape(node.outputs[0]),
                           node.attributes.integer("group", 1), geometry);
  std::string reason;
  std::vector<ConvOperation> convs;
  const std::vector<Phase> phases = phases_of(geometry);
  if (phases.empty())
    reason = fmt::format(
        "its strides split the output into more than {} convolutions; strides whose product is "
        "smaller run on integers",
        most_phases);
  else if (read_weights(lowering, node, w, 1, whole, reason))
    convs = convolutions(lowering, node, phases, whole, reason);
  if (convs.empty() && !lower_float(lowering, node, whole.shape, reason))
    lower_with_reason(lowering, node, reason);
  else if (!convs.empty())
    emit_phases(lowering, node, geometry, phases, whole, std::move(convs));
  return true;
}

}  // namespace intact

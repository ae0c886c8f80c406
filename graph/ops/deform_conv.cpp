// DeformConv: a convolution whose taps are moved by another tensor, and weighted by a third one.
#include <cmath>
#include <vector>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {
namespace {

enum Operand : std::size_t { input, weights, offset, bias, mask };

std::int64_t offset_groups(const Node& node, std::int64_t channels) {
  const std::int64_t groups = node.attributes.integer("offset_group", 1);
  if (groups < 1 || channels % groups != 0)
    refuse(node, "offset_group is {}; it must divide the {} channels", groups, channels);
  return groups;
}

std::vector<TensorType> infer_deform_conv(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 3, 5);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  for (const Operand i : {weights, offset, bias, mask})
    if (context.has(i)) check_same_type(context, i, 0);
  const ElementType type = context.inputs[input].type;
  const auto &x = context.inputs[input].shape, &w = context.inputs[weights].shape;
  if (!x || !w) return {{type, std::nullopt}};
  if (x->size() != 4)
    refuse_unsupported(node, "the input has shape {}; only [N, C, H, W] is supported",
                       to_string(*x));
  const SpatialGeometry geometry = conv_geometry(node, *x, *w);
  const std::int64_t taps = offset_groups(node, (*x)[1]) * element_count(geometry.kernel);
  check_shape(context, offset, {(*x)[0], 2 * taps, geometry.out[0], geometry.out[1]},
              "the tensor of offsets");
  check_shape(context, bias, {(*w)[0]}, "the bias");
  check_shape(context, mask, {(*x)[0], taps, geometry.out[0], geometry.out[1]}, "the mask");
  return {sized(node, type, spatial_shape(node, geometry, (*x)[0], (*w)[0]))};
}

/// Between four elements of an image; outside of it are zeros.
double interpolated(const double* image, std::int64_t height, std::int64_t width, double y,
                    double x) {
  if (!(y > -1 && x > -1 && y < static_cast<double>(height) && x < static_cast<double>(width)))
    return 0;
  const double top = std::floor(y), left = std::floor(x);
  const auto row = static_cast<std::int64_t>(top), column = static_cast<std::int64_t>(left);
  double sum = 0;
  for (const std::int64_t i : {0, 1})
    for (const std::int64_t j : {0, 1}) {
      const std::int64_t r = row + i, c = column + j;
      if (r < 0 || c < 0 || r >= height || c >= width) continue;
      const double weight =
          (i == 0 ? 1 - (y - top) : y - top) * (j == 0 ? 1 - (x - left) : x - left);
      sum += weight * image[r * width + c];
    }
  return sum;
}

/// What one tap reads of one channel for every output element. `moves`: the offsets down, those to
/// the right behind them; `factors` may be null.
void sample_tap(const SpatialGeometry& g, const double* image, std::int64_t tap,
                const double* moves, const double* factors, double* to) {
  const std::int64_t pixels = g.out[0] * g.out[1];
  const std::int64_t first_row = tap / g.kernel[1] * g.dilation[0] - g.pad_begin[0],
                     first_column = tap % g.kernel[1] * g.dilation[1] - g.pad_begin[1];
  for (std::int64_t i = 0; i < pixels; ++i) {
    const std::int64_t row = i / g.out[1] * g.stride[0] + first_row,
                       column = i % g.out[1] * g.stride[1] + first_column;
    to[i] = interpolated(image, g.in[0], g.in[1], static_cast<double>(row) + moves[i],
                         static_cast<double>(column) + moves[pixels + i]);
    if (factors != nullptr) to[i] *= factors[i];
  }
}

/// The operands in f64; absent ones undefined.
struct Operands {
  Tensor x, w, offset, bias, mask;
};

/// Adds what channel c of image n gives to the output `y` of this image.
void add_channel(const SpatialGeometry& g, const Operands& o, std::int64_t group,
                 std::int64_t groups_of_offsets, std::int64_t n, std::int64_t c, double* y,
                 std::vector<double>& read) {
  const std::int64_t channels = o.x.shape()[1], outputs = o.w.shape()[0],
                     per_group = o.w.shape()[1], taps = element_count(g.kernel),
                     pixels = g.out[0] * g.out[1];
  const std::int64_t offset_group = n * groups_of_offsets + c / (channels / groups_of_offsets);
  const std::int64_t first = c / per_group * (outputs / group);
  const double* image = o.x.data<double>().data() + (n * channels + c) * g.in[0] * g.in[1];
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    const std::int64_t at = offset_group * taps + tap;
    const double* factors = o.mask.defined() ? o.mask.data<double>().data() + at * pixels : nullptr;
    sample_tap(g, image, tap, o.offset.data<double>().data() + 2 * at * pixels, factors,
               read.data());
    for (std::int64_t m = first; m < first + outputs / group; ++m) {
      const double weight = o.w.data<double>()[static_cast<std::size_t>(
          (m * per_group + c % per_group) * taps + tap)];
      for (std::int64_t i = 0; i < pixels; ++i)
        y[m * pixels + i] += weight * read[static_cast<std::size_t>(i)];
    }
  }
}

std::vector<Tensor> evaluate_deform_conv(const EvalContext& context) {
  const TensorType type = output_types(context, infer_deform_conv)[0];
  const auto wide = [&](Operand i) {
    return context.has(i) ? convert(context.inputs[i], ElementType::f64) : Tensor();
  };
  const Operands o{wide(input), wide(weights), wide(offset), wide(bias), wide(mask)};
  const SpatialGeometry geometry = conv_geometry(context.node, o.x.shape(), o.w.shape());
  const std::int64_t group = context.node.attributes.integer("group", 1),
                     groups_of_offsets = offset_groups(context.node, o.x.shape()[1]);
  Tensor result = allocate(context.node, {ElementType::f64, type.shape});
  const auto outputs = o.w.shape()[0], pixels = geometry.out[0] * geometry.out[1];
  std::vector<double> read(static_cast<std::size_t>(pixels));
  for (std::int64_t n = 0; n < o.x.shape()[0]; ++n) {
    double* y = result.data<double>().data() + n * outputs * pixels;
    for (std::int64_t i = 0; o.bias.defined() && i < outputs * pixels; ++i)
      y[i] = o.bias.data<double>()[static_cast<std::size_t>(i / pixels)];
    for (std::int64_t c = 0; c < o.x.shape()[1]; ++c)
      add_channel(geometry, o, group, groups_of_offsets, n, c, y, read);
  }
  return {convert(result, type.type)};
}

const Definition definitions[] = {
    {.op = "DeformConv", .infer = infer_deform_conv, .evaluate = evaluate_deform_conv},
};

}  // namespace

std::span<const Definition> deform_conv_definitions() {
  return definitions;
}

}  // namespace intact

// Float convolution and pooling through oneDNN, channels last.
#include "engine/steps/onednn.hpp"

namespace intact {
namespace {

using onednn::Descriptor;
using onednn::Dims;

/// Spatial values without a leading depth of 1, which oneDNN's fast kernels do not want.
struct Spatial {
  explicit Spatial(const kernels::ConvShape& shape)
      : first(shape.in[0] == 1 && shape.kernel[0] == 1 && shape.out[0] == 1 ? 1 : 0) {}
  Dims of(const std::array<std::int64_t, 3>& values) const {
    return Dims(values.begin() + first, values.end());
  }
  Dims with(std::initializer_list<std::int64_t> lead,
            const std::array<std::int64_t, 3>& values) const {
    Dims dims(lead);
    dims.insert(dims.end(), values.begin() + first, values.end());
    return dims;
  }
  int first;
};

/// What lies behind the input so that the last window is complete.
std::array<std::int64_t, 3> padding_behind(const kernels::ConvShape& shape) {
  std::array<std::int64_t, 3> pad;
  for (std::size_t i = 0; i < 3; ++i)
    pad[i] = (shape.out[i] - 1) * shape.stride[i] + (shape.kernel[i] - 1) * shape.dilation[i] + 1 -
             shape.in[i] - shape.pad_begin[i];
  return pad;
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatConvOperation& conv) {
  const kernels::ConvShape& s = conv.shape;
  const Spatial spatial(s);
  const Descriptor src = onednn::dense(spatial.with({s.batch, s.in_channels}, s.in), true);
  const Descriptor dst = onednn::dense(spatial.with({s.batch, s.out_channels}, s.out), true);
  const Dims weight_dims =
      s.groups == 1
          ? spatial.with({s.out_channels, s.in_channels}, s.kernel)
          : spatial.with({s.groups, s.out_channels / s.groups, s.in_channels / s.groups}, s.kernel);
  const Descriptor given = onednn::dense(weight_dims, false);
  const Descriptor any(weight_dims, onednn::f32, dnnl::memory::format_tag::any);
  const Descriptor bias =
      conv.bias.defined() ? onednn::dense({s.out_channels}, false) : Descriptor();
  Dims dilation = spatial.of(s.dilation);
  for (auto& d : dilation) d -= 1;
  const auto attr = onednn::attributes(conv.lower, conv.upper);
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src, any, bias, dst,
      spatial.of(s.stride), dilation, spatial.of(s.pad_begin), spatial.of(padding_behind(s)));
  const dnnl::convolution_forward::primitive_desc primitive(description, attr, onednn::cpu());

  auto step = std::make_unique<onednn::PrimitiveStep>();
  step->bind(DNNL_ARG_SRC, src, operation.inputs[0]);
  step->bind(DNNL_ARG_DST, dst, operation.outputs[0]);
  const Descriptor wanted = primitive.weights_desc();
  step->bind(DNNL_ARG_WEIGHTS, wanted,
             onednn::reordered(context.weights, conv.weights, given, wanted));
  if (conv.bias.defined())
    step->bind(DNNL_ARG_BIAS, bias, onednn::reordered(context.weights, conv.bias, bias, bias));
  step->set(dnnl::convolution_forward(primitive), primitive.scratchpad_desc(),
            primitive.impl_info_str());
  return step;
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatPoolOperation& pool) {
  const kernels::ConvShape& s = pool.shape;
  const Spatial spatial(s);
  const Descriptor src = onednn::dense(spatial.with({s.batch, s.in_channels}, s.in), true);
  const Descriptor dst = onednn::dense(spatial.with({s.batch, s.out_channels}, s.out), true);
  const auto algorithm = !pool.average            ? dnnl::algorithm::pooling_max
                         : pool.count_include_pad ? dnnl::algorithm::pooling_avg_include_padding
                                                  : dnnl::algorithm::pooling_avg_exclude_padding;
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::pooling_forward::desc description(
      dnnl::prop_kind::forward_inference, algorithm, src, dst, spatial.of(s.stride),
      spatial.of(s.kernel), spatial.of(s.pad_begin), spatial.of(padding_behind(s)));
  const dnnl::pooling_forward::primitive_desc primitive(description, attr, onednn::cpu());
  auto step = std::make_unique<onednn::PrimitiveStep>();
  step->bind(DNNL_ARG_SRC, src, operation.inputs[0]);
  step->bind(DNNL_ARG_DST, dst, operation.outputs[0]);
  step->set(dnnl::pooling_forward(primitive), primitive.scratchpad_desc(),
            primitive.impl_info_str());
  return step;
}

}  // namespace intact

// Float convolution and pooling through oneDNN, channels last.
#include <algorithm>

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

/// What a convolution and its transpose have in common.
struct ConvDescriptors {
  Descriptor src, dst, weights, bias;
  Dims stride, dilation, pad_begin;

  ConvDescriptors(const FloatConvOperation& conv, const Spatial& spatial) {
    const kernels::ConvShape& s = conv.shape;
    src = onednn::dense(spatial.with({s.batch, s.in_channels}, s.in), true);
    dst = onednn::dense(spatial.with({s.batch, s.out_channels}, s.out), true);
    if (conv.bias.defined()) bias = onednn::dense({s.out_channels}, false);
    stride = spatial.of(s.stride);
    dilation = spatial.of(s.dilation);
    for (auto& d : dilation) d -= 1;
    pad_begin = spatial.of(s.pad_begin);
  }
};

/// [groups,] [out][in][kernel], as the constant has them.
Descriptor weights_of(const FloatConvOperation& conv, const Spatial& spatial) {
  const kernels::ConvShape& s = conv.shape;
  const std::int64_t out = s.out_channels / s.groups, in = s.in_channels / s.groups;
  Dims dims = spatial.with({s.groups, out, in}, s.kernel), strides(dims.size());
  dnnl::memory::dim stride = 1;
  for (std::size_t i = dims.size(); i-- > 3; stride *= dims[i]) strides[i] = stride;
  strides[1] = conv.transposed ? stride : stride * in;
  strides[2] = conv.transposed ? stride * out : stride;
  strides[0] = stride * in * out;
  if (s.groups == 1) {
    dims.erase(dims.begin());
    strides.erase(strides.begin());
  }
  return Descriptor(dims, onednn::f32, strides);
}

template <class Primitive>
std::unique_ptr<Step> conv_step(StepContext& context, const Operation& operation,
                                const FloatConvOperation& conv, const ConvDescriptors& given,
                                const Descriptor& weights,
                                const typename Primitive::primitive_desc& primitive) {
  auto step = std::make_unique<onednn::PrimitiveStep>();
  step->bind(DNNL_ARG_SRC, given.src, operation.inputs[0]);
  step->bind(DNNL_ARG_DST, given.dst, operation.outputs[0]);
  const Descriptor wanted = primitive.weights_desc();
  step->bind(DNNL_ARG_WEIGHTS, wanted,
             onednn::reordered(context.weights, conv.weights, weights, wanted));
  if (conv.bias.defined())
    step->bind(DNNL_ARG_BIAS, given.bias,
               onednn::reordered(context.weights, conv.bias, given.bias, given.bias));
  step->set(Primitive(primitive), primitive.scratchpad_desc(), primitive.impl_info_str());
  return step;
}

/// What is cut off behind the full output of a transposed convolution.
std::array<std::int64_t, 3> cut_behind(const kernels::ConvShape& shape) {
  std::array<std::int64_t, 3> cut;
  for (std::size_t i = 0; i < 3; ++i)
    cut[i] = std::max<std::int64_t>((shape.in[i] - 1) * shape.stride[i] +
                                        (shape.kernel[i] - 1) * shape.dilation[i] + 1 -
                                        shape.pad_begin[i] - shape.out[i],
                                    0);
  return cut;
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatConvOperation& conv) {
  const Spatial spatial(conv.shape);
  const ConvDescriptors given(conv, spatial);
  const Descriptor weights = weights_of(conv, spatial);
  const Descriptor any(weights.dims(), onednn::f32, dnnl::memory::format_tag::any);
  const auto attr = onednn::attributes(conv.lower, conv.upper);
  if (conv.transposed) {
    const dnnl::deconvolution_forward::desc description(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, given.src, any,
        given.bias, given.dst, given.stride, given.dilation, given.pad_begin,
        spatial.of(cut_behind(conv.shape)));
    return conv_step<dnnl::deconvolution_forward>(context, operation, conv, given, weights,
                                                  {description, attr, onednn::cpu()});
  }
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, given.src, any,
      given.bias, given.dst, given.stride, given.dilation, given.pad_begin,
      spatial.of(padding_behind(conv.shape)));
  return conv_step<dnnl::convolution_forward>(context, operation, conv, given, weights,
                                              {description, attr, onednn::cpu()});
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

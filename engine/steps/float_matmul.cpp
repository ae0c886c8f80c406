// Float matrix product through oneDNN.
#include "engine/steps/onednn.hpp"

namespace intact {
namespace {

using onednn::Descriptor;
using onednn::Dims;

/// Row-major [batch..., rows, columns]; `transposed` swaps the last two axes as the product sees
/// them.
Descriptor matrix(Dims stored, bool transposed) {
  const Descriptor plain = onednn::dense(stored, false);
  if (!transposed) return plain;
  Dims strides(stored.size());
  dnnl::memory::dim stride = 1;
  for (std::size_t i = stored.size(); i-- > 0; stride *= stored[i]) strides[i] = stride;
  std::swap(stored[stored.size() - 1], stored[stored.size() - 2]);
  std::swap(strides[strides.size() - 1], strides[strides.size() - 2]);
  return Descriptor(stored, onednn::f32, strides);
}

Dims with_rank(const Shape& shape, std::size_t rank) {
  Dims dims(rank - shape.size(), 1);
  dims.insert(dims.end(), shape.begin(), shape.end());
  return dims;
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatMatMulOperation& matmul) {
  Shape a = matmul.a, out = matmul.out;
  if (matmul.b.size() == 2 && !matmul.transpose_a &&
      a.size() > 2) {  // weights: all rows in one product
    const std::int64_t rows = element_count(Shape(a.begin(), a.end() - 1));
    a = {rows, a.back()};
    out = {rows, out.back()};
  }
  const std::size_t rank = std::max(a.size(), matmul.b.size());
  const Descriptor src = matrix(with_rank(a, rank), matmul.transpose_a);
  const Descriptor given = matrix(with_rank(matmul.b, rank), matmul.transpose_b);
  const Descriptor dst = onednn::dense(with_rank(out, rank), false);
  const StoredTensor& b = context.program.tensor(operation.inputs[1]);
  const bool constant = b.constant.defined();
  const Descriptor weights =
      constant ? Descriptor(given.dims(), onednn::f32, dnnl::memory::format_tag::any) : given;
  Dims bias_dims(rank, 1);
  bias_dims.back() = out.back();
  const Descriptor bias = matmul.bias.defined() ? onednn::dense(bias_dims, false) : Descriptor();
  auto attr = onednn::attributes(matmul.lower, matmul.upper);
  if (matmul.alpha != 1.0f) attr.set_output_scales(0, {matmul.alpha});
  const auto description = matmul.bias.defined() ? dnnl::matmul::desc(src, weights, bias, dst)
                                                 : dnnl::matmul::desc(src, weights, dst);
  const dnnl::matmul::primitive_desc primitive(description, attr, onednn::cpu());

  auto step = std::make_unique<onednn::PrimitiveStep>();
  step->bind(DNNL_ARG_SRC, src, operation.inputs[0]);
  step->bind(DNNL_ARG_DST, dst, operation.outputs[0]);
  const Descriptor wanted = primitive.weights_desc();
  if (constant) {
    step->bind(DNNL_ARG_WEIGHTS, wanted,
               onednn::reordered(context.weights, b.constant, given, wanted));
  } else {
    step->bind(DNNL_ARG_WEIGHTS, wanted, operation.inputs[1]);
  }
  if (matmul.bias.defined())
    step->bind(DNNL_ARG_BIAS, bias, onednn::reordered(context.weights, matmul.bias, bias, bias));
  step->set(dnnl::matmul(primitive), primitive.scratchpad_desc(), primitive.impl_info_str());
  return step;
}

}  // namespace intact

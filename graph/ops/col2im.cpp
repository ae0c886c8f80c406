// Col2Im: blocks of an image back in their places, added up where they overlap.
#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/spatial.hpp"

namespace intact {
namespace {

/// The window that cut the blocks out of the image: `out` counts them.
struct Blocks {
  SpatialGeometry geometry;
  std::int64_t channels = 0;
};

Blocks blocks_of(const Node& node, const Shape& columns, const Shape& image, const Shape& block) {
  if (columns.size() != 3)
    refuse(node, "the input has shape {}; it must be [N, C * elements of a block, blocks]",
           to_string(columns));
  Blocks result;
  Shape whole{columns[0], 1};
  whole.insert(whole.end(), image.begin(), image.end());
  result.geometry = spatial_geometry(node, whole, block);
  const std::int64_t elements = element_count(block), count = element_count(result.geometry.out);
  if (columns[1] % elements != 0 || columns[2] != count)
    refuse(node,
           "the input has shape {}; an image of {} has {} blocks of {}, whose elements ({}) must "
           "divide axis 1",
           to_string(columns), to_string(image), count, to_string(block), elements);
  result.channels = columns[1] / elements;
  return result;
}

std::vector<TensorType> infer_col2im(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 3, 3);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  const TensorType& x = context.inputs[0];
  if (!x.shape || !context.constants[1].defined() || !context.constants[2].defined())
    return {{x.type, std::nullopt}};
  const Blocks blocks =
      blocks_of(node, *x.shape, integers_of(node, context.constants[1], "image_shape"),
                integers_of(node, context.constants[2], "block_shape"));
  Shape shape{(*x.shape)[0], blocks.channels};
  shape.insert(shape.end(), blocks.geometry.in.begin(), blocks.geometry.in.end());
  if (shape.size() > 5) refuse_unsupported(node, "more than three spatial axes are not supported");
  return {sized(node, x.type, shape)};
}

/// Adds the elements that tap `at` of the window reads to their places in the image.
void add_tap(const Space& space, const Space::Extents& at, const double* from, double* image) {
  const auto place = [&](std::size_t axis, std::int64_t i) {
    return i * space.stride[axis] + at[axis] * space.dilation[axis] - space.pad_begin[axis];
  };
  const auto inside = [&](std::size_t axis, std::int64_t i) {
    return i >= 0 && i < space.in[axis];
  };
  for (std::int64_t d = 0; d < space.out[0]; ++d)
    for (std::int64_t h = 0; h < space.out[1]; ++h)
      for (std::int64_t w = 0; w < space.out[2]; ++w, ++from) {
        const std::int64_t z = place(0, d), y = place(1, h), x = place(2, w);
        if (inside(0, z) && inside(1, y) && inside(2, x))
          image[(z * space.in[1] + y) * space.in[2] + x] += *from;
      }
}

std::vector<Tensor> evaluate_col2im(const EvalContext& context) {
  const TensorType type = output_types(context, infer_col2im)[0];
  const Tensor x = convert(context.inputs[0], ElementType::f64);
  const Node& node = context.node;
  const Blocks blocks =
      blocks_of(node, x.shape(), integers_of(node, context.inputs[1], "image_shape"),
                integers_of(node, context.inputs[2], "block_shape"));
  const Space space = space_of(blocks.geometry);
  Tensor y = allocate(node, {ElementType::f64, type.shape});
  const double* from = x.data<double>().data();
  double* image = y.data<double>().data();
  const std::int64_t planes = x.shape()[0] * blocks.channels;
  for (std::int64_t plane = 0; plane < planes; ++plane, image += volume(space.in))
    for (std::int64_t d = 0; d < space.kernel[0]; ++d)
      for (std::int64_t h = 0; h < space.kernel[1]; ++h)
        for (std::int64_t w = 0; w < space.kernel[2]; ++w, from += volume(space.out))
          add_tap(space, {d, h, w}, from, image);
  return {convert(y, type.type)};
}

}  // namespace

std::span<const Definition> col2im_definitions() {
  static const Definition definitions[] = {
      {.op = "Col2Im",
       .infer = infer_col2im,
       .evaluate = evaluate_col2im,
       .shape_operands = {1, 2}},
  };
  return definitions;
}

}  // namespace intact

// Gemm, MatMul, MatMulInteger and Det.
#include <algorithm>
#include <cmath>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/groups.hpp"
#include "graph/ops/quantized.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/strided.hpp"

namespace intact {
namespace {

/// y[rows, columns] += a[rows, depth] * b[depth, columns]; the inner loop runs along rows of b.
template <class T>
void multiply_add(const T* a, const T* b, T* y, std::int64_t rows, std::int64_t depth,
                  std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i, y += columns)
    for (std::int64_t k = 0; k < depth; ++k) {
      const T factor = a[i * depth + k];
      const T* row = b + k * columns;
      for (std::int64_t j = 0; j < columns; ++j) y[j] += factor * row[j];
    }
}

/// Shapes of a numpy matrix product. Vectors count as one row (a) or one column (b).
struct Product {
  Shape batch, a_batch, b_batch, out;
  std::int64_t rows = 1, depth = 1, columns = 1;
};

Product product_of(const Node& node, const Shape& a, const Shape& b) {
  if (a.empty() || b.empty())
    refuse(node, "the operands have shapes {} and {}; a matrix product takes no scalars",
           to_string(a), to_string(b));
  Product product;
  const std::int64_t b_depth = b.size() == 1 ? b[0] : b[b.size() - 2];
  product.depth = a.back();
  if (b_depth != product.depth)
    refuse(node, "the operands have shapes {} and {}; the inner extents {} and {} must be equal",
           to_string(a), to_string(b), product.depth, b_depth);
  if (a.size() > 1) {
    product.rows = a[a.size() - 2];
    product.a_batch.assign(a.begin(), a.end() - 2);
  }
  if (b.size() > 1) {
    product.columns = b.back();
    product.b_batch.assign(b.begin(), b.end() - 2);
  }
  product.out = product.batch = broadcast(node, product.a_batch, product.b_batch);
  if (a.size() > 1) product.out.push_back(product.rows);
  if (b.size() > 1) product.out.push_back(product.columns);
  return product;
}

/// Operands and result have the element type T of the accumulation: f64 or u64.
template <class T>
void multiply_batches(const Product& product, const Tensor& a, const Tensor& b, Tensor& y) {
  const auto a_index = broadcast_indices(product.a_batch, product.batch);
  const auto b_index = broadcast_indices(product.b_batch, product.batch);
  const std::int64_t rows = product.rows, depth = product.depth, columns = product.columns;
  for (std::size_t i = 0; i < a_index.size(); ++i)
    multiply_add(a.data<T>().data() + static_cast<std::int64_t>(a_index[i]) * rows * depth,
                 b.data<T>().data() + static_cast<std::int64_t>(b_index[i]) * depth * columns,
                 y.data<T>().data() + static_cast<std::int64_t>(i) * rows * columns, rows, depth,
                 columns);
}

TensorType matmul_type(const InferContext& context, ElementType type) {
  const auto& a = context.inputs[0].shape;
  const auto& b = context.inputs[1].shape;
  if (!a || !b) return {type, std::nullopt};
  return sized(context.node, type, product_of(context.node, *a, *b).out);
}

std::vector<TensorType> infer_matmul(const InferContext& context) {
  check_operands(context.node, 2, 2);
  check_same_type(context, 0, 1);
  check_type(context, 0,
             {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16,
              ElementType::s32, ElementType::s64, ElementType::u32, ElementType::u64});
  return {matmul_type(context, context.inputs[0].type)};
}

std::vector<Tensor> evaluate_matmul(const EvalContext& context) {
  const TensorType type = output_types(context, infer_matmul)[0];
  const Tensor& a = context.inputs[0];
  const Tensor& b = context.inputs[1];
  const Product product = product_of(context.node, a.shape(), b.shape());
  const ElementType wide = is_float(type.type) ? ElementType::f64 : ElementType::u64;
  Tensor y = allocate(context.node, {wide, type.shape});
  // Integers wrap around, which unsigned arithmetic may do.
  if (wide == ElementType::f64)
    multiply_batches<double>(product, convert(a, wide), convert(b, wide), y);
  else
    multiply_batches<std::uint64_t>(product, convert(a, wide), convert(b, wide), y);
  return {convert(y, type.type)};
}

std::vector<TensorType> infer_matmul_integer(const InferContext& context) {
  check_operands(context.node, 2, 4);
  check_type(context, 0, {ElementType::u8, ElementType::s8});
  check_type(context, 1, {ElementType::u8, ElementType::s8});
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const auto& shape = context.inputs[i].shape;
    if (context.has(i + 2)) check_same_type(context, i + 2, i);
    if (!shape || shape->empty()) continue;
    const int rank = static_cast<int>(shape->size());
    const std::optional<int> axis =
        rank > 1 ? std::optional(i == 0 ? rank - 2 : rank - 1) : std::nullopt;
    check_per_axis(context, i + 2, shape, axis, "the zero point");
  }
  return {matmul_type(context, ElementType::s32)};
}

std::vector<Tensor> evaluate_matmul_integer(const EvalContext& context) {
  const TensorType type = output_types(context, infer_matmul_integer)[0];
  const Tensor& a = context.inputs[0];
  const Tensor& b = context.inputs[1];
  const Product product = product_of(context.node, a.shape(), b.shape());
  const auto axis = [](const Tensor& tensor, int from_end) {
    return tensor.rank() > 1 ? std::optional(tensor.rank() - from_end) : std::nullopt;
  };
  Tensor y = allocate(context.node, {ElementType::f64, type.shape});
  multiply_batches<double>(product,
                           without_zero_point(context.node, a, operand(context, 2), axis(a, 2)),
                           without_zero_point(context.node, b, operand(context, 3), axis(b, 1)), y);
  return {convert(y, type.type)};
}

Shape transposed_if(const Node& node, const char* attribute, const Shape& shape) {
  if (shape.size() != 2)
    refuse(node, "an operand has shape {}; Gemm takes matrices", to_string(shape));
  return node.attributes.integer(attribute, 0) != 0 ? Shape{shape[1], shape[0]} : shape;
}

std::vector<TensorType> infer_gemm(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 3);
  check_same_type(context, 0, 1);
  if (context.has(2)) check_same_type(context, 2, 0);
  check_type(context, 0,
             {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16,
              ElementType::s32, ElementType::s64, ElementType::u32, ElementType::u64});
  const ElementType type = context.inputs[0].type;
  if (!context.inputs[0].shape || !context.inputs[1].shape) return {{type, std::nullopt}};
  const Shape a = transposed_if(node, "transA", *context.inputs[0].shape);
  const Shape b = transposed_if(node, "transB", *context.inputs[1].shape);
  const Shape out = product_of(node, a, b).out;
  if (context.has(2) && context.inputs[2].shape &&
      broadcast(node, out, *context.inputs[2].shape) != out)
    refuse(node, "operand C has shape {}; it must broadcast to the output {}",
           to_string(*context.inputs[2].shape), to_string(out));
  return {sized(node, type, out)};
}

Tensor matrix_operand(const EvalContext& context, std::size_t i, const char* attribute) {
  const Tensor wide = convert(context.inputs[i], ElementType::f64);
  if (context.node.attributes.integer(attribute, 0) == 0) return wide;
  const Shape& shape = wide.shape();
  Tensor result(ElementType::f64, {shape[1], shape[0]});
  copy_strided(wide, 0, {1, shape[1]}, result);
  return result;
}

std::vector<Tensor> evaluate_gemm(const EvalContext& context) {
  const TensorType type = output_types(context, infer_gemm)[0];
  const Attributes& attributes = context.node.attributes;
  const Tensor a = matrix_operand(context, 0, "transA"), b = matrix_operand(context, 1, "transB");
  Tensor y = allocate(context.node, {ElementType::f64, type.shape});
  multiply_batches<double>(product_of(context.node, a.shape(), b.shape()), a, b, y);
  const double alpha = attributes.number("alpha", 1), beta = attributes.number("beta", 1);
  const auto out = y.data<double>();
  for (double& value : out) value *= alpha;
  if (context.has(2)) {
    const Tensor c =
        broadcast_to(context.node, convert(context.inputs[2], ElementType::f64), *type.shape);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += beta * c.data<double>()[i];
  }
  return {convert(y, type.type)};
}

/// Square matrices in the last two axes.
std::vector<TensorType> infer_determinant(const InferContext& context) {
  check_operands(context.node, 1, 1);
  check_type(context, 0, {ElementType::f32, ElementType::f64, ElementType::f16, ElementType::bf16});
  TensorType type = context.inputs[0];
  if (!type.shape) return {type};
  const std::size_t rank = type.shape->size();
  if (rank < 2 || (*type.shape)[rank - 1] != (*type.shape)[rank - 2])
    refuse(context.node, "the input has shape {}; its last two axes must be a square matrix",
           to_string(*type.shape));
  type.shape->resize(rank - 2);
  return {type};
}

/// Gaussian elimination with the greatest pivot of each column; overwrites `a` [n, n].
double determinant(double* a, std::int64_t n) {
  double product = 1;
  for (std::int64_t column = 0; column < n; ++column) {
    std::int64_t pivot = column;
    for (std::int64_t row = column + 1; row < n; ++row)
      if (std::fabs(a[row * n + column]) > std::fabs(a[pivot * n + column])) pivot = row;
    if (a[pivot * n + column] == 0) return 0;
    if (pivot != column) {
      std::swap_ranges(a + pivot * n, a + (pivot + 1) * n, a + column * n);
      product = -product;
    }
    product *= a[column * n + column];
    for (std::int64_t row = column + 1; row < n; ++row) {
      const double factor = a[row * n + column] / a[column * n + column];
      for (std::int64_t k = column; k < n; ++k) a[row * n + k] -= factor * a[column * n + k];
    }
  }
  return product;
}

std::vector<Tensor> evaluate_determinant(const EvalContext& context) {
  const TensorType type = output_types(context, infer_determinant)[0];
  Tensor x = convert(context.inputs[0], ElementType::f64).clone();
  const std::int64_t n = x.shape().back();
  Tensor y = allocate(context.node, {ElementType::f64, type.shape});
  double* matrix = x.data<double>().data();
  for (double& value : y.data<double>()) {
    value = determinant(matrix, n);
    matrix += n * n;
  }
  return {convert(y, type.type)};
}

const Definition definitions[] = {
    {.op = "Gemm", .infer = infer_gemm, .evaluate = evaluate_gemm},
    {.op = "MatMul", .infer = infer_matmul, .evaluate = evaluate_matmul},
    {.op = "MatMulInteger",
     .first = 10,
     .infer = infer_matmul_integer,
     .evaluate = evaluate_matmul_integer},
    {.op = "Det", .infer = infer_determinant, .evaluate = evaluate_determinant},
};

}  // namespace

std::span<const Definition> gemm_definitions() {
  return definitions;
}

}  // namespace intact

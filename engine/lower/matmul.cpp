// MatMul and Gemm: integer products with constant weights, else float through oneDNN.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/checked.hpp"
#include "engine/lower/arrange.hpp"
#include "engine/lower/integer_product.hpp"

namespace intact {

ProductWeights transposed(const ProductWeights& weights, std::int64_t k, std::int64_t n) {
  return weights.rearranged(fmt::format("transposed {}x{}", k, n),
                            [k, n](const ProductWeights::Values& given) {
                              ProductWeights::Values result(given.size());
                              kernels::CopyArgs copy;
                              copy.rank = 2;
                              copy.extents = {n, k};
                              copy.src_strides = {1, n};
                              copy.dst_strides = {k, 1};
                              copy.src = given.data();
                              copy.dst = result.data();
                              copy_now(copy);
                              return result;
                            });
}

namespace {

/// An Add of one constant per output column behind a MatMul: its bias. Null when there is none.
const Node* bias_addition(const Lowering& lowering, const Node& node, std::int64_t columns,
                          ValueId& bias) {
  const Node* next = lowering.only_consumer(node.outputs[0]);
  if (next == nullptr || !next->is("Add")) return nullptr;
  const ValueId other = next->inputs[0] == node.outputs[0] ? next->inputs[1] : next->inputs[0];
  if (!lowering.is_constant(other)) return nullptr;
  const Shape& shape = lowering.value(other).constant.shape();
  if (shape.empty() || shape.back() != columns || element_count(shape) != columns) return nullptr;
  if (lowering.shape(next->outputs[0]) != lowering.shape(node.outputs[0])) return nullptr;
  bias = other;
  return next;
}

struct Product {
  ValueId a = no_value, b = no_value;
  ValueId bias = no_value;    ///< constant, one element or one per column
  ValueId addend = no_value;  ///< any other C of Gemm
  bool transpose_a = false, transpose_b = false;
  float alpha = 1, beta = 1;
};

/// False for forms that the reference has to evaluate.
bool read_product(const Lowering& lowering, const Node& node, Product& product) {
  if ((!node.is("MatMul") && !node.is("Gemm")) ||
      lowering.value(node.outputs[0]).type != ElementType::f32)
    return false;
  product.a = node.inputs[0];
  product.b = node.inputs[1];
  if (node.is("MatMul")) return true;
  product.transpose_a = node.attributes.integer("transA", 0) != 0;
  product.transpose_b = node.attributes.integer("transB", 0) != 0;
  product.alpha = node.attributes.number("alpha", 1.0f);
  product.beta = node.attributes.number("beta", 1.0f);
  if (!node.has_input(2) || product.beta == 0.0f) return true;
  const ValueId c = node.inputs[2];
  const Shape& shape = lowering.shape(c);
  const std::int64_t columns = lowering.shape(node.outputs[0]).back();
  const bool per_column = element_count(shape) == 1 || (element_count(shape) == columns &&
                                                        !shape.empty() && shape.back() == columns);
  (lowering.is_constant(c) && per_column ? product.bias : product.addend) = c;
  return true;
}

/// What an integer product takes over from the operands.
IntegerProduct start_product(const Product& operands) {
  IntegerProduct product;
  product.activation = operands.a;
  product.transposed = operands.transpose_a;
  product.factor = operands.alpha;
  product.bias = operands.bias;
  product.addend = operands.addend;
  if (operands.bias != no_value || operands.addend != no_value) product.bias_factor = operands.beta;
  return product;
}

/// The addition behind a product that has neither bias nor factor yet; null when there is none.
const Node* following_bias(const Lowering& lowering, const Node& node, std::int64_t columns,
                           IntegerProduct& product) {
  const bool free = product.bias == no_value && product.addend == no_value;
  return free && product.factor == 1.0f ? bias_addition(lowering, node, columns, product.bias)
                                        : nullptr;
}

/// Which matrix of an operand each matrix of the output reads: row-major indices of its leading
/// axes, repeated along those that are broadcast.
std::vector<std::int64_t> operand_matrices(const Shape& operand, const Shape& output) {
  std::vector<std::int64_t> matrices = {0};
  std::int64_t stride = 1;
  const std::size_t missing = output.size() - operand.size();
  for (std::size_t axis = output.size() - 2; axis-- > 0;) {
    const std::int64_t extent = axis < missing ? 1 : operand[axis - missing];
    const std::int64_t step = extent == 1 ? 0 : stride;
    const std::vector<std::int64_t> inner = std::move(matrices);
    matrices.clear();
    for (std::int64_t i = 0; i < output[axis]; ++i)
      for (const std::int64_t matrix : inner) matrices.push_back(matrix + i * step);
    stride *= extent;
  }
  return matrices;
}

/// Each matrix is listed, so their number is bounded.
constexpr std::int64_t most_matrices = std::int64_t{1} << 24;
std::int64_t matrices_of(const Shape& out) {
  std::int64_t matrices = 1;
  for (std::size_t axis = 0; axis + 2 < out.size(); ++axis)
    matrices = saturating_product({matrices, out[axis]});
  return matrices;
}

/// Both operands on grids of 8 or 16 bits, neither of them a matrix of weights.
bool lower_activations(Lowering& lowering, const Node& node, const Product& operands,
                       std::string& reason) {
  for (std::size_t i = 0; i < 2; ++i)
    if (!lowering.on_stored_grid(i == 0 ? operands.a : operands.b)) {
      reason = lowering.no_grid_reason(node, i);
      return false;
    }
  const Shape& a = lowering.shape(operands.a);
  const Shape& b = lowering.shape(operands.b);
  const Shape& out = lowering.shape(node.outputs[0]);
  if (a.size() < 2 || b.size() < 2 || element_count(a) == 0 || element_count(b) == 0) {
    reason = fmt::format(
        "this form of {} (operands empty or of one dimension) has no integer kernel; a Reshape in "
        "front of it would leave one that has",
        node.op);
    return false;
  }
  if (matrices_of(out) > most_matrices) {
    reason =
        fmt::format("{} of more than {} matrices has no integer kernel", node.op, most_matrices);
    return false;
  }
  ActivationMatMulOperation matmul;
  matmul.transpose_b = operands.transpose_b;
  std::int64_t depth = a.back(), rows = a[a.size() - 2];
  if (operands.transpose_a) std::swap(depth, rows);
  if (element_count(Shape(b.begin(), b.end() - 2)) == 1) {  // one matrix for all rows
    rows = element_count(a) / depth;
    matmul.matrix_a = matmul.matrix_b = {0};
  } else {
    matmul.matrix_a = operand_matrices(a, out);
    matmul.matrix_b = operand_matrices(b, out);
  }
  IntegerProduct product = start_product(operands);
  product.shape.in_channels = depth;
  product.shape.out_channels = out.back();
  product.shape.in = product.shape.out = {1, 1, rows};
  const Node* last = following_bias(lowering, node, out.back(), product);
  if (lowering.on_word_grid(operands.a) || lowering.on_word_grid(operands.b))
    return lower_word_activations(lowering, node, last ? *last : node, product, operands.b, matmul,
                                  reason);
  return lower_activation_product(lowering, node, last ? *last : node, product, operands.b,
                                  std::move(matmul), reason);
}

bool lower_integer(Lowering& lowering, const Node& node, const Product& operands,
                   std::string& reason) {
  const Shape& a = lowering.shape(operands.a);
  const Shape& b = lowering.shape(operands.b);
  if (!lowering.is_constant(operands.b) || b.size() > 2)
    return lower_activations(lowering, node, operands, reason);
  if (b.size() != 2 || a.empty()) {
    reason = fmt::format(
        "this form of {} (weights not two-dimensional) has no integer kernel; a Reshape in front "
        "of it would leave one that has",
        node.op);
    return false;
  }
  const std::int64_t k = operands.transpose_a ? a[0] : a.back(),
                     n = lowering.shape(node.outputs[0]).back();
  IntegerProduct product = start_product(operands);
  product.shape.in_channels = k;
  product.shape.out_channels = n;
  product.shape.in = product.shape.out = {1, 1, k == 0 ? 0 : element_count(a) / k};
  const Node* addition = following_bias(lowering, node, n, product);
  const Node& last = addition ? *addition : node;
  const std::optional<Grid>& grid = lowering.value(operands.b).grid;
  if (!grid || grid->block == 0) {
    if (!read_weights(lowering, node, operands.b, operands.transpose_b ? 0 : 1, product, reason))
      return false;
    if (!operands.transpose_b) product.weights = transposed(product.weights, k, n);
    if (lower_integer_product(lowering, node, last, product, Layout::plain, reason)) return true;
  }
  return lower_blocked_product(lowering, node, last, product, operands.b,
                               operands.transpose_b ? 1 : 0, Layout::plain, reason);
}

/// Neither operand is a matrix of weights.
bool lower_float_activations(Lowering& lowering, const Node& node, const Product& operands,
                             const std::string& reason) {
  if (lowering.is_constant(operands.b) || operands.bias != no_value ||
      operands.addend != no_value || operands.alpha != 1.0f)
    return false;
  const Shape& a = lowering.shape(operands.a);
  const Shape& b = lowering.shape(operands.b);
  const Shape& out = lowering.shape(node.outputs[0]);
  if (a.size() < 2 || b.size() < 2 || element_count(out) == 0 || matrices_of(out) > most_matrices)
    return false;
  FloatProductOperation product;
  product.rows = out[out.size() - 2];
  product.columns = out.back();
  product.depth = a[a.size() - (operands.transpose_a ? 2 : 1)];
  std::vector<std::int64_t> matrix_a = {0}, matrix_b = {0};
  if (matrices_of(b) == 1 && !operands.transpose_a) {  // one matrix for all rows
    product.rows = element_count(out) / product.columns;
  } else {
    matrix_a = operand_matrices(a, out);
    matrix_b = operand_matrices(b, out);
  }
  const auto set = [](Matrices& to, const std::vector<std::int64_t>& which, std::int64_t rows,
                      std::int64_t columns, bool transposed) {
    for (const std::int64_t matrix : which) to.first.push_back(matrix * rows * columns);
    to.row = transposed ? 1 : columns;
    to.column = transposed ? rows : 1;
  };
  std::vector<std::int64_t> every(matrix_a.size());
  std::iota(every.begin(), every.end(), std::int64_t{0});
  set(product.a, matrix_a, product.rows, product.depth, operands.transpose_a);
  set(product.b, matrix_b, product.depth, product.columns, operands.transpose_b);
  set(product.dst, every, product.rows, product.columns, false);
  const std::int64_t macs = saturating_product({element_count(out), product.depth});
  const std::vector<TensorId> inputs = {lowering.real(operands.a, Layout::plain),
                                        lowering.real(operands.b, Layout::plain)};
  const Tail tail = Lowering::no_tail(node);
  const TensorId output = lowering.result_tensor(tail, Layout::plain);
  Operation& operation = lowering.emit_float(node, tail, std::move(product), inputs, output);
  operation.macs = macs;
  operation.reason = reason;
  return true;
}

bool lower_float(Lowering& lowering, const Node& node, Product operands,
                 const std::string& reason) {
  if (lower_float_activations(lowering, node, operands, reason)) return true;
  FloatMatMulOperation matmul;
  matmul.a = lowering.shape(operands.a);
  matmul.b = lowering.shape(operands.b);
  if (matmul.a.size() < 2 || matmul.b.size() < 2 || lowering.shape(node.outputs[0]).size() > 6)
    return false;
  matmul.transpose_a = operands.transpose_a;
  matmul.transpose_b = operands.transpose_b;
  matmul.alpha = operands.alpha;
  matmul.out = lowering.shape(node.outputs[0]);
  const std::int64_t k = matmul.transpose_a ? matmul.a[matmul.a.size() - 2] : matmul.a.back();
  const std::int64_t macs = saturating_product({element_count(matmul.out), k});
  if (operands.bias != no_value &&
      (matmul.alpha != 1.0f || operands.beta != 1.0f ||
       lowering.value(operands.bias).constant.size() != matmul.out.back()))
    return false;
  if (operands.addend != no_value) return false;
  const Node* last = &node;
  if (operands.bias == no_value && matmul.alpha == 1.0f)
    if (const Node* add = bias_addition(lowering, node, matmul.out.back(), operands.bias))
      last = add;
  if (matmul.alpha == 1.0f && matmul.b.size() == 2 && lowering.is_constant(operands.b) &&
      !operands.transpose_a &&
      lower_vector_product(lowering, node,
                           {operands.a, operands.b, element_count(matmul.out) / matmul.out.back(),
                            k, matmul.out.back(), operands.transpose_b, operands.bias, last},
                           Layout::plain, reason))
    return true;
  if (operands.bias != no_value)
    matmul.bias = lowering.real_constant_of(operands.bias).reshaped({matmul.out.back()});
  const std::vector<TensorId> inputs = {lowering.real(operands.a, Layout::plain),
                                        lowering.real(operands.b, Layout::plain)};
  Tail tail = lowering.take_float_tail(*last);
  if (last != &node) {
    lowering.mark_done(*last);
    tail.sources.insert(tail.sources.begin(), node.sources.begin(), node.sources.end());
    tail.op = node.op + "+" + tail.op;
  }
  matmul.lower = tail.lower;
  matmul.upper = tail.upper;
  const TensorId output = lowering.result_tensor(tail, Layout::plain);
  Operation& operation = lowering.emit_float(node, tail, std::move(matmul), inputs, output);
  operation.macs = macs;
  operation.reason = reason;
  return true;
}

void lower_by_reference(Lowering& lowering, const Node& node, const std::string& reason) {
  const std::vector<Operation>& operations = lowering.program().operations;
  const std::size_t before = operations.size();
  lower_reference(lowering, node);
  for (std::size_t i = before; i < operations.size(); ++i)
    if (Operation& operation = lowering.program().operations[i];
        std::holds_alternative<ReferenceOperation>(operation.kind))
      operation.reason = reason;
}

}  // namespace

bool lower_matmul(Lowering& lowering, const Node& node) {
  Product product;
  if (!read_product(lowering, node, product)) return false;
  std::string reason;
  if (!lower_integer(lowering, node, product, reason) &&
      !lower_float(lowering, node, product, reason))
    lower_by_reference(lowering, node, reason);
  return true;
}

}  // namespace intact

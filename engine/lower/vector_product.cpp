// A few rows of floats times weights on a grid: the inner products of squeeze-and-excite, and what
// follows a pool, where the file gives the activation no grid. They run in float, in our own
// kernels: oneDNN's cost more than such a product, and could not share a step with the operations
// around it.
#include <algorithm>

#include "core/checked.hpp"
#include "engine/lower/integer_product.hpp"

namespace intact {
namespace {

constexpr std::int64_t most_rows = 64;

/// The bias, in the shape that is broadcast along the columns of the result.
TensorId bias_row(Lowering& lowering, const Node& node, const VectorProduct& product,
                  std::size_t rank) {
  Shape shape(rank, 1);
  shape[node.is("Conv") ? 1 : rank - 1] = product.columns;
  const TensorId bias = lowering.new_tensor(lowering.value(product.bias).name, ElementType::f32,
                                            std::move(shape), Layout::plain);
  StoredTensor& stored = lowering.program().tensor(bias);
  stored.constant = lowering.real_constant_of(product.bias).reshaped(stored.shape);
  return bias;
}

}  // namespace

bool lower_vector_product(Lowering& lowering, const Node& node, const VectorProduct& product,
                          Layout layout, const std::string& reason) {
  if (product.rows > most_rows || lowering.value(product.x).grid ||
      !lowering.value(product.weights).grid ||
      (product.bias != no_value && lowering.value(product.bias).constant.size() != product.columns))
    return false;
  FloatProductOperation multiply;
  multiply.rows = product.rows;
  multiply.columns = product.columns;
  multiply.depth = product.depth;
  multiply.a = {{0}, product.depth, 1};
  multiply.b =
      product.transposed ? Matrices{{0}, 1, product.depth} : Matrices{{0}, product.columns, 1};
  multiply.dst = {{0}, product.columns, 1};
  const std::vector<TensorId> inputs = {lowering.real(product.x, layout),
                                        lowering.real(product.weights, Layout::plain)};
  Tail tail = lowering.take_float_tail(*product.last);
  if (product.last != &node) lowering.mark_done(*product.last);
  const Shape& shape = lowering.shape(tail.result);
  const bool alone = product.bias == no_value && tail.result == node.outputs[0];
  const TensorId sums =
      alone ? lowering.result_tensor(tail, layout)
            : lowering.new_tensor(node.name + " product", ElementType::f32, shape, layout);
  Operation& first = lowering.emit_float(node, std::move(multiply), inputs, sums);
  first.macs = saturating_product({product.rows, product.columns, product.depth});
  if (!reason.empty()) first.reason = reason;
  if (alone) return true;
  std::erase_if(tail.sources, [&](const std::string& source) {
    return std::find(node.sources.begin(), node.sources.end(), source) != node.sources.end();
  });
  if (product.last == &node)
    tail.op.replace(0, node.op.size() + (product.bias == no_value ? 1 : 0),
                    product.bias == no_value ? "" : "Add");
  const TensorId output = lowering.result_tensor(tail, layout);
  OperationKind kind = FloatUnaryOperation{kernels::FloatUnary::clip, tail.lower, tail.upper};
  std::vector<TensorId> operands = {sums};
  if (product.bias != no_value) {
    kind = FloatBinaryOperation{kernels::FloatBinary::add, tail.lower, tail.upper};
    operands.push_back(bias_row(lowering, node, product, shape.size()));
  }
  Operation& second = lowering.emit_float(node, tail, std::move(kind), std::move(operands), output);
  second.name = node.name + " plus bias";
  if (!reason.empty()) second.reason = reason;
  return true;
}

}  // namespace intact

// Einsum: sums of products over named axes, by walking all index combinations.
#include <algorithm>
#include <array>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/equation.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"
#include "graph/ops/strided.hpp"

namespace intact {

namespace {

using Extents = std::array<std::int64_t, 128>;  // by label; -1 where it does not occur

Extents label_extents(const Node& node, const Equation& equation, std::span<const Shape> shapes) {
  Extents extents;
  extents.fill(-1);
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (std::size_t axis = 0; axis < shapes[i].size(); ++axis) {
      std::int64_t& extent = extents[static_cast<unsigned char>(equation.operands[i][axis])];
      const std::int64_t given = shapes[i][axis];
      if (extent >= 0 && extent != given && extent != 1 && given != 1)
        refuse(node, "label '{}' has extents {} and {}", equation.operands[i][axis], extent, given);
      extent = extent < 0 || extent == 1 ? given : extent;
    }
  for (const char label : equation.result)
    if (extents[static_cast<unsigned char>(label)] < 0 ||
        std::count(equation.result.begin(), equation.result.end(), label) != 1)
      refuse(node, "label '{}' of the result occurs twice or in no operand", label);
  return extents;
}

std::vector<TensorType> infer_einsum(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 16);
  std::vector<Shape> shapes;
  std::vector<std::optional<int>> ranks;
  for (const TensorType& input : context.inputs) {
    if (!input.shape) return {{context.inputs[0].type, std::nullopt}};
    if (input.type != context.inputs[0].type)
      refuse(node, "operands have elements of types {} and {}; they must agree",
             element_name(context.inputs[0].type), element_name(input.type));
    shapes.push_back(*input.shape);
    ranks.emplace_back(static_cast<int>(input.shape->size()));
  }
  const Equation equation = *parse_equation(node, ranks);
  const Extents extents = label_extents(node, equation, shapes);
  Shape shape;
  for (const char label : equation.result)
    shape.push_back(extents[static_cast<unsigned char>(label)]);
  return {{context.inputs[0].type, shape}};
}

/// Steps of an operand along each label of `order`: axes of one label add up, broadcast ones do not
/// move.
std::vector<std::int64_t> label_strides(const std::string& term, const Shape& shape,
                                        const std::string& order) {
  const auto dense = dense_strides(shape);
  std::vector<std::int64_t> strides(order.size(), 0);
  for (std::size_t axis = 0; axis < term.size(); ++axis)
    if (shape[axis] != 1) strides[order.find(term[axis])] += dense[axis];
  return strides;
}

template <class T>
void sum_products(const std::vector<const T*>& operands,
                  const std::vector<std::vector<std::int64_t>>& strides, const Shape& extents,
                  std::size_t kept, std::span<T> out) {
  const std::int64_t summed = extent_product(extents, kept, extents.size());
  std::vector<std::int64_t> index(extents.size(), 0);
  std::vector<std::int64_t> at(operands.size(), 0);
  for (T& element : out) {
    T sum{};
    for (std::int64_t s = 0; s < summed; ++s) {
      T product{1};
      for (std::size_t i = 0; i < operands.size(); ++i) product *= operands[i][at[i]];
      sum += product;
      for (std::size_t axis = extents.size(); axis-- > 0;) {
        for (std::size_t i = 0; i < at.size(); ++i) at[i] += strides[i][axis];
        if (++index[axis] < extents[axis]) break;
        for (std::size_t i = 0; i < at.size(); ++i) at[i] -= strides[i][axis] * extents[axis];
        index[axis] = 0;
      }
    }
    element = sum;
  }
}

/// Reals are summed in double, integers in unsigned 64 bits (wrapping).
std::vector<Tensor> evaluate_einsum(const EvalContext& context) {
  const auto types = output_types(context, infer_einsum);
  const Node& node = context.node;
  const ElementType computing = is_float(types[0].type) ? ElementType::f64 : ElementType::u64;
  std::vector<Tensor> operands;
  std::vector<Shape> shapes;
  std::vector<std::optional<int>> ranks;
  for (const Tensor& tensor : context.inputs) {
    operands.push_back(convert(tensor, computing));
    shapes.push_back(tensor.shape());
    ranks.emplace_back(tensor.rank());
  }
  const Equation equation = *parse_equation(node, ranks);
  const Extents by_label = label_extents(node, equation, shapes);
  std::string order = equation.result;
  for (const std::string& term : equation.operands)
    for (const char label : term)
      if (order.find(label) == std::string::npos) order += label;
  Shape extents;
  for (const char label : order) extents.push_back(by_label[static_cast<unsigned char>(label)]);
  std::vector<std::vector<std::int64_t>> strides;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    strides.push_back(label_strides(equation.operands[i], shapes[i], order));
  Tensor result = allocate(node, {computing, types[0].shape});
  const auto run = [&]<class T>(T) {
    std::vector<const T*> data;
    for (const Tensor& operand : operands) data.push_back(operand.data<T>().data());
    sum_products<T>(data, strides, extents, equation.result.size(), result.data<T>());
  };
  if (computing == ElementType::f64)
    run(double{});
  else
    run(std::uint64_t{});
  return {convert(result, types[0].type)};
}

}  // namespace

std::span<const Definition> einsum_definitions() {
  static const Definition definitions[] = {
      {.op = "Einsum", .infer = infer_einsum, .evaluate = evaluate_einsum},
  };
  return definitions;
}

}  // namespace intact

// Output types, allocation and materialized broadcasting.
#include "graph/ops/evaluation.hpp"

#include <unistd.h>

#include "core/checked.hpp"
#include "graph/checks.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/strided.hpp"

namespace intact {

std::vector<TensorType> output_types(const EvalContext& context,
                                     std::vector<TensorType> (*infer)(const InferContext&)) {
  std::vector<TensorType> inputs;
  for (const Tensor& tensor : context.inputs)
    inputs.push_back(tensor.defined() ? TensorType{tensor.type(), tensor.shape()} : TensorType{});
  std::vector<TensorType> types = infer({context.node, inputs, context.inputs});
  for (const TensorType& type : types)
    if (!type.shape)
      refuse_unsupported(context.node, "the output shape does not follow from the operands");
  return types;
}

Tensor allocate(const Node& node, const TensorType& type) {
  const auto memory = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
  std::int64_t bytes = 0;
  const std::int64_t count = element_count(*type.shape);
  if (!checked_multiply(count, static_cast<std::int64_t>(element_size(type.type)), &bytes) ||
      bytes > memory / 2)
    refuse(node,
           "an output of shape {} would need more than half of this machine's memory; check the "
           "operands that determine the shape",
           to_string(*type.shape));
  return Tensor(type.type, *type.shape);
}

Tensor broadcast_to(const Node& node, const Tensor& tensor, const Shape& shape) {
  if (tensor.shape() == shape) return tensor;
  Tensor result = allocate(node, {tensor.type(), shape});
  copy_strided(tensor, 0, broadcast_strides(tensor.shape(), shape), result);
  return result;
}

}  // namespace intact

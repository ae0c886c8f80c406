// Sequences and optionals.
#include "graph/ops/sequence.hpp"

#include <algorithm>
#include <cstring>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

Tensor join(const Node& node, std::span<const Tensor> tensors, std::int64_t axis, bool new_axis) {
  const Tensor& first = tensors.front();
  const int at = normalize_axis(node, axis, first.rank() + (new_axis ? 1 : 0));
  const auto place = static_cast<std::size_t>(at);
  std::int64_t extent = 0;
  for (const Tensor& tensor : tensors) {
    Shape other = tensor.shape();
    if (!new_axis && other.size() == first.shape().size()) {
      extent += other[place];
      other[place] = first.shape()[place];
    }
    if (tensor.type() != first.type() || other != first.shape())
      refuse(node, "tensors {} {} and {} {} cannot be joined", element_name(first.type()),
             to_string(first.shape()), element_name(tensor.type()), to_string(tensor.shape()));
  }
  Shape shape = first.shape();
  if (new_axis)
    shape.insert(shape.begin() + at, static_cast<std::int64_t>(tensors.size()));
  else
    shape[place] = extent;
  Tensor result = allocate(node, sized(node, first.type(), shape));
  if (result.size() == 0) return result;
  const std::int64_t outer = extent_product(shape, 0, place);
  auto* out = static_cast<std::byte*>(result.raw());
  for (std::int64_t o = 0; o < outer; ++o)
    for (const Tensor& tensor : tensors) {
      const std::size_t row = tensor.bytes() / static_cast<std::size_t>(outer);
      if (row == 0) continue;
      std::memcpy(out,
                  static_cast<const std::byte*>(tensor.raw()) + static_cast<std::size_t>(o) * row,
                  row);
      out += row;
    }
  return result;
}

Tensor take(const Node& node, const Tensor& tensor, int axis, std::int64_t first,
            std::int64_t count, bool keep) {
  const auto place = static_cast<std::size_t>(axis);
  Shape shape = tensor.shape();
  const std::int64_t outer = extent_product(shape, 0, place);
  const auto inner = static_cast<std::size_t>(extent_product(shape, place + 1, shape.size())) *
                     element_size(tensor.type());
  const std::size_t pitch = static_cast<std::size_t>(shape[place]) * inner;
  if (keep)
    shape[place] = count;
  else
    shape.erase(shape.begin() + axis);
  Tensor result = allocate(node, sized(node, tensor.type(), shape));
  const std::size_t row = static_cast<std::size_t>(count) * inner;
  for (std::int64_t o = 0; o < outer && row != 0; ++o)
    std::memcpy(static_cast<std::byte*>(result.raw()) + static_cast<std::size_t>(o) * row,
                static_cast<const std::byte*>(tensor.raw()) + static_cast<std::size_t>(o) * pitch +
                    static_cast<std::size_t>(first) * inner,
                row);
  return result;
}

bool is_absent(const DataContext& context, std::size_t i) {
  if (i >= context.inputs.size()) return true;
  const auto* tensor = std::get_if<Tensor>(&context.inputs[i]);
  return tensor != nullptr && !tensor->defined();
}

const std::vector<Tensor>& sequence_operand(const DataContext& context, std::size_t i) {
  if (is_absent(context, i)) refuse(context.node, "input {} is absent; it must be a sequence", i);
  const auto* sequence = std::get_if<std::vector<Tensor>>(&context.inputs[i]);
  if (sequence == nullptr) refuse(context.node, "input {} is a tensor; it must be a sequence", i);
  return *sequence;
}

const Tensor& tensor_operand(const DataContext& context, std::size_t i) {
  if (is_absent(context, i)) refuse(context.node, "input {} is absent; it must be a tensor", i);
  const auto* tensor = std::get_if<Tensor>(&context.inputs[i]);
  if (tensor == nullptr) refuse(context.node, "input {} is a sequence; it must be a tensor", i);
  return *tensor;
}

std::int64_t scalar_operand(const DataContext& context, std::size_t i) {
  const Tensor& tensor = tensor_operand(context, i);
  if (tensor.size() != 1)
    refuse(context.node, "input {} has shape {}; it must be one number", i,
           to_string(tensor.shape()));
  return convert(tensor, ElementType::s64).data<std::int64_t>()[0];
}

std::vector<TensorType> infer_nothing(const InferContext& context) {
  return std::vector<TensorType>(context.node.outputs.size());
}

namespace {

/// A position from the end is negative; `last` is the greatest allowed.
std::size_t position(const DataContext& context, std::size_t i, std::size_t length,
                     std::size_t last) {
  const std::int64_t given = scalar_operand(context, i);
  const auto count = static_cast<std::int64_t>(length);
  if (given < -count || given > static_cast<std::int64_t>(last) || (length == 0 && last > length))
    refuse(context.node, "position {} is outside of the sequence of {} tensors", given, length);
  return static_cast<std::size_t>(given < 0 ? given + count : given);
}

void check_type(const Node& node, const std::vector<Tensor>& sequence, const Tensor& added) {
  if (!sequence.empty() && sequence.front().type() != added.type())
    refuse(node, "a sequence of {} cannot hold a tensor of {}",
           element_name(sequence.front().type()), element_name(added.type()));
}

std::vector<Datum> empty_sequence(const DataContext&) {
  return {std::vector<Tensor>{}};
}

std::vector<Datum> construct(const DataContext& context) {
  std::vector<Tensor> sequence;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    check_type(context.node, sequence, tensor_operand(context, i));
    sequence.push_back(tensor_operand(context, i));
  }
  if (sequence.empty()) refuse(context.node, "has no inputs; one or more are needed");
  return {std::move(sequence)};
}

std::vector<Datum> at(const DataContext& context) {
  const auto& sequence = sequence_operand(context, 0);
  if (sequence.empty())
    refuse(context.node, "the sequence is empty; no position of it can be read");
  return {sequence[position(context, 1, sequence.size(), sequence.size() - 1)]};
}

std::vector<Datum> insert(const DataContext& context) {
  std::vector<Tensor> sequence = sequence_operand(context, 0);
  const Tensor& added = tensor_operand(context, 1);
  check_type(context.node, sequence, added);
  const std::size_t place = is_absent(context, 2)
                                ? sequence.size()
                                : position(context, 2, sequence.size(), sequence.size());
  sequence.insert(sequence.begin() + static_cast<std::ptrdiff_t>(place), added);
  return {std::move(sequence)};
}

std::vector<Datum> erase(const DataContext& context) {
  std::vector<Tensor> sequence = sequence_operand(context, 0);
  if (sequence.empty()) refuse(context.node, "the sequence is empty; nothing can be erased");
  const std::size_t last = sequence.size() - 1;
  const std::size_t place =
      is_absent(context, 1) ? last : position(context, 1, sequence.size(), last);
  sequence.erase(sequence.begin() + static_cast<std::ptrdiff_t>(place));
  return {std::move(sequence)};
}

std::vector<TensorType> infer_length(const InferContext&) {
  return {{ElementType::s64, Shape{}}};
}

std::vector<Datum> length(const DataContext& context) {
  return {Tensor::scalar(static_cast<std::int64_t>(sequence_operand(context, 0).size()))};
}

/// Extents of the parts along the split axis.
std::vector<std::int64_t> part_sizes(const DataContext& context, std::int64_t extent) {
  const Node& node = context.node;
  if (is_absent(context, 1)) return std::vector<std::int64_t>(static_cast<std::size_t>(extent), 1);
  const Tensor& split = tensor_operand(context, 1);
  if (split.rank() == 0) {
    const std::int64_t size = scalar_operand(context, 1);
    if (size <= 0) refuse(node, "parts of {} elements are asked for; one or more are needed", size);
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(extent / size), size);
    if (extent % size != 0) sizes.push_back(extent % size);
    return sizes;
  }
  std::vector<std::int64_t> sizes = integers_of(node, split, "the sizes of the parts");
  std::int64_t rest = extent;
  for (const std::int64_t size : sizes) {
    if (size < 0 || size > rest)
      refuse(node, "the parts do not add up to the {} elements of the axis", extent);
    rest -= size;
  }
  if (rest != 0) refuse(node, "the parts do not add up to the {} elements of the axis", extent);
  return sizes;
}

std::vector<Datum> split(const DataContext& context) {
  const Node& node = context.node;
  const Tensor& tensor = tensor_operand(context, 0);
  const int axis = normalize_axis(node, node.attributes.integer("axis", 0), tensor.rank());
  const bool keep = !is_absent(context, 1) || node.attributes.integer("keepdims", 1) != 0;
  std::vector<Tensor> sequence;
  std::int64_t first = 0;
  for (const std::int64_t size :
       part_sizes(context, tensor.shape()[static_cast<std::size_t>(axis)])) {
    sequence.push_back(take(node, tensor, axis, first, size, keep));
    first += size;
  }
  return {std::move(sequence)};
}

std::vector<Datum> concat(const DataContext& context) {
  const Node& node = context.node;
  const auto& sequence = sequence_operand(context, 0);
  if (sequence.empty()) refuse(node, "the sequence is empty; one tensor or more is needed");
  if (!node.attributes.has("axis")) refuse(node, "the attribute 'axis' is missing");
  return {join(node, sequence, node.attributes.integer("axis", 0),
               node.attributes.integer("new_axis", 0) != 0)};
}

std::vector<Datum> optional(const DataContext& context) {
  return {context.inputs.empty() ? Datum{} : context.inputs[0]};
}

std::vector<TensorType> infer_has_element(const InferContext&) {
  return {{ElementType::boolean, Shape{}}};
}

std::vector<Datum> has_element(const DataContext& context) {
  return {Tensor::scalar(!is_absent(context, 0))};
}

std::vector<Datum> get_element(const DataContext& context) {
  if (is_absent(context, 0)) refuse(context.node, "the optional holds nothing");
  return {context.inputs[0]};
}

}  // namespace

std::span<const Definition> sequence_definitions() {
  static const Definition definitions[] = {
      {.op = "SequenceEmpty", .infer = infer_nothing, .evaluate_data = empty_sequence},
      {.op = "SequenceConstruct", .infer = infer_nothing, .evaluate_data = construct},
      {.op = "SequenceAt", .infer = infer_nothing, .evaluate_data = at},
      {.op = "SequenceInsert", .infer = infer_nothing, .evaluate_data = insert},
      {.op = "SequenceErase", .infer = infer_nothing, .evaluate_data = erase},
      {.op = "SequenceLength", .infer = infer_length, .evaluate_data = length},
      {.op = "SplitToSequence", .infer = infer_nothing, .evaluate_data = split},
      {.op = "ConcatFromSequence", .infer = infer_nothing, .evaluate_data = concat},
      {.op = "Optional", .infer = infer_nothing, .evaluate_data = optional},
      {.op = "OptionalHasElement", .infer = infer_has_element, .evaluate_data = has_element},
      {.op = "OptionalGetElement", .infer = infer_nothing, .evaluate_data = get_element},
  };
  return definitions;
}

}  // namespace intact

// Element-wise operators behind a tensor that copies put together (the phases of a ConvTranspose)
// move in front of the copies: each part then has its own, which its product can take over, and the
// copies move the results, mostly bytes.
#include <algorithm>
#include <utility>

#include "engine/lower/lowering.hpp"

namespace intact {
namespace {

/// Reads one tensor, apart from constants that are the same for all pixels.
bool is_pointwise(const Program& program, const Operation& operation, TensorId x) {
  const bool one_operand = std::holds_alternative<FloatUnaryOperation>(operation.kind) ||
                           std::holds_alternative<QuantizeOperation>(operation.kind);
  if (!one_operand && !std::holds_alternative<FloatBinaryOperation>(operation.kind)) return false;
  const StoredTensor& whole = program.tensor(x);
  return std::all_of(operation.inputs.begin(), operation.inputs.end(), [&](TensorId id) {
    if (id == x) return true;
    const StoredTensor& constant = program.tensor(id);
    const std::int64_t elements = element_count(constant.shape);
    // One element, or one per channel in channels-last order.
    const std::size_t rank = whole.shape.size(), own = constant.shape.size();
    const bool per_channel = own + 1 >= rank && rank > 1 && own <= rank &&
                             constant.shape[own + 1 - rank] == whole.shape[1] &&
                             elements == whole.shape[1];
    return constant.constant.defined() && (elements == 1 || per_channel);
  });
}

/// Whether the operator means the same on a part: operands with one element per channel need parts
/// that have all channels.
bool applies_to(const Program& program, const Operation& operation, TensorId x, TensorId part) {
  const Shape& whole = program.tensor(x).shape;
  const Shape& own = program.tensor(part).shape;
  const bool all_channels = own.size() == whole.size() && (own.size() < 2 || own[1] == whole[1]);
  return all_channels ||
         std::all_of(operation.inputs.begin(), operation.inputs.end(), [&](TensorId id) {
           return id == x || element_count(program.tensor(id).shape) == 1;
         });
}

/// Copies that write `x` from parts of which each is read by its copy alone; empty for tensors that
/// are written in another way.
std::vector<std::size_t> copies_into(const Program& program, TensorId x) {
  std::vector<std::size_t> copies;
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const Operation& operation = program.operations[i];
    if (std::find(operation.outputs.begin(), operation.outputs.end(), x) == operation.outputs.end())
      continue;
    const auto* copy = std::get_if<CopyOperation>(&operation.kind);
    const StoredTensor& part = program.tensor(operation.inputs.at(0));
    if (copy == nullptr || copy->flip != 0 || copy->fill || part.root != no_tensor ||
        part.constant.defined() || part.layout != program.tensor(x).layout || !part.dense() ||
        copy->extents != part.shape)
      return {};
    copies.push_back(i);
  }
  const auto read_once = [&](std::size_t i) {
    const TensorId part = program.operations[i].inputs[0];
    std::size_t readers = 0;
    for (const Operation& operation : program.operations)
      readers += static_cast<std::size_t>(
          std::count(operation.inputs.begin(), operation.inputs.end(), part));
    return readers == 1;
  };
  return copies.size() > 1 && std::all_of(copies.begin(), copies.end(), read_once)
             ? copies
             : std::vector<std::size_t>{};
}

/// The only operation that reads `x`, which no one else sees; -1 otherwise.
int only_reader(const Program& program, TensorId x) {
  const auto& outputs = program.outputs;
  if (std::find(outputs.begin(), outputs.end(), x) != outputs.end()) return -1;
  for (const StoredTensor& tensor : program.tensors)
    if (tensor.root == x) return -1;
  int reader = -1;
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const auto& inputs = program.operations[i].inputs;
    if (std::find(inputs.begin(), inputs.end(), x) == inputs.end()) continue;
    if (reader >= 0) return -1;
    reader = static_cast<int>(i);
  }
  return reader;
}

/// The operator on one part, in front of its copy.
Operation on_part(Program& program, const Operation& whole, TensorId x, Operation& copy) {
  Operation operation = whole;
  const TensorId from = copy.inputs[0], to = whole.outputs[0];
  StoredTensor result = program.tensor(from);
  result.type = program.tensor(to).type;
  result.grid = program.tensor(to).grid;
  result.name = program.tensor(to).name + " of " + result.name;
  program.tensors.push_back(std::move(result));
  const auto target = static_cast<TensorId>(program.tensors.size() - 1);
  std::replace(operation.inputs.begin(), operation.inputs.end(), x, from);
  operation.outputs = {target};
  copy.inputs = {target};
  copy.outputs = {to};
  copy.precision = program.tensor(to).type == ElementType::f32 ? copy.precision : Precision::int8;
  if (copy.precision == Precision::int8) copy.reason.clear();
  return operation;
}

/// Moves the operator that reads `x` in front of the copies; returns its result, or no_tensor where
/// it stays.
TensorId split(Program& program, TensorId x) {
  if (program.tensor(x).type != ElementType::f32 || program.tensor(x).root != no_tensor)
    return no_tensor;
  const int reader = only_reader(program, x);
  if (reader < 0) return no_tensor;
  const Operation whole = program.operations[static_cast<std::size_t>(reader)];
  const TensorId result = whole.outputs[0];
  const StoredTensor& to = program.tensor(result);
  if (!is_pointwise(program, whole, x) || to.shape != program.tensor(x).shape ||
      to.layout != program.tensor(x).layout)
    return no_tensor;
  const std::vector<std::size_t> copies = copies_into(program, x);
  if (copies.empty() || copies.back() > static_cast<std::size_t>(reader) ||
      !std::all_of(copies.begin(), copies.end(), [&](std::size_t k) {
        return applies_to(program, whole, x, program.operations[k].inputs[0]);
      }))
    return no_tensor;
  program.operations.erase(program.operations.begin() + reader);
  for (std::size_t k = copies.size(); k-- > 0;) {
    Operation operation = on_part(program, whole, x, program.operations[copies[k]]);
    if (k > 0) operation.sources.clear();
    program.operations.insert(program.operations.begin() + static_cast<std::ptrdiff_t>(copies[k]),
                              std::move(operation));
  }
  return result;
}

}  // namespace

void split_copies(Program& program) {
  std::vector<int> writers(program.tensors.size(), 0);
  for (const Operation& operation : program.operations)
    for (const TensorId id : operation.outputs)
      if (id != no_tensor) ++writers[static_cast<std::size_t>(id)];
  // Tensors of several parts, each looked at once: at its first copy, which stays one.
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    if (!std::holds_alternative<CopyOperation>(program.operations[i].kind)) continue;
    const auto x = static_cast<std::size_t>(program.operations[i].outputs[0]);
    if (x >= writers.size() || writers[x] < 2) continue;
    const int parts = std::exchange(writers[x], 0);
    const TensorId result = split(program, static_cast<TensorId>(x));
    if (result != no_tensor) writers[static_cast<std::size_t>(result)] = parts;
  }
}

}  // namespace intact

// Element-wise operators behind a tensor that copies put together (the phases of a ConvTranspose)
// move in front of the copies: each part then has its own, which its product can take over, and the
// copies move the results, mostly bytes.
#include <algorithm>
#include <utility>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

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

class Splitting {
 public:
  explicit Splitting(Program& program)
      : program_(program), uses_(program), in_front_(program.operations.size() + 1) {}

  void run() {
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      const Operation& copy = program_.operations[i];
      if (!std::holds_alternative<CopyOperation>(copy.kind)) continue;
      while (split(copy.outputs[0])) continue;
    }
    insert_operations(program_, std::move(in_front_));
    erase_empty(program_);
  }

 private:
  /// Copies that write `x` from parts of which each is read by its copy alone; empty for tensors
  /// that are written in another way.
  std::vector<std::size_t> copies_into(TensorId x) const {
    const auto& writers = uses_.writers[static_cast<std::size_t>(x)];
    if (writers.size() < 2) return {};
    for (const int writer : writers) {
      const Operation& operation = program_.operations[static_cast<std::size_t>(writer)];
      const auto* copy = std::get_if<CopyOperation>(&operation.kind);
      if (copy == nullptr) return {};
      const StoredTensor& part = program_.tensor(operation.inputs[0]);
      if (copy->flip != 0 || copy->fill || part.root != no_tensor || part.constant.defined() ||
          part.layout != program_.tensor(x).layout || !part.dense() ||
          copy->extents != part.shape ||
          uses_.readers[static_cast<std::size_t>(operation.inputs[0])].size() != 1)
        return {};
    }
    std::vector<std::size_t> copies(writers.begin(), writers.end());
    std::ranges::sort(copies);
    return copies;
  }

  /// The only operation that reads `x`, which no one else sees; -1 otherwise.
  int only_reader(TensorId x) const {
    const auto& readers = uses_.readers[static_cast<std::size_t>(x)];
    const bool one = !readers.empty() && !uses_.shared[static_cast<std::size_t>(x)] &&
                     std::ranges::all_of(readers, [&](int i) { return i == readers[0]; });
    return one ? readers[0] : -1;
  }

  /// Moves the operator that reads `x` in front of the copies that write x; false where it stays.
  bool split(TensorId x) {
    if (program_.tensor(x).type != ElementType::f32 || program_.tensor(x).root != no_tensor)
      return false;
    const int reader = only_reader(x);
    if (reader < 0) return false;
    Operation& whole = program_.operations[static_cast<std::size_t>(reader)];
    const StoredTensor& to = program_.tensor(whole.outputs[0]);
    if (!is_pointwise(program_, whole, x) || to.shape != program_.tensor(x).shape ||
        to.layout != program_.tensor(x).layout)
      return false;
    const std::vector<std::size_t> copies = copies_into(x);
    if (copies.empty() || copies.back() > static_cast<std::size_t>(reader) ||
        !std::all_of(copies.begin(), copies.end(), [&](std::size_t k) {
          return applies_to(program_, whole, x, program_.operations[k].inputs[0]);
        }))
      return false;
    for (const std::size_t k : copies) {
      Operation& copy = program_.operations[k];
      uses_.remove(program_, k);
      in_front_[k].push_back(on_part(program_, whole, x, copy));
      uses_.add(program_, k);
      if (k != copies.front()) in_front_[k].back().sources.clear();
    }
    uses_.remove(program_, static_cast<std::size_t>(reader));
    whole = {};
    return true;
  }

  Program& program_;
  Uses uses_;
  std::vector<std::vector<Operation>> in_front_;  ///< each operation: to be inserted before it
};

}  // namespace

void split_copies(Program& program) {
  Splitting(program).run();
}

}  // namespace intact

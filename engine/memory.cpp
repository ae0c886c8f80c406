// Greedy placement by size: the largest tensors first, each at the lowest offset that is free
// during its lifetime.
#include "engine/memory.hpp"

#include <algorithm>
#include <numeric>

#include "core/checked.hpp"
#include "engine/line_blocks.hpp"
#include "engine/row_blocks.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

struct Lifetime {
  int first = -1, last = -1;
  std::int64_t bytes = 0;
  std::int64_t offset = -1;
};

std::int64_t stored_bytes(const StoredTensor& tensor) {
  constexpr std::int64_t slack = 64;
  std::int64_t bytes = 0;
  if (!checked_multiply(tensor.rows(), tensor.pitch(), &bytes) ||
      !checked_multiply(bytes, static_cast<std::int64_t>(element_size(tensor.type)), &bytes) ||
      !checked_add(bytes, 2 * slack, &bytes))
    throw Error("'" + tensor.name + "' of shape " + to_string(tensor.shape) + " is too large");
  return bytes / slack * slack;
}

class Placement {
 public:
  explicit Placement(const Program& program)
      : program_(program), home_(program.tensors.size()), lifetimes_(program.tensors.size()) {
    for (std::size_t i = 0; i < home_.size(); ++i)
      home_[i] = program.root(static_cast<TensorId>(i));
  }

  MemoryPlan run() {
    measure();
    reuse_in_place();
    return place();
  }

 private:
  Lifetime& lifetime(TensorId id) { return lifetimes_[static_cast<std::size_t>(home(id))]; }
  TensorId home(TensorId id) const {
    TensorId at = home_[static_cast<std::size_t>(id)];
    while (home_[static_cast<std::size_t>(at)] != at) at = home_[static_cast<std::size_t>(at)];
    return at;
  }
  bool external(TensorId id) const {
    return program_.tensor(id).constant.defined() ||
           std::find(program_.inputs.begin(), program_.inputs.end(), id) != program_.inputs.end();
  }

  void touch(TensorId id, int time) {
    if (id == no_tensor) return;
    Lifetime& life = lifetime(id);
    if (life.first < 0) life.first = time;
    life.last = std::max(life.last, time);
  }

  void touch(const Operation& operation, int time) {
    for (const TensorId id : operation.inputs) touch(id, time);
    for (const TensorId id : operation.outputs) touch(id, time);
  }

  void measure() {
    const int count = static_cast<int>(program_.operations.size());
    for (int i = 0; i < count; ++i) {
      const Operation& operation = program_.operations[static_cast<std::size_t>(i)];
      touch(operation, i);
      const auto* group = std::get_if<GroupOperation>(&operation.kind);
      if (group != nullptr && !row_blocks(program_, operation) && !line_blocks(program_, operation))
        for (const Operation& part : group->parts) touch(part, i);
    }
    for (const TensorId id : program_.outputs) touch(id, count);
    for (std::size_t i = 0; i < lifetimes_.size(); ++i)
      if (home_[i] == static_cast<TensorId>(i))
        lifetimes_[i].bytes = stored_bytes(program_.tensors[i]);
  }

  /// Operations that may write over an operand element by element.
  static bool element_by_element(const Operation& operation, std::size_t input) {
    if (const auto* conv = std::get_if<ConvOperation>(&operation.kind))
      return input == 1 && conv->residual.has_value();
    // A chain stores results before it has read all of its operands.
    const auto chained = [](const auto& kind) {
      if constexpr (requires { kind.chain; }) return !kind.chain.empty();
      return false;
    };
    if (std::visit(chained, operation.kind)) return false;
    return std::holds_alternative<ByteBinaryOperation>(operation.kind) ||
           std::holds_alternative<ByteSumOperation>(operation.kind) ||
           std::holds_alternative<AffineOperation>(operation.kind) ||
           std::holds_alternative<TableOperation>(operation.kind) ||
           std::holds_alternative<FloatBinaryOperation>(operation.kind) ||
           std::holds_alternative<FloatUnaryOperation>(operation.kind);
  }

  /// Another operand reads the same memory, and not element by element along with this one: x +
  /// Conv(x).
  bool read_elsewhere(const Operation& operation, std::size_t input) const {
    const TensorId own = operation.inputs[input];
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
      const TensorId other = operation.inputs[i];
      const bool along = other == own && element_by_element(operation, i);
      if (i != input && home(other) == home(own) && !along) return true;
    }
    return false;
  }

  bool can_take_place(const Operation& operation, std::size_t input, int time) {
    const TensorId from = operation.inputs[input], to = operation.outputs[0];
    const StoredTensor& a = program_.tensor(from);
    const StoredTensor& b = program_.tensor(to);
    if (!element_by_element(operation, input) || read_elsewhere(operation, input)) return false;
    if (a.root != no_tensor || b.root != no_tensor || external(from)) return false;
    if (a.type != b.type || a.shape != b.shape || a.layout != b.layout || a.pitch() != b.pitch())
      return false;
    return lifetime(from).last == time && lifetime(to).first == time && home(from) != home(to);
  }

  void reuse_in_place() {
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      const Operation& operation = program_.operations[i];
      for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
        if (!can_take_place(operation, k, static_cast<int>(i))) continue;
        const TensorId from = home(operation.inputs[k]), to = home(operation.outputs[0]);
        Lifetime& kept = lifetimes_[static_cast<std::size_t>(from)];
        kept.last = lifetimes_[static_cast<std::size_t>(to)].last;
        home_[static_cast<std::size_t>(to)] = from;
        break;
      }
    }
  }

  MemoryPlan place() {
    std::vector<TensorId> order;
    for (std::size_t i = 0; i < home_.size(); ++i) {
      const auto id = static_cast<TensorId>(i);
      if (home_[i] == id && !external(id) && lifetimes_[i].first >= 0) order.push_back(id);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](TensorId a, TensorId b) { return lifetime(a).bytes > lifetime(b).bytes; });
    MemoryPlan plan;
    std::vector<const Lifetime*> placed;  // by offset
    for (const TensorId id : order) {
      Lifetime& life = lifetime(id);
      life.offset = lowest_free(life, placed);
      std::int64_t end = 0;
      if (!checked_add(life.offset, life.bytes, &end))
        throw Error("'" + program_.tensor(id).name + "' of shape " +
                    to_string(program_.tensor(id).shape) +
                    " is too large beside the tensors that are alive at the same time");
      const auto at = std::upper_bound(
          placed.begin(), placed.end(), life.offset,
          [](std::int64_t offset, const Lifetime* other) { return offset < other->offset; });
      placed.insert(at, &life);
      plan.arena_bytes = std::max(plan.arena_bytes, end);
    }
    plan.offset.assign(home_.size(), -1);
    for (std::size_t i = 0; i < home_.size(); ++i) {
      const auto id = static_cast<TensorId>(i);
      if (program_.tensors[i].root == no_tensor && !external(id))
        plan.offset[i] = lifetime(id).offset;
    }
    return plan;
  }

  static std::int64_t lowest_free(const Lifetime& life,
                                  const std::vector<const Lifetime*>& placed) {
    std::int64_t offset = 0;
    for (const Lifetime* other : placed) {
      if (other->last < life.first || other->first > life.last) continue;
      if (other->offset - offset >= life.bytes) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    return offset;
  }

  const Program& program_;
  std::vector<TensorId> home_;  ///< the tensor whose memory a tensor uses, chained
  std::vector<Lifetime> lifetimes_;
};

}  // namespace

MemoryPlan place_tensors(const Program& program) {
  return Placement(program).run();
}

}  // namespace intact

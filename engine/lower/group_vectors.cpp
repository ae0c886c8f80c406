// Operations between which vectors of floats pass (numbers per channel, as in squeeze-and-excite)
// become one step: the vectors stay in the cache of that step, and whatever else it reads and
// writes are bytes. The operations themselves and their order remain.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "engine/lower/group.hpp"
#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

constexpr std::int64_t most_vectors = 64;
constexpr std::int64_t most_elements = std::int64_t{1} << 15;

/// Computed floats, or sums of such, along one axis besides the first.
bool is_vector(const StoredTensor& tensor) {
  if ((tensor.type != ElementType::f32 && !tensor.sums) || tensor.constant.defined() ||
      tensor.shape.size() < 2 || tensor.shape[0] > most_vectors ||
      element_count(tensor.shape) > most_elements || element_count(tensor.shape) < 2)
    return false;
  return std::count_if(tensor.shape.begin() + 1, tensor.shape.end(),
                       [](std::int64_t extent) { return extent != 1; }) <= 1;
}

/// Runs among the threads of the parallel region.
bool shares_threads(const OperationKind& kind) {
  return !std::holds_alternative<FloatConvOperation>(kind) &&
         !std::holds_alternative<FloatMatMulOperation>(kind) &&
         !std::holds_alternative<FloatPoolOperation>(kind) &&
         !std::holds_alternative<ReferenceOperation>(kind) &&
         !std::holds_alternative<RecurrentOperation>(kind);
}

/// Sets of operations, joined by the vectors that they write and read.
class Grouping {
 public:
  explicit Grouping(Program& program)
      : program_(program), leader_(program.operations.size()), vectors_(program.tensors.size()) {
    std::iota(leader_.begin(), leader_.end(), std::size_t{0});
    find_vectors();
    std::map<TensorId, std::size_t> first;
    for (std::size_t i = 0; i < program.operations.size(); ++i)
      for (const TensorId id : touched(program.operations[i])) {
        const TensorId root = program.root(id);
        if (!is_inner(root)) continue;
        const auto [known, added] = first.try_emplace(root, i);
        if (!added) leader_[find(i)] = find(known->second);
      }
  }

  void run() {
    std::map<std::size_t, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < program_.operations.size(); ++i) groups[find(i)].push_back(i);
    for (const auto& [leader, members] : groups)
      if (members.size() > 1 && joins_bytes(members) && can_meet(members)) join(members);
    erase_empty(program_);
  }

 private:
  /// A product of two activations, whose reason to be float has to be seen.
  bool multiplies_activations(const Operation& operation) const {
    return std::holds_alternative<FloatProductOperation>(operation.kind) &&
           !program_.tensor(operation.inputs[0]).constant.defined() &&
           !program_.tensor(operation.inputs[1]).constant.defined();
  }
  static std::vector<TensorId> touched(const Operation& operation) {
    std::vector<TensorId> ids = operation.inputs;
    ids.insert(ids.end(), operation.outputs.begin(), operation.outputs.end());
    std::erase(ids, no_tensor);
    return ids;
  }

  std::size_t find(std::size_t i) const {
    while (leader_[i] != i) i = leader_[i];
    return i;
  }
  bool is_inner(TensorId root) const { return vectors_[static_cast<std::size_t>(root)]; }

  /// Vectors that no one else sees and that are written among the operations that may share a step.
  void find_vectors() {
    for (std::size_t i = 0; i < vectors_.size(); ++i)
      vectors_[i] = program_.tensors[i].root == no_tensor && is_vector(program_.tensors[i]);
    for (std::size_t i = 0; i < vectors_.size(); ++i)
      if (program_.tensors[i].root != no_tensor && !is_vector(program_.tensors[i]))
        vectors_[static_cast<std::size_t>(program_.root(static_cast<TensorId>(i)))] = false;
    for (const auto* ids : {&program_.inputs, &program_.outputs})
      for (const TensorId id : *ids) vectors_[static_cast<std::size_t>(program_.root(id))] = false;
    for (const Operation& operation : program_.operations)
      if (!shares_threads(operation.kind) || multiplies_activations(operation))
        for (const TensorId id : touched(operation))
          vectors_[static_cast<std::size_t>(program_.root(id))] = false;
  }

  /// The vectors come from an integer operation and lead to one.
  bool joins_bytes(const std::vector<std::size_t>& members) const {
    const auto any = [&](std::vector<TensorId> Operation::*side) {
      return std::any_of(members.begin(), members.end(), [&](std::size_t i) {
        const Operation& operation = program_.operations[i];
        const auto& ids = operation.*side;
        return operation.precision == Precision::int8 &&
               std::any_of(ids.begin(), ids.end(), [&](TensorId id) {
                 return id != no_tensor && is_inner(program_.root(id));
               });
      });
    };
    return any(&Operation::outputs) && any(&Operation::inputs);
  }

  /// All can run where the last one does: no one in between needs what they write.
  bool can_meet(const std::vector<std::size_t>& members) const {
    std::set<TensorId> written;
    auto member = members.begin();
    for (std::size_t i = members.front(); i < members.back(); ++i) {
      const Operation& operation = program_.operations[i];
      if (i == *member) {
        ++member;
        for (const TensorId id : operation.outputs)
          if (id != no_tensor) written.insert(program_.root(id));
      } else if (const auto ids = touched(operation);
                 std::any_of(ids.begin(), ids.end(),
                             [&](TensorId id) { return written.contains(program_.root(id)); })) {
        return false;
      }
    }
    return true;
  }

  void join(const std::vector<std::size_t>& members) {
    program_.operations[members.back()] =
        take_group(program_, members, [&](TensorId id) { return is_inner(program_.root(id)); });
  }

  Program& program_;
  std::vector<std::size_t> leader_;
  std::vector<bool> vectors_;  ///< by root
};

}  // namespace

void group_vectors(Program& program) {
  Grouping(program).run();
}

}  // namespace intact

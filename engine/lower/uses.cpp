// Who writes and reads each stored tensor.
#include "engine/lower/uses.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace intact {
namespace {

std::size_t at(TensorId id) {
  return static_cast<std::size_t>(id);
}

void drop(std::vector<int>& operations, std::size_t operation) {
  const auto found = std::find(operations.begin(), operations.end(), static_cast<int>(operation));
  if (found != operations.end()) operations.erase(found);
}

}  // namespace

Uses::Uses(const Program& program)
    : writers(program.tensors.size()),
      readers(program.tensors.size()),
      shared(program.tensors.size()) {
  for (std::size_t i = 0; i < program.operations.size(); ++i) add(program, i);
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    if (program.tensors[i].constant.defined()) shared[i] = true;
    add_view(program, static_cast<TensorId>(i));
  }
  for (const TensorId id : program.inputs) shared[at(id)] = true;
  for (const TensorId id : program.outputs) shared[at(id)] = true;
}

int Uses::writer_of_single_use(TensorId id) const {
  const std::size_t i = at(id);
  return !shared[i] && readers[i].size() == 1 && writers[i].size() == 1 ? writers[i][0] : -1;
}

void Uses::remove(const Program& program, std::size_t operation) {
  for (const TensorId id : program.operations[operation].inputs) drop(readers[at(id)], operation);
  for (const TensorId id : program.operations[operation].outputs)
    if (id != no_tensor) drop(writers[at(id)], operation);
}

void Uses::add(const Program& program, std::size_t operation) {
  writers.resize(program.tensors.size());
  readers.resize(program.tensors.size());
  for (std::size_t i = shared.size(); i < program.tensors.size(); ++i)
    shared.push_back(program.tensors[i].constant.defined());
  for (const TensorId id : program.operations[operation].inputs)
    readers[at(id)].push_back(static_cast<int>(operation));
  for (const TensorId id : program.operations[operation].outputs)
    if (id != no_tensor) writers[at(id)].push_back(static_cast<int>(operation));
}

void Uses::add_view(const Program& program, TensorId id) {
  if (program.tensor(id).root == no_tensor) return;
  shared[at(id)] = true;
  shared[at(program.tensor(id).root)] = true;
}

void insert_operations(Program& program, std::vector<std::vector<Operation>> added) {
  std::vector<Operation> operations;
  for (std::size_t i = 0; i < added.size(); ++i) {
    std::ranges::move(added[i], std::back_inserter(operations));
    if (i < program.operations.size()) operations.push_back(std::move(program.operations[i]));
  }
  program.operations = std::move(operations);
}

void erase_empty(Program& program) {
  std::erase_if(program.operations,
                [](const Operation& operation) { return operation.outputs.empty(); });
}

}  // namespace intact

// Who writes and reads each stored tensor.
#include "engine/lower/uses.hpp"

namespace intact {

Uses::Uses(const Program& program)
    : writers(program.tensors.size()),
      readers(program.tensors.size()),
      shared(program.tensors.size()) {
  const auto at = [](TensorId id) { return static_cast<std::size_t>(id); };
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    for (const TensorId id : program.operations[i].inputs)
      readers[at(id)].push_back(static_cast<int>(i));
    for (const TensorId id : program.operations[i].outputs)
      if (id != no_tensor) writers[at(id)].push_back(static_cast<int>(i));
  }
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    if (program.tensors[i].constant.defined()) shared[i] = true;
    if (program.tensors[i].root == no_tensor) continue;
    shared[i] = true;
    shared[at(program.tensors[i].root)] = true;
  }
  for (const TensorId id : program.inputs) shared[at(id)] = true;
  for (const TensorId id : program.outputs) shared[at(id)] = true;
}

int Uses::writer_of_single_use(TensorId id) const {
  const auto i = static_cast<std::size_t>(id);
  return !shared[i] && readers[i].size() == 1 && writers[i].size() == 1 ? writers[i][0] : -1;
}

void erase_empty(Program& program) {
  std::erase_if(program.operations,
                [](const Operation& operation) { return operation.outputs.empty(); });
}

}  // namespace intact

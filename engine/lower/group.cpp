// What the passes that make groups share.
#include "engine/lower/group.hpp"

#include <algorithm>
#include <utility>

#include "core/checked.hpp"

namespace intact {

Operation take_group(Program& program, const std::vector<std::size_t>& members,
                     const std::function<bool(TensorId)>& inner) {
  Operation step;
  GroupOperation group;
  for (const std::size_t i : members) {
    Operation& part = program.operations[i];
    for (const TensorId id : part.outputs)
      if (id != no_tensor && !inner(id)) step.outputs.push_back(id);
    for (const TensorId id : part.inputs)
      if (!inner(id)) step.inputs.push_back(id);
    step.sources.insert(step.sources.end(), part.sources.begin(), part.sources.end());
    step.macs = saturating_sum(step.macs, part.macs);
    if (part.op != "Quantize" && part.op != "Dequantize" && part.op != "Layout")
      step.op += (step.op.empty() ? "" : "+") + part.op;
    group.parts.push_back(std::exchange(part, {}));
  }
  // Bytes that pass from part to part are not read from outside.
  std::erase_if(step.inputs, [&](TensorId id) {
    return std::find(step.outputs.begin(), step.outputs.end(), id) != step.outputs.end();
  });
  step.name = group.parts.front().name;
  step.kind = std::move(group);
  return step;
}

}  // namespace intact

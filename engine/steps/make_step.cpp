// From operations to steps.
#include <cstdlib>

#include "engine/steps/steps.hpp"

namespace intact {

WeightCache::Block WeightCache::allocate(std::size_t bytes) {
  const std::size_t rounded = (bytes + 127) / 64 * 64;
  void* memory = std::aligned_alloc(64, rounded);
  if (memory == nullptr) throw Error(fmt::format("no memory for {} bytes of weights", bytes));
  return Block(static_cast<std::byte*>(memory), std::free);
}

std::unique_ptr<Step> make_step(StepContext& context, Operation& operation) {
  auto step =
      std::visit([&](auto& kind) { return make(context, operation, kind); }, operation.kind);
  step->name = operation.name;
  step->op = operation.op;
  step->sources = operation.sources;
  step->precision = operation.precision;
  step->reason = operation.reason;
  step->macs = operation.macs;
  step->inputs = operation.inputs;
  step->outputs = operation.outputs;
  return step;
}

}  // namespace intact

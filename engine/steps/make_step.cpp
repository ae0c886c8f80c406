// From operations to steps.
#include "engine/steps/onednn.hpp"

namespace intact {

namespace {

std::int64_t bytes_of(const Program& program, TensorId id) {
  if (id == no_tensor || program.tensor(id).constant.defined()) return 0;
  const StoredTensor& tensor = program.tensor(id);
  return element_count(tensor.shape) * static_cast<std::int64_t>(element_size(tensor.type));
}

}  // namespace

std::unique_ptr<Step> make_step(StepContext& context, Operation& operation) {
  std::unique_ptr<Step> step;
  try {
    step = std::visit([&](auto& kind) { return make(context, operation, kind); }, operation.kind);
  } catch (const dnnl::error& error) {
    throw Unsupported(
        fmt::format("'{}': oneDNN does not support this form: {}", operation.name, error.what()));
  }
  step->name = operation.name;
  step->op = operation.op;
  step->sources = operation.sources;
  step->precision = operation.precision;
  step->reason = operation.reason;
  step->macs = operation.macs;
  step->inputs = operation.inputs;
  step->outputs = operation.outputs;
  for (const auto* tensors : {&operation.inputs, &operation.outputs})
    for (const TensorId id : *tensors) step->bytes += bytes_of(context.program, id);
  return step;
}

}  // namespace intact

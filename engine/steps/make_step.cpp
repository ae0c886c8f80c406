// From operations to steps.
#include <algorithm>
#include <utility>

#include "engine/steps/onednn.hpp"

namespace intact {

namespace {

std::int64_t bytes_of(const Program& program, TensorId id) {
  if (id == no_tensor || program.tensor(id).constant.defined()) return 0;
  const StoredTensor& tensor = program.tensor(id);
  return element_count(tensor.shape) * static_cast<std::int64_t>(element_size(tensor.type));
}

/// A step whose threads add to sums, which are cleared first.
class ClearingStep : public Step {
 public:
  ClearingStep(const Program& program, const std::vector<FloatChain::Sum>& sums,
               std::unique_ptr<Step> step)
      : step_(std::move(step)) {
    for (const FloatChain::Sum& sum : sums)
      sums_.emplace_back(sum.sums, element_count(program.tensor(sum.sums).shape));
    kernel = step_->kernel;
    isa = step_->isa;
    scratch_bytes = step_->scratch_bytes;
  }

  int phases() const override { return 1 + step_->phases(); }
  void run_phase(int phase, const Frame& frame, Part part) const override {
    if (phase > 0) return step_->run_phase(phase - 1, frame, part);
    for (const auto& [sums, count] : sums_) {
      const Range range = split(count, part);
      std::fill(frame.at<double>(sums) + range.begin, frame.at<double>(sums) + range.end, 0.0);
    }
  }
  void run(const Frame& frame, Part part) const override { step_->run(frame, part); }

 private:
  std::unique_ptr<Step> step_;
  std::vector<std::pair<TensorId, std::int64_t>> sums_;
};

}  // namespace

std::unique_ptr<Step> make_step(StepContext& context, Operation& operation) {
  std::unique_ptr<Step> step;
  const FloatChain* chain = chain_of(operation.kind);
  const std::vector<FloatChain::Sum> sums = chain ? chain->sums : std::vector<FloatChain::Sum>{};
  try {
    step = std::visit([&](auto& kind) { return make(context, operation, kind); }, operation.kind);
  } catch (const dnnl::error& error) {
    throw Unsupported(
        fmt::format("'{}': oneDNN does not support this form: {}", operation.name, error.what()));
  }
  if (!sums.empty()) step = std::make_unique<ClearingStep>(context.program, sums, std::move(step));
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

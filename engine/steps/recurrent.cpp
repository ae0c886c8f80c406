// LSTM: one sequence per direction and batch entry, divided over threads.
#include "kernels/recurrent/recurrent.hpp"

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class LstmStep : public Step {
 public:
  LstmStep(const kernels::LstmKernel& kernel, const Program& program, const Operation& operation,
           LstmOperation lstm)
      : run_(kernel.run), lstm_(std::move(lstm)), tensors_(operation.inputs) {
    const Shape& x = program.tensor(operation.inputs[0]).shape;
    steps_ = x[0];
    batch_ = x[1];
    results_ = operation.outputs;
    results_.resize(3, no_tensor);
    scratch_bytes = static_cast<std::size_t>(kernels::lstm_scratch(lstm_.hidden)) * sizeof(float);
  }

  void run(const Frame& frame, Part part) const override {
    const auto count = std::ssize(lstm_.directions) * batch_;
    const Range range = split(count, part);
    kernels::LstmArgs args;
    args.input = lstm_.input;
    args.hidden = lstm_.hidden;
    args.count = 1;
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    for (long i = range.begin; i < range.end; ++i) {
      const kernels::LstmSequence sequence = sequence_of(frame, i / batch_, i % batch_);
      args.sequences = &sequence;
      run_(args, {});
    }
  }

 private:
  /// Layout 0: X [steps, batch, input], Y [steps, directions, batch, hidden], states [directions,
  /// batch, hidden].
  kernels::LstmSequence sequence_of(const Frame& frame, std::int64_t d, std::int64_t b) const {
    const std::int64_t hidden = lstm_.hidden;
    const std::int64_t row = std::ssize(lstm_.directions) * batch_ * hidden;
    const std::int64_t state = (d * batch_ + b) * hidden;
    const LstmOperation::Direction& direction = lstm_.directions[static_cast<std::size_t>(d)];
    kernels::LstmSequence sequence;
    sequence.steps = steps_;
    sequence.weights = direction.weights.data();
    sequence.bias = direction.bias.data();
    sequence.x = frame.at<float>(tensors_[0]) + b * lstm_.input;
    sequence.x_pitch = batch_ * lstm_.input;
    std::size_t operand = 1;
    if (lstm_.has_first_h) sequence.first_h = frame.at<float>(tensors_[operand++]) + state;
    if (lstm_.has_first_c) sequence.first_c = frame.at<float>(tensors_[operand]) + state;
    if (results_[0] != no_tensor) sequence.y = frame.at<float>(results_[0]) + state;
    sequence.y_pitch = row;
    if (results_[1] != no_tensor) sequence.last_h = frame.at<float>(results_[1]) + state;
    if (results_[2] != no_tensor) sequence.last_c = frame.at<float>(results_[2]) + state;
    if (lstm_.reverse || d == 1) {
      sequence.x += (steps_ - 1) * sequence.x_pitch;
      sequence.x_pitch = -sequence.x_pitch;
      if (sequence.y != nullptr) sequence.y += (steps_ - 1) * sequence.y_pitch;
      sequence.y_pitch = -sequence.y_pitch;
    }
    return sequence;
  }

  void (*run_)(const kernels::LstmArgs&, Part);
  LstmOperation lstm_;
  std::int64_t steps_ = 0, batch_ = 0;
  std::vector<TensorId> tensors_, results_;  ///< results: Y, Y_h, Y_c
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, LstmOperation& lstm) {
  const auto& kernel = select_kernel(kernels::lstm_kernels(), context.isa);
  auto step = std::make_unique<LstmStep>(kernel, context.program, operation, std::move(lstm));
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

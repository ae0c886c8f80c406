// LSTM, GRU, RNN: one sequence per direction and batch entry, divided over threads.
#include "kernels/recurrent/recurrent.hpp"

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

using kernels::ByteLstmSequence;
using kernels::FloatSequence;

/// `Form`: of its sequences.
template <class Form>
class RecurrentStep : public Step {
 public:
  using Kernel = kernels::RecurrentKernelOf<Form>;
  RecurrentStep(const Kernel& kernel, const Program& program, const Operation& operation,
                RecurrentOperation recurrence)
      : run_(kernel.run), operation_(std::move(recurrence)), tensors_(operation.inputs) {
    const Shape& x = program.tensor(operation.inputs[0]).shape;
    steps_ = x[0];
    batch_ = x[1];
    results_ = operation.outputs;
    results_.resize(3, no_tensor);
    const std::int64_t floats =
        on_bytes ? kernels::byte_lstm_scratch(operation_.hidden)
                 : kernels::recurrent_scratch(operation_.cell, operation_.hidden);
    scratch_bytes = static_cast<std::size_t>(floats) * sizeof(float);
    this->kernel = kernel.name;
    isa = kernel.isa;
  }

  void run(const Frame& frame, Part part) const override {
    const Range range = split(directions() * batch_, part);
    kernels::RecurrentArgsOf<Form> args;
    args.input = operation_.input;
    args.hidden = operation_.hidden;
    args.cell = operation_.cell;
    args.count = 1;
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    for (long i = range.begin; i < range.end; ++i) {
      const Form sequence = sequence_of(frame, i / batch_, i % batch_);
      args.sequences = &sequence;
      run_(args, {});
    }
  }

 private:
  static constexpr bool on_bytes = std::is_same_v<Form, ByteLstmSequence>;

  std::int64_t directions() const {
    return std::ssize(operation_.directions) + std::ssize(operation_.byte_directions);
  }

  /// What the steps of one sequence read, first step first.
  void set_operands(FloatSequence& sequence, const float* x, std::int64_t d, std::int64_t b) const {
    const RecurrentOperation::Direction& direction =
        operation_.directions[static_cast<std::size_t>(d)];
    sequence.weights = direction.weights.data<float>().data();
    sequence.bias = direction.bias.data<float>().data();
    sequence.state_bias = sequence.bias + kernels::gate_count(operation_.cell) *
                                              kernels::unit_pitch(operation_.hidden);
    sequence.x = x + b * operation_.input;
    sequence.x_pitch = batch_ * operation_.input;
    if (backwards(d)) reverse(sequence.x, sequence.x_pitch);
  }
  void set_operands(ByteLstmSequence& sequence, const float* starts, std::int64_t d,
                    std::int64_t b) const {
    const auto& direction = operation_.byte_directions[static_cast<std::size_t>(d)];
    sequence.weights = {direction.weights.data(), direction.scale.data(), direction.sum.data(),
                        direction.zero_point.empty() ? nullptr : direction.zero_point.data()};
    const std::int64_t row = 4 * kernels::unit_pitch(operation_.hidden);
    sequence.start = starts + (b * directions() + d) * row;
    sequence.start_pitch = batch_ * directions() * row;
    if (backwards(d)) reverse(sequence.start, sequence.start_pitch);
  }

  bool backwards(std::int64_t d) const { return operation_.reverse || d == 1; }
  template <class Pointer>
  void reverse(Pointer& first, std::ptrdiff_t& pitch) const {
    first += (steps_ - 1) * pitch;
    pitch = -pitch;
  }

  /// Layout 0: Y [steps, directions, batch, hidden], states [directions, batch, hidden].
  Form sequence_of(const Frame& frame, std::int64_t d, std::int64_t b) const {
    const std::int64_t hidden = operation_.hidden, state = (d * batch_ + b) * hidden;
    Form sequence;
    sequence.steps = steps_;
    set_operands(sequence, frame.at<float>(tensors_[0]), d, b);
    std::size_t operand = 1;
    if (operation_.has_first_h) sequence.first_h = frame.at<float>(tensors_[operand++]) + state;
    if (operation_.has_first_c) sequence.first_c = frame.at<float>(tensors_[operand]) + state;
    sequence.y_pitch = directions() * batch_ * hidden;
    if (results_[0] != no_tensor) {
      sequence.y = frame.at<float>(results_[0]) + state;
      if (backwards(d)) reverse(sequence.y, sequence.y_pitch);
    }
    if (results_[1] != no_tensor) sequence.last_h = frame.at<float>(results_[1]) + state;
    if (results_[2] != no_tensor) sequence.last_c = frame.at<float>(results_[2]) + state;
    return sequence;
  }

  void (*run_)(const kernels::RecurrentArgsOf<Form>&, Part);
  RecurrentOperation operation_;
  std::int64_t steps_ = 0, batch_ = 0;
  std::vector<TensorId> tensors_, results_;  ///< results: Y, Y_h, Y_c
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           RecurrentOperation& recurrence) {
  if (!recurrence.byte_directions.empty())
    return std::make_unique<RecurrentStep<ByteLstmSequence>>(
        select_kernel(kernels::byte_lstm_kernels(), context.isa), context.program, operation,
        std::move(recurrence));
  return std::make_unique<RecurrentStep<FloatSequence>>(
      select_kernel(kernels::recurrent_kernels(), context.isa), context.program, operation,
      std::move(recurrence));
}

}  // namespace intact

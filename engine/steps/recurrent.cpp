// LSTM: one sequence per direction and batch entry, divided over threads.
#include "kernels/recurrent/recurrent.hpp"

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

using kernels::ByteLstmSequence;
using kernels::FloatLstmSequence;

/// `Sequence`: the form.
template <class Sequence>
class LstmStep : public Step {
 public:
  using Kernel = kernels::LstmKernelOf<Sequence>;
  LstmStep(const Kernel& kernel, const Program& program, const Operation& operation,
           LstmOperation lstm)
      : run_(kernel.run), lstm_(std::move(lstm)), tensors_(operation.inputs) {
    const Shape& x = program.tensor(operation.inputs[0]).shape;
    steps_ = x[0];
    batch_ = x[1];
    results_ = operation.outputs;
    results_.resize(3, no_tensor);
    const std::int64_t floats =
        on_bytes ? kernels::byte_lstm_scratch(lstm_.hidden) : kernels::lstm_scratch(lstm_.hidden);
    scratch_bytes = static_cast<std::size_t>(floats) * sizeof(float);
    this->kernel = kernel.name;
    isa = kernel.isa;
  }

  void run(const Frame& frame, Part part) const override {
    const Range range = split(directions() * batch_, part);
    kernels::LstmArgsOf<Sequence> args;
    args.input = lstm_.input;
    args.hidden = lstm_.hidden;
    args.count = 1;
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    for (long i = range.begin; i < range.end; ++i) {
      const Sequence sequence = sequence_of(frame, i / batch_, i % batch_);
      args.sequences = &sequence;
      run_(args, {});
    }
  }

 private:
  static constexpr bool on_bytes = std::is_same_v<Sequence, ByteLstmSequence>;

  std::int64_t directions() const {
    return std::ssize(lstm_.directions) + std::ssize(lstm_.byte_directions);
  }

  /// What the steps of one sequence read, first step first.
  void set_operands(FloatLstmSequence& sequence, const float* x, std::int64_t d,
                    std::int64_t b) const {
    const LstmOperation::Direction& direction = lstm_.directions[static_cast<std::size_t>(d)];
    sequence.weights = direction.weights.data();
    sequence.bias = direction.bias.data();
    sequence.x = x + b * lstm_.input;
    sequence.x_pitch = batch_ * lstm_.input;
    if (backwards(d)) reverse(sequence.x, sequence.x_pitch);
  }
  void set_operands(ByteLstmSequence& sequence, const float* starts, std::int64_t d,
                    std::int64_t b) const {
    const auto& direction = lstm_.byte_directions[static_cast<std::size_t>(d)];
    sequence.weights = {direction.weights.data(), direction.scale.data(), direction.sum.data(),
                        direction.zero_point.empty() ? nullptr : direction.zero_point.data()};
    const std::int64_t row = 4 * kernels::lstm_pitch(lstm_.hidden);
    sequence.start = starts + (b * directions() + d) * row;
    sequence.start_pitch = batch_ * directions() * row;
    if (backwards(d)) reverse(sequence.start, sequence.start_pitch);
  }

  bool backwards(std::int64_t d) const { return lstm_.reverse || d == 1; }
  template <class Pointer>
  void reverse(Pointer& first, std::ptrdiff_t& pitch) const {
    first += (steps_ - 1) * pitch;
    pitch = -pitch;
  }

  /// Layout 0: Y [steps, directions, batch, hidden], states [directions, batch, hidden].
  Sequence sequence_of(const Frame& frame, std::int64_t d, std::int64_t b) const {
    const std::int64_t hidden = lstm_.hidden, state = (d * batch_ + b) * hidden;
    Sequence sequence;
    sequence.steps = steps_;
    set_operands(sequence, frame.at<float>(tensors_[0]), d, b);
    std::size_t operand = 1;
    if (lstm_.has_first_h) sequence.first_h = frame.at<float>(tensors_[operand++]) + state;
    if (lstm_.has_first_c) sequence.first_c = frame.at<float>(tensors_[operand]) + state;
    sequence.y_pitch = directions() * batch_ * hidden;
    if (results_[0] != no_tensor) {
      sequence.y = frame.at<float>(results_[0]) + state;
      if (backwards(d)) reverse(sequence.y, sequence.y_pitch);
    }
    if (results_[1] != no_tensor) sequence.last_h = frame.at<float>(results_[1]) + state;
    if (results_[2] != no_tensor) sequence.last_c = frame.at<float>(results_[2]) + state;
    return sequence;
  }

  void (*run_)(const kernels::LstmArgsOf<Sequence>&, Part);
  LstmOperation lstm_;
  std::int64_t steps_ = 0, batch_ = 0;
  std::vector<TensorId> tensors_, results_;  ///< results: Y, Y_h, Y_c
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, LstmOperation& lstm) {
  if (!lstm.byte_directions.empty())
    return std::make_unique<LstmStep<ByteLstmSequence>>(
        select_kernel(kernels::byte_lstm_kernels(), context.isa), context.program, operation,
        std::move(lstm));
  return std::make_unique<LstmStep<FloatLstmSequence>>(
      select_kernel(kernels::lstm_kernels(), context.isa), context.program, operation,
      std::move(lstm));
}

}  // namespace intact

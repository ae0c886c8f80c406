// Reductions of floats.
#include <algorithm>

#include "engine/steps/unary.hpp"
#include "kernels/reduce/exact_sum.hpp"
#include "kernels/reduce/reduce.hpp"

namespace intact {
namespace {

float mean_of(double sum, std::int64_t window) {
  return static_cast<float>(sum / static_cast<double>(window));
}

/// Means of exact sums: the same numbers as those of a chain that adds them up.
class ExactMeanStep : public Step {
 public:
  ExactMeanStep(const kernels::ExactSumKernel& kernel, const FloatReduceOperation& reduce,
                const Operation& operation)
      : run_(kernel.run), reduce_(reduce), src_(operation.inputs[0]), dst_(operation.outputs[0]) {}

  void run(const Frame& frame, Part part) const override {
    constexpr std::int64_t most = 64;
    const std::int64_t blocks = (reduce_.channels + most - 1) / most;
    const Range range = split(reduce_.batch * blocks, part);
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t image = i / blocks, channel = i % blocks * most;
      double sums[most] = {};
      kernels::ExactSumArgs args;
      args.rows = reduce_.window;
      args.channels = std::min(most, reduce_.channels - channel);
      args.src = frame.at<float>(src_) + image * reduce_.window * reduce_.channels + channel;
      args.src_pitch = reduce_.channels;
      args.unit = reduce_.unit;
      args.sums = sums;
      run_(args);
      float* const dst = frame.at<float>(dst_) + image * reduce_.channels + channel;
      for (std::int64_t c = 0; c < args.channels; ++c) dst[c] = mean_of(sums[c], reduce_.window);
    }
  }

 private:
  void (*run_)(const kernels::ExactSumArgs&);
  FloatReduceOperation reduce_;
  TensorId src_, dst_;
};

class MeanStep : public Step {
 public:
  MeanStep(const Program& program, const MeanOperation& mean, const Operation& operation)
      : window_(mean.window),
        count_(element_count(program.tensor(operation.outputs[0]).shape)),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]) {}

  void run(const Frame& frame, Part part) const override {
    const Range range = split(count_, part);
    for (std::int64_t i = range.begin; i < range.end; ++i)
      frame.at<float>(dst_)[i] = mean_of(frame.at<double>(src_)[i], window_);
  }

 private:
  std::int64_t window_, count_;
  TensorId src_, dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, MeanOperation& mean) {
  auto step = std::make_unique<MeanStep>(context.program, mean, operation);
  step->kernel = "mean";
  return step;
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatReduceOperation& reduce) {
  if (reduce.unit != 0) {
    const auto& exact = select_kernel(kernels::exact_sum_kernels(), context.isa);
    return named(std::make_unique<ExactMeanStep>(exact, reduce, operation), exact);
  }
  const auto& kernel = select_kernel(kernels::reduce_kernels(), context.isa);
  kernels::ReduceArgs args;
  args.function = reduce.function;
  args.batch = reduce.batch;
  args.window = reduce.window;
  args.channels = reduce.channels;
  return unary_step(kernel, args, operation);
}

}  // namespace intact

// Reductions of floats.
#include "engine/steps/steps.hpp"
#include "kernels/reduce/reduce.hpp"

namespace intact {
namespace {

class FloatReduceStep : public Step {
 public:
  FloatReduceStep(const kernels::ReduceKernel& kernel, const FloatReduceOperation& reduce,
                  const Operation& operation)
      : run_(kernel.run), src_(operation.inputs[0]), dst_(operation.outputs[0]) {
    args_.function = reduce.function;
    args_.batch = reduce.batch;
    args_.window = reduce.window;
    args_.channels = reduce.channels;
  }

  void run(const Frame& frame, Part part) const override {
    kernels::ReduceArgs args = args_;
    args.src = frame.at<float>(src_);
    args.dst = frame.at<float>(dst_);
    run_(args, part);
  }

 private:
  void (*run_)(const kernels::ReduceArgs&, Part);
  kernels::ReduceArgs args_;
  TensorId src_, dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatReduceOperation& reduce) {
  const auto& kernel = select_kernel(kernels::reduce_kernels(), context.isa);
  auto step = std::make_unique<FloatReduceStep>(kernel, reduce, operation);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

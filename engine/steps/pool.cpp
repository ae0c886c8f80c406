// Pooling and reductions on bytes.
#include "kernels/pool/pool.hpp"

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class PoolStep : public Step {
 public:
  PoolStep(const kernels::PoolKernel& kernel, const Program& program, const Operation& operation,
           PoolOperation pool)
      : run_(kernel.run),
        pool_(std::move(pool)),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]) {
    args_.src_pitch = pitch_of(program.tensor(src_));
    args_.dst_pitch = pitch_of(program.tensor(dst_));
    args_.pad_end = pool_.pad_end;
    args_.divisor = pool_.divisor;
    args_.extreme = pool_.extreme;
    args_.src_zero_point = pool_.src_zero_point;
    args_.ratio = pool_.ratio;
    args_.output = pool_.stage.output;
    args_.zero_point = pool_.stage.zero_point;
    args_.lower = pool_.stage.lower;
    args_.upper = pool_.stage.upper;
    args_.table = pool_.stage.table.empty() ? nullptr : pool_.stage.table.data();
  }

  void run(const Frame& frame, Part part) const override {
    kernels::PoolArgs args = args_;
    args.src = frame.at<std::uint8_t>(src_);
    args.dst = frame.at<void>(dst_);
    run_(pool_.shape, args, part);
  }

 private:
  /// A reduction may see other channels than the tensor has; its elements lie densely then.
  std::ptrdiff_t pitch_of(const StoredTensor& tensor) const {
    const std::int64_t channels = pool_.shape.in_channels;
    return tensor.channels() == channels ? tensor.pitch() : channels;
  }

  void (*run_)(const kernels::ConvShape&, const kernels::PoolArgs&, Part);
  PoolOperation pool_;
  kernels::PoolArgs args_;
  TensorId src_, dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, PoolOperation& pool) {
  const auto list = pool.average ? kernels::average_pool_kernels() : kernels::max_pool_kernels();
  const auto& kernel = select_kernel(list, context.isa, [&](const kernels::PoolKernel& candidate) {
    return candidate.refuses(pool.shape) == nullptr;
  });
  auto step = std::make_unique<PoolStep>(kernel, context.program, operation, std::move(pool));
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

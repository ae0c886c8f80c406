// Pooling and reductions on bytes and words.
#include "kernels/pool/pool.hpp"

#include "engine/steps/chain.hpp"
#include "engine/steps/real_form.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class PoolStep : public Step {
 public:
  PoolStep(const kernels::PoolKernel& kernel, StepContext& context, const Operation& operation,
           PoolOperation pool)
      : run_(kernel.run),
        pool_(std::move(pool)),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]) {
    args_.input = element_form(context.program.tensor(src_).type);
    args_.src_pitch = pitch_of(context.program.tensor(src_));
    args_.dst_pitch = pitch_of(context.program.tensor(dst_));
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
    if (pool_.chain.links.empty()) return;
    const kernels::ConvShape& s = pool_.shape;
    chain_.emplace(context, pool_.chain, operation, s.batch * s.out[0] * s.out[1],
                   s.out[2] * s.out_channels);
    scratch_bytes = chain_->scratch_bytes();
    args_.dst_pitch = s.out_channels;
  }

  void run(const Frame& frame, Part part) const override {
    kernels::PoolArgs args = args_;
    args.src = frame.at<void>(src_);
    args.dst = frame.at<void>(dst_);
    if (!chain_) {
      run_(pool_.shape, args, part);
      return;
    }
    chain_->run(frame, frame.scratch_of(part), part,
                [&](std::int64_t first, std::int64_t count, float* floats) {
                  run_rows(args, first, count, floats);
                });
  }

 private:
  /// Rows of output pixels, counted over images, depth and height: one-row images whose windows
  /// begin further down, or several images at once where each has one row only.
  void run_rows(kernels::PoolArgs args, std::int64_t first, std::int64_t count,
                float* floats) const {
    kernels::ConvShape rows = pool_.shape;
    const std::int64_t height = rows.out[1], per_image = rows.out[0] * height;
    const std::int64_t pixels = rows.in[0] * rows.in[1] * rows.in[2];
    const std::ptrdiff_t image_bytes = pixels * args.src_pitch * kernels::bytes_of(args.input);
    const auto* const src = static_cast<const std::byte*>(args.src);
    rows.out[0] = rows.out[1] = 1;
    rows.batch = per_image == 1 ? count : 1;
    for (std::int64_t row = first; row < first + count; row += rows.batch) {
      rows.pad_begin[0] =
          pool_.shape.pad_begin[0] - row % per_image / height * pool_.shape.stride[0];
      rows.pad_begin[1] = pool_.shape.pad_begin[1] - row % height * pool_.shape.stride[1];
      args.src = src + row / per_image * image_bytes;
      args.dst = floats + (row - first) * rows.out[2] * rows.out_channels;
      run_(rows, args, Part{});
    }
  }

  /// A reduction may see other channels than the tensor has; its elements lie densely then.
  std::ptrdiff_t pitch_of(const StoredTensor& tensor) const {
    const std::int64_t channels = pool_.shape.in_channels;
    return tensor.channels() == channels ? tensor.pitch() : channels;
  }

  void (*run_)(const kernels::ConvShape&, const kernels::PoolArgs&, Part);
  PoolOperation pool_;
  kernels::PoolArgs args_;
  TensorId src_, dst_;
  std::optional<ChainedRows> chain_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, PoolOperation& pool) {
  const auto list = pool.average ? kernels::average_pool_kernels() : kernels::max_pool_kernels();
  const auto& kernel = select_kernel(list, context.isa, [&](const kernels::PoolKernel& candidate) {
    return candidate.refuses(pool.shape) == nullptr;
  });
  auto step = std::make_unique<PoolStep>(kernel, context, operation, std::move(pool));
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

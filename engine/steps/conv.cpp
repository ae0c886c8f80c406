// Integer convolution and matrix product.
#include "engine/steps/chain.hpp"
#include "engine/steps/steps.hpp"
#include "kernels/depthwise/depthwise.hpp"

namespace intact {
namespace {

class ConvStep : public Step {
 public:
  ConvStep(const kernels::ConvKernel& kernel, WeightCache::Block weights, StepContext& context,
           const Operation& operation, const ConvOperation& conv)
      : ConvStep(kernel, std::move(weights), context.program, operation, conv) {
    if (!conv.chain.links.empty()) chain_.emplace(context, conv.chain, operation);
    kernel_scratch_ = (kernel.scratch_bytes(conv.shape) + 63) / 64 * 64;
    scratch_bytes = kernel_scratch_ + (chain_ ? chain_->scratch_bytes() : 0);
  }

  void run(const Frame& frame, Part part) const override {
    if (!chain_) return run_with(frame, part, nullptr);
    const BoundChain bound(*chain_, frame, frame.scratch_of(part) + kernel_scratch_);
    run_with(frame, part, &bound);
  }

 private:
  ConvStep(const kernels::ConvKernel& kernel, WeightCache::Block weights, const Program& program,
           const Operation& operation, const ConvOperation& conv)
      : run_(kernel.run),
        weights_(std::move(weights)),
        shape_(conv.shape),
        stage_(conv.stage),
        residual_(conv.residual),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]),
        src_pitch_(program.tensor(src_).pitch()),
        dst_pitch_(program.tensor(dst_).pitch()) {
    if (conv.zero_point_at_run_time) zero_point_ = operation.inputs[1];
    if (conv.scale_at_run_time) scale_ = operation.inputs[conv.zero_point_at_run_time ? 2 : 1];
    if (residual_) {
      addend_ = operation.inputs[1];
      residual_->pitch = program.tensor(addend_).pitch();
    }
  }

  void run_with(const Frame& frame, Part part, const kernels::TileStage* tiles) const {
    kernels::ConvArgs args;
    args.src = frame.at<std::uint8_t>(src_);
    args.src_pitch = src_pitch_;
    args.weights = weights_.get();
    args.dst = frame.at<void>(dst_);
    args.dst_pitch = dst_pitch_;
    args.scratch = frame.scratch_of(part);
    args.epilogue = epilogue_of(stage_);
    args.epilogue.tiles = tiles;
    std::int32_t zero_point = 0;
    if (zero_point_ != no_tensor) {
      zero_point = *frame.at<std::uint8_t>(zero_point_);
      args.src_zero_point = &zero_point;
    }
    if (scale_ != no_tensor) args.src_scale = frame.at<float>(scale_);
    kernels::Residual residual;
    if (residual_) {
      residual = *residual_;
      residual.data = frame.at<std::uint8_t>(addend_);
      args.epilogue.residual = &residual;
    }
    run_(shape_, args, part);
  }

  void (*run_)(const kernels::ConvShape&, const kernels::ConvArgs&, Part);
  WeightCache::Block weights_;
  kernels::ConvShape shape_;
  OutputStage stage_;
  std::optional<kernels::Residual> residual_;
  TensorId src_, dst_, addend_ = no_tensor, zero_point_ = no_tensor, scale_ = no_tensor;
  std::ptrdiff_t src_pitch_, dst_pitch_;
  std::optional<TileChain> chain_;
  std::size_t kernel_scratch_ = 0;
};

/// Names the packed form: all that ConvKernel::pack depends on.
std::string packed_key(const kernels::ConvKernel& kernel, const ConvOperation& conv) {
  const kernels::ConvShape& s = conv.shape;
  std::string key = conv.weights.identity();
  extend_key(key, fmt::format("{} {} {} {} zero point {}", kernel.name, s.in_channels,
                              s.out_channels, s.groups, conv.src_zero_point));
  for (std::size_t i = 0; i < 3; ++i)
    extend_key(key, fmt::format("{},{},{}", s.kernel[i], s.stride[i], s.dilation[i]));
  extend_key(key, conv.bias);
  extend_key(key, conv.multiplier);
  extend_key(key, conv.float_bias);
  extend_key(key, conv.weight_zero_point);
  return key;
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, ConvOperation& conv) {
  const bool depthwise = conv.depthwise();
  ProductWeights::Values values;
  if (depthwise) values = conv.weights.values();  // few; their kernels look at them to choose
  kernels::ConvWeights weights;
  weights.data = values.data();
  weights.bias = conv.bias.data();
  weights.multiplier = conv.multiplier.data();
  weights.float_bias = conv.float_bias.empty() ? nullptr : conv.float_bias.data();
  weights.zero_point = conv.weight_zero_point.empty() ? nullptr : conv.weight_zero_point.data();
  weights.src_zero_point = conv.src_zero_point;
  const auto list = depthwise ? kernels::depthwise_kernels() : kernels::conv_kernels();
  const auto& kernel = select_kernel(list, context.isa, [&](const kernels::ConvKernel& candidate) {
    return candidate.refuses(conv.shape, weights) == nullptr;
  });
  const std::size_t bytes = kernel.packed_bytes(conv.shape);
  auto packed = context.weights.get(packed_key(kernel, conv), bytes, [&](void* target) {
    if (!depthwise) values = conv.weights.values();
    weights.data = values.data();
    kernel.pack(conv.shape, weights, target);
  });
  auto step = std::make_unique<ConvStep>(kernel, std::move(packed), context, operation, conv);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

// Integer convolution and matrix product, and what is computed on their results.
#include "engine/steps/conv.hpp"

#include <array>

#include "engine/steps/quantize.hpp"
#include "kernels/depthwise/depthwise.hpp"

namespace intact {
namespace {

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

ConvStep::ConvStep(StepContext& context, const Operation& operation, const ConvOperation& conv)
    : shape_(conv.shape),
      stage_(conv.stage),
      bias_apart_(conv.bias_apart),
      residual_(conv.residual),
      src_(operation.inputs[0]),
      dst_(operation.outputs[0]),
      src_pitch_(context.program.tensor(src_).pitch()),
      dst_pitch_(context.program.tensor(dst_).pitch()) {
  if (conv.zero_point_at_run_time) zero_point_ = operation.inputs[1];
  if (conv.scale_at_run_time) scale_ = operation.inputs[conv.zero_point_at_run_time ? 2 : 1];
  if (residual_) {
    addend_ = operation.inputs[1];
    // One row of constants serves all pixels.
    const StoredTensor& addend = context.program.tensor(addend_);
    residual_->pitch = addend.constant.defined() && addend.rows() == 1 ? 0 : addend.pitch();
  }
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
  const auto& chosen = select_kernel(list, context.isa, [&](const kernels::ConvKernel& candidate) {
    return candidate.refuses(conv.shape, weights) == nullptr;
  });
  const std::size_t bytes = chosen.packed_bytes(conv.shape);
  const auto pack = [&](void* target) {
    if (!depthwise) values = conv.weights.values();
    weights.data = values.data();
    chosen.pack(conv.shape, weights, target);
  };
  weights_ = context.weights.get(
      packed_key(chosen, conv), bytes, pack,
      chosen.packs_spare_room ? WeightCache::Room::spare : WeightCache::Room::filled);
  kernel_ = &chosen;
  kernel = chosen.name;
  isa = chosen.isa;
  kernel_scratch_ = (chosen.scratch_bytes(conv.shape) + 63) / 64 * 64;
  if (!conv.chain.empty()) chain_.emplace(context, conv.chain);
  scratch_bytes = kernel_scratch_ + (chain_ ? chain_->scratch_bytes() : 0);
}

ConvStep::Call::Call(const ConvStep& step, const Frame& frame, Part part) {
  args.src = frame.at<std::uint8_t>(step.src_);
  args.src_pitch = step.src_pitch_;
  args.weights = step.weights_.get();
  args.dst = frame.at<void>(step.dst_);
  args.dst_pitch = step.dst_pitch_;
  args.scratch = frame.scratch_of(part) + step.reserved_;
  args.epilogue = epilogue_of(step.stage_);
  args.epilogue.bias_apart = step.bias_apart_;
  if (step.zero_point_ != no_tensor) {
    zero_point = *frame.at<std::uint8_t>(step.zero_point_);
    args.src_zero_point = &zero_point;
  }
  if (step.scale_ != no_tensor) args.src_scale = frame.at<float>(step.scale_);
  if (step.residual_) {
    residual = *step.residual_;
    residual.data = frame.at<std::uint8_t>(step.addend_);
    args.epilogue.residual = &residual;
  }
}

void ConvStep::run(const Frame& frame, Part part) const {
  Call call(*this, frame, part);
  std::optional<BoundChain> bound;
  if (chain_)
    call.args.epilogue.tiles =
        &bound.emplace(*chain_, frame, frame.scratch_of(part) + kernel_scratch_);
  run(call, part);
}

namespace {

/// A product with DynamicQuantizeLinear behind it. First all threads find the range of the floats:
/// they store them, or only compute them (then no float tensor exists). Then they write the bytes:
/// from the stored floats, or by computing the product once more.
class DynamicConvStep : public ConvStep {
 public:
  DynamicConvStep(StepContext& context, const Operation& operation, const ConvOperation& conv)
      : ConvStep(context, operation, conv),
        grid_(conv.round->name, operation.outputs[1], operation.outputs[2]),
        dst_(operation.outputs[0]),
        floats_(operation.outputs[3]) {
    prepares = true;
    reserved_ = RunTimeGrid::scratch_bytes;
    scratch_bytes += reserved_;
    if (floats_ == no_tensor) return;
    quantize_ = select_kernel(kernels::quantize_kernels(), context.isa).run;
    quantize_args_ = quantize_args(context.program.tensor(floats_), context.program.tensor(dst_));
    floats_pitch_ = context.program.tensor(floats_).pitch();
  }

  void prepare(const Frame& frame, Part part) const override {
    Call call(*this, frame, part);
    kernels::Epilogue& epilogue = call.args.epilogue;
    const bool stores = floats_ != no_tensor;
    epilogue.output = stores ? kernels::Output::f32 : kernels::Output::range;
    call.args.dst = stores ? frame.at<void>(floats_) : nullptr;
    call.args.dst_pitch = floats_pitch_;
    kernels::ValueRange range;
    epilogue.range = &range;
    ConvStep::run(call, part);
    RunTimeGrid::range_of(frame, part) = range;
  }

  void run(const Frame& frame, Part part) const override {
    const kernels::ByteGrid grid = grid_.find(frame, part);
    if (floats_ != no_tensor) {
      kernels::QuantizeArgs args = quantize_args_;
      args.src = frame.at<float>(floats_);
      args.dst = frame.at<std::uint8_t>(dst_);
      args.scale = grid.scale;
      args.zero_point = grid.zero_point;
      quantize_(args, part);
      return;
    }
    Call call(*this, frame, part);
    call.args.epilogue.output = kernels::Output::quotient;
    call.args.epilogue.scale = grid.scale;
    call.args.epilogue.zero_point = grid.zero_point;
    ConvStep::run(call, part);
  }

 private:
  RunTimeGrid grid_;
  TensorId dst_, floats_;
  std::ptrdiff_t floats_pitch_ = 0;
  void (*quantize_)(const kernels::QuantizeArgs&, Part) = nullptr;
  kernels::QuantizeArgs quantize_args_;
};

/// Two products of the same outputs, which float operators read together (ConvOperation::second).
class TwoConvStep : public ConvStep {
 public:
  TwoConvStep(StepContext& context, const Operation& operation, const ConvOperation& conv)
      : ConvStep(context, operation, conv), second_(context, second_of(operation), conv.second[0]) {
    const std::array products = {product(nullptr), second_.product(nullptr)};
    chain_at_ = (kernels::by_lines_bytes(products) + 63) / 64 * 64;
    scratch_bytes = chain_at_ + chain_->scratch_bytes();
  }

  void run(const Frame& frame, Part part) const override {
    Call first(*this, frame, part);
    const Call second(second_, frame, part);
    const BoundChain bound(*chain_, frame, frame.scratch_of(part) + chain_at_);
    first.args.epilogue.tiles = &bound;
    kernels::run_by_lines(std::array{product(&first.args), second_.product(&second.args)}, part);
  }

 private:
  static Operation second_of(const Operation& operation) {
    Operation second;
    second.inputs = {operation.inputs[1]};
    second.outputs = operation.outputs;
    return second;
  }

  ConvStep second_;
  std::size_t chain_at_ = 0;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, ConvOperation& conv) {
  if (conv.round) return std::make_unique<DynamicConvStep>(context, operation, conv);
  if (!conv.second.empty()) return std::make_unique<TwoConvStep>(context, operation, conv);
  return std::make_unique<ConvStep>(context, operation, conv);
}

}  // namespace intact

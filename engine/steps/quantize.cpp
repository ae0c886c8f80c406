// Float to bytes and back, with a change of layout where source and destination differ.
#include "kernels/quantize/quantize.hpp"

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

/// The tensor as images of channels and pixels: element strides of each.
struct Planes {
  std::int64_t batch = 1, channels = 1, pixels = 1;
  std::ptrdiff_t strides[3] = {0, 0, 0};
};

/// `split` is true when batch, channel and pixel have to be told apart (the layouts differ).
Planes planes_of(const StoredTensor& tensor, bool split) {
  Planes planes;
  if (!split) {
    planes.channels = tensor.channels();
    planes.pixels = tensor.rows();
    planes.strides[1] = 1;
    planes.strides[2] = tensor.pitch();
    return planes;
  }
  planes.batch = tensor.shape[0];
  planes.channels = tensor.shape[1];
  for (std::size_t i = 2; i < tensor.shape.size(); ++i) planes.pixels *= tensor.shape[i];
  const auto strides = tensor.strides();
  planes.strides[0] = strides[0];
  planes.strides[1] = strides[1];
  planes.strides[2] = strides.back();
  return planes;
}

template <class Args>
class ConversionStep : public Step {
 public:
  using Run = void (*)(const Args&, Part);
  ConversionStep(Run run, Args args, const Operation& operation)
      : run_(run), args_(args), src_(operation.inputs[0]), dst_(operation.outputs[0]) {}
  void run(const Frame& frame, Part part) const override {
    Args args = args_;
    args.src = frame.at<std::remove_pointer_t<decltype(args.src)>>(src_);
    args.dst = frame.at<std::remove_pointer_t<decltype(args.dst)>>(dst_);
    run_(args, part);
  }

 private:
  Run run_;
  Args args_;
  TensorId src_, dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           QuantizeOperation& quantize) {
  const StoredTensor& from = context.program.tensor(operation.inputs[0]);
  const StoredTensor& to = context.program.tensor(operation.outputs[0]);
  const bool split = from.layout != to.layout;
  if (split && to.layout == Layout::plain) throw Error("internal: bytes are written channels last");
  const Planes planes = planes_of(from, split);
  const auto& kernel = select_kernel(kernels::quantize_kernels(), context.isa);
  kernels::QuantizeArgs args;
  args.batch = planes.batch;
  args.channels = planes.channels;
  args.pixels = planes.pixels;
  std::copy(planes.strides, planes.strides + 3, args.src_strides);
  args.scale = quantize.scale;
  args.zero_point = quantize.zero_point;
  args.lower = quantize.lower;
  args.upper = quantize.upper;
  args.dst_pitch = to.pitch();
  auto step = std::make_unique<ConversionStep<kernels::QuantizeArgs>>(kernel.run, args, operation);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, DequantizeOperation&) {
  const StoredTensor& from = context.program.tensor(operation.inputs[0]);
  const StoredTensor& to = context.program.tensor(operation.outputs[0]);
  const bool split = from.layout != to.layout;
  if (split && from.layout == Layout::plain) throw Error("internal: bytes are read channels last");
  const Planes planes = planes_of(to, split);
  const auto& kernel = select_kernel(kernels::dequantize_kernels(), context.isa);
  kernels::DequantizeArgs args;
  args.batch = planes.batch;
  args.channels = planes.channels;
  args.pixels = planes.pixels;
  std::copy(planes.strides, planes.strides + 3, args.dst_strides);
  args.src_pitch = from.pitch();
  args.scale = from.grid->scale[0];
  args.zero_point = from.zero_point();
  auto step =
      std::make_unique<ConversionStep<kernels::DequantizeArgs>>(kernel.run, args, operation);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

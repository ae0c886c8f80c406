// Float to bytes and back, with a change of layout where source and destination differ.
#include "kernels/quantize/quantize.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/steps/steps.hpp"
#include "graph/ops/quantized.hpp"

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

namespace {

/// First every part leaves the range of its share in its scratch memory, then each joins all of
/// them and quantizes its share.
class DynamicQuantizeStep : public Step {
 public:
  DynamicQuantizeStep(const kernels::RangeKernel& range, const kernels::QuantizeKernel& quantize,
                      kernels::QuantizeArgs args, const Operation& operation, std::int64_t count)
      : range_(range.run),
        run_(quantize.run),
        args_(args),
        name_(operation.name),
        src_(operation.inputs[0]),
        outputs_(operation.outputs),
        count_(count) {
    kernel = quantize.name;
    isa = quantize.isa;
    prepares = true;
    scratch_bytes = sizeof(kernels::ValueRange);
  }

  void prepare(const Frame& frame, Part part) const override {
    *range_of(frame, part) = range_({frame.at<float>(src_), count_}, part);
  }

  void run(const Frame& frame, Part part) const override {
    kernels::QuantizeArgs args = args_;
    args.src = frame.at<float>(src_);
    args.dst = frame.at<std::uint8_t>(outputs_[0]);
    float low = 0, high = 0;
    for (int i = 0; i < part.count; ++i) {
      const kernels::ValueRange* share = range_of(frame, {i, part.count});
      low = std::min(low, share->low);
      high = std::max(high, share->high);
    }
    const Grid grid = dynamic_grid(low, high);
    args.scale = grid.scale[0];
    args.zero_point = grid.zero_point[0];
    if (!std::isfinite(args.scale) || args.scale <= 0)
      throw Error(
          fmt::format("'{}': the values reach from {} to {}, which no 8-bit grid covers; "
                      "they must be finite",
                      name_, low, high));
    run_(args, part);
    if (part.index != 0) return;
    if (outputs_[1] != no_tensor) *frame.at<float>(outputs_[1]) = args.scale;
    if (outputs_[2] != no_tensor)
      *frame.at<std::uint8_t>(outputs_[2]) = static_cast<std::uint8_t>(args.zero_point);
  }

 private:
  static kernels::ValueRange* range_of(const Frame& frame, Part part) {
    return reinterpret_cast<kernels::ValueRange*>(frame.scratch_of(part));
  }

  kernels::ValueRange (*range_)(const kernels::RangeArgs&, Part);
  void (*run_)(const kernels::QuantizeArgs&, Part);
  kernels::QuantizeArgs args_;
  std::string name_;
  TensorId src_;
  std::vector<TensorId> outputs_;
  std::int64_t count_;
};

/// Where a quantize kernel reads and writes; the grid is not set.
kernels::QuantizeArgs quantize_args(const StoredTensor& from, const StoredTensor& to) {
  const bool split = from.layout != to.layout;
  if (split && to.layout == Layout::plain) throw Error("internal: bytes are written channels last");
  const Planes planes = planes_of(from, split);
  kernels::QuantizeArgs args;
  args.batch = planes.batch;
  args.channels = planes.channels;
  args.pixels = planes.pixels;
  std::copy(planes.strides, planes.strides + 3, args.src_strides);
  args.dst_pitch = to.pitch();
  return args;
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           QuantizeOperation& quantize) {
  const auto& kernel = select_kernel(kernels::quantize_kernels(), context.isa);
  kernels::QuantizeArgs args = quantize_args(context.program.tensor(operation.inputs[0]),
                                             context.program.tensor(operation.outputs[0]));
  args.scale = quantize.scale;
  args.zero_point = quantize.zero_point;
  args.lower = quantize.lower;
  args.upper = quantize.upper;
  auto step = std::make_unique<ConversionStep<kernels::QuantizeArgs>>(kernel.run, args, operation);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           DynamicQuantizeOperation&) {
  const StoredTensor& from = context.program.tensor(operation.inputs[0]);
  if (!from.dense()) throw Error("internal: a dynamic range is taken of a dense tensor");
  return std::make_unique<DynamicQuantizeStep>(
      select_kernel(kernels::range_kernels(), context.isa),
      select_kernel(kernels::quantize_kernels(), context.isa),
      quantize_args(from, context.program.tensor(operation.outputs[0])), operation,
      element_count(from.shape));
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

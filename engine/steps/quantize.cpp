// Float to bytes and back, with a change of layout where source and destination differ.
#include "engine/steps/quantize.hpp"

#include <algorithm>
#include <cmath>

#include "engine/steps/unary.hpp"

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

template <class Integer>
kernels::QuantizeArgsOf<Integer> quantize_args_of(const StoredTensor& from,
                                                  const StoredTensor& to) {
  const bool split = from.layout != to.layout;
  if (split && to.layout == Layout::plain) throw Error("internal: bytes are written channels last");
  const Planes planes = planes_of(from, split);
  kernels::QuantizeArgsOf<Integer> args;
  args.batch = planes.batch;
  args.channels = planes.channels;
  args.pixels = planes.pixels;
  std::copy(planes.strides, planes.strides + 3, args.src_strides);
  args.dst_pitch = to.pitch();
  return args;
}

}  // namespace

kernels::QuantizeArgs quantize_args(const StoredTensor& from, const StoredTensor& to) {
  return quantize_args_of<std::uint8_t>(from, to);
}

kernels::ByteGrid RunTimeGrid::find(const Frame& frame, Part part) const {
  float low = 0, high = 0;
  for (int i = 0; i < part.count; ++i) {
    const kernels::ValueRange& share = range_of(frame, {i, part.count});
    low = std::min(low, share.low);
    high = std::max(high, share.high);
  }
  const kernels::ByteGrid found = kernels::byte_grid({low, high});
  if (!std::isfinite(found.scale) || found.scale <= 0)
    throw Error(
        fmt::format("'{}': the values reach from {} to {}, which no 8-bit grid covers; "
                    "they must be finite",
                    name_, low, high));
  if (part.index != 0) return found;
  if (scale_ != no_tensor) *frame.at<float>(scale_) = found.scale;
  if (zero_point_ != no_tensor)
    *frame.at<std::uint8_t>(zero_point_) = static_cast<std::uint8_t>(found.zero_point);
  return found;
}

namespace {

/// First the range of all shares, then the bytes.
class DynamicQuantizeStep : public Step {
 public:
  DynamicQuantizeStep(const kernels::RangeKernel& range, const kernels::QuantizeKernel& quantize,
                      kernels::QuantizeArgs args, const Operation& operation, std::int64_t count)
      : range_(range.run),
        run_(quantize.run),
        args_(args),
        grid_(operation.name, operation.outputs[1], operation.outputs[2]),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]),
        count_(count) {
    kernel = quantize.name;
    isa = quantize.isa;
    prepares = true;
    scratch_bytes = RunTimeGrid::scratch_bytes;
  }

  void prepare(const Frame& frame, Part part) const override {
    RunTimeGrid::range_of(frame, part) = range_({frame.at<float>(src_), count_}, part);
  }

  void run(const Frame& frame, Part part) const override {
    const kernels::ByteGrid grid = grid_.find(frame, part);
    kernels::QuantizeArgs args = args_;
    args.src = frame.at<float>(src_);
    args.dst = frame.at<std::uint8_t>(dst_);
    args.scale = grid.scale;
    args.zero_point = grid.zero_point;
    run_(args, part);
  }

 private:
  kernels::ValueRange (*range_)(const kernels::RangeArgs&, Part);
  void (*run_)(const kernels::QuantizeArgs&, Part);
  kernels::QuantizeArgs args_;
  RunTimeGrid grid_;
  TensorId src_, dst_;
  std::int64_t count_;
};

}  // namespace

namespace {

template <class Integer>
std::unique_ptr<Step> quantize_step(const kernels::QuantizeKernelOf<Integer>& kernel,
                                    const Program& program, const Operation& operation,
                                    const QuantizeOperation& quantize) {
  auto args = quantize_args_of<Integer>(program.tensor(operation.inputs[0]),
                                        program.tensor(operation.outputs[0]));
  args.scale = quantize.scale;
  args.zero_point = quantize.zero_point;
  args.lower = quantize.lower;
  args.upper = quantize.upper;
  return unary_step(kernel, args, operation);
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           QuantizeOperation& quantize) {
  const Program& program = context.program;
  if (program.tensor(operation.outputs[0]).type == ElementType::u16)
    return quantize_step(select_kernel(kernels::quantize_words_kernels(), context.isa), program,
                         operation, quantize);
  return quantize_step(select_kernel(kernels::quantize_kernels(), context.isa), program, operation,
                       quantize);
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

namespace {

template <class Integer>
std::unique_ptr<Step> dequantize_step(const kernels::DequantizeKernelOf<Integer>& kernel,
                                      const Program& program, const Operation& operation) {
  const StoredTensor& from = program.tensor(operation.inputs[0]);
  const StoredTensor& to = program.tensor(operation.outputs[0]);
  const bool split = from.layout != to.layout;
  if (split && from.layout == Layout::plain) throw Error("internal: bytes are read channels last");
  const Planes planes = planes_of(to, split);
  kernels::DequantizeArgsOf<Integer> args;
  args.batch = planes.batch;
  args.channels = planes.channels;
  args.pixels = planes.pixels;
  std::copy(planes.strides, planes.strides + 3, args.dst_strides);
  args.src_pitch = from.pitch();
  args.scale = from.grid->scale[0];
  args.zero_point = from.zero_point();
  return unary_step(kernel, args, operation);
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, DequantizeOperation&) {
  const Program& program = context.program;
  if (program.tensor(operation.inputs[0]).type == ElementType::u16)
    return dequantize_step(select_kernel(kernels::dequantize_words_kernels(), context.isa), program,
                           operation);
  return dequantize_step(select_kernel(kernels::dequantize_kernels(), context.isa), program,
                         operation);
}

}  // namespace intact

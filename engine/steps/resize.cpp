// Interpolation of images.
#include "kernels/resize/resize.hpp"

#include "engine/steps/chain.hpp"
#include "engine/steps/real_form.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class ResizeStep : public Step {
 public:
  ResizeStep(const kernels::ResizeKernel& kernel, StepContext& context, const Operation& operation,
             ResizeOperation resize)
      : run_(kernel.run),
        resize_(std::move(resize)),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]) {
    const StoredTensor& src = context.program.tensor(src_);
    const StoredTensor& dst = context.program.tensor(dst_);
    args_.batch = resize_.batch;
    args_.channels = resize_.channels;
    for (std::size_t i = 0; i < 3; ++i) {
      const ResizeOperation::Axis& axis = resize_.axis[i];
      args_.axis[i] = {axis.in,
                       axis.out,
                       axis.taps,
                       axis.index.data(),
                       axis.weight.data(),
                       axis.outside.empty() ? nullptr : axis.outside.data()};
    }
    args_.input = real_form(src, args_.src_scale, args_.src_zero_point);
    args_.output = real_form(dst, args_.dst_scale, args_.dst_zero_point);
    // Channels that are not those of the tensor lie densely.
    args_.src_pitch = src.channels() == args_.channels ? src.pitch() : args_.channels;
    args_.dst_pitch = dst.channels() == args_.channels ? dst.pitch() : args_.channels;
    args_.extrapolation = resize_.extrapolation;
    scratch_bytes =
        static_cast<std::size_t>(kernels::resize_scratch(args_.axis[2].in, args_.channels)) *
        sizeof(float);
    if (resize_.chain.links.empty()) return;
    kernel_scratch_ = (scratch_bytes + 63) / 64 * 64;
    chain_.emplace(context, resize_.chain, operation,
                   resize_.batch * args_.axis[0].out * args_.axis[1].out,
                   args_.axis[2].out * args_.channels);
    scratch_bytes = kernel_scratch_ + chain_->scratch_bytes();
    args_.output = kernels::Element::f32;
    args_.dst_pitch = args_.channels;
  }

  void run(const Frame& frame, Part part) const override {
    kernels::ResizeArgs args = args_;
    args.src = frame.at<void>(src_);
    args.dst = frame.at<void>(dst_);
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    if (!chain_) {
      run_(args, part);
      return;
    }
    chain_->run(frame, frame.scratch_of(part) + kernel_scratch_, part,
                [&](std::int64_t first, std::int64_t count, float* floats) {
                  args.first_row = first;
                  args.rows = count;
                  args.dst = floats;
                  run_(args, Part{});
                });
  }

 private:
  void (*run_)(const kernels::ResizeArgs&, Part);
  ResizeOperation resize_;
  kernels::ResizeArgs args_;
  TensorId src_, dst_;
  std::optional<ChainedRows> chain_;
  std::size_t kernel_scratch_ = 0;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           ResizeOperation& resize) {
  const auto& kernel = select_kernel(kernels::resize_kernels(), context.isa);
  auto step = std::make_unique<ResizeStep>(kernel, context, operation, std::move(resize));
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

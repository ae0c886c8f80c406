// Softmax and normalizations of rows of neighbouring elements.
#include "kernels/rows/rows.hpp"

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class RowStep : public Step {
 public:
  RowStep(const kernels::RowKernel& kernel, const Program& program, const Operation& operation,
          const RowOperation& row)
      : run_(kernel.run), inputs_(operation.inputs), dst_(operation.outputs[0]) {
    const StoredTensor& src = program.tensor(inputs_[0]);
    const StoredTensor& dst = program.tensor(dst_);
    args_.function = row.function;
    args_.epsilon = row.epsilon;
    args_.rows = row.rows;
    args_.length = row.length;
    args_.period = row.period;
    args_.repeat = row.repeat;
    // Rows that are not those of the tensor lie densely.
    args_.src_pitch = src.channels() == row.length ? src.pitch() : row.length;
    args_.dst_pitch = dst.channels() == row.length ? dst.pitch() : row.length;
    args_.input = form_of(src, args_.src_scale, args_.src_zero_point);
    args_.output = form_of(dst, args_.dst_scale, args_.dst_zero_point);
    scratch_bytes = static_cast<std::size_t>(kernels::row_scratch(args_.length)) * sizeof(float);
  }

  void run(const Frame& frame, Part part) const override {
    kernels::RowArgs args = args_;
    args.src = frame.at<void>(inputs_[0]);
    args.dst = frame.at<void>(dst_);
    if (inputs_.size() > 1) args.gamma = frame.at<float>(inputs_[1]);
    if (inputs_.size() > 2) args.beta = frame.at<float>(inputs_[2]);
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    run_(args, part);
  }

 private:
  /// How the kernel reads or writes a tensor, and the grid of its bytes.
  static kernels::Output form_of(const StoredTensor& tensor, float& scale,
                                 std::int32_t& zero_point) {
    if (tensor.type == ElementType::f32) return kernels::Output::f32;
    scale = tensor.grid->scale[0];
    zero_point = tensor.zero_point();
    return kernels::Output::u8;
  }

  void (*run_)(const kernels::RowArgs&, Part);
  kernels::RowArgs args_;
  std::vector<TensorId> inputs_;
  TensorId dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, RowOperation& row) {
  const auto& kernel = select_kernel(kernels::rows_kernels(), context.isa);
  auto step = std::make_unique<RowStep>(kernel, context.program, operation, row);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

}  // namespace intact

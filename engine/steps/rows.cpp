// Softmax and normalizations of rows of neighbouring elements.
#include "kernels/rows/rows.hpp"

#include "engine/steps/real_form.hpp"
#include "engine/steps/row_stage.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class RowStep : public Step {
 public:
  RowStep(StepContext& context, const Operation& operation, const RowOperation& row)
      : stage_(context, row, context.program.tensor(operation.inputs[0]).shape,
               {operation.inputs.begin() + 1, operation.inputs.end()}, operation.outputs[0]),
        src_(operation.inputs[0]) {
    const StoredTensor& src = context.program.tensor(src_);
    src_pitch_ = RowStage::pitch_of(src, row);
    input_ = real_form(src, src_scale_, src_zero_point_);
    scratch_bytes = static_cast<std::size_t>(stage_.scratch()) * sizeof(float);
    kernel = stage_.kernel();
    isa = stage_.isa();
  }

  void run(const Frame& frame, Part part) const override {
    kernels::RowArgs args = stage_.bind(frame, 0, stage_.rows());
    args.src = frame.at<void>(src_);
    args.src_pitch = src_pitch_;
    args.input = input_;
    args.src_scale = src_scale_;
    args.src_zero_point = src_zero_point_;
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    stage_.run(args, part);
  }

 private:
  RowStage stage_;
  TensorId src_;
  std::ptrdiff_t src_pitch_ = 0;
  kernels::Element input_ = kernels::Element::f32;
  float src_scale_ = 1;
  std::int32_t src_zero_point_ = 0;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, RowOperation& row) {
  return std::make_unique<RowStep>(context, operation, row);
}

}  // namespace intact

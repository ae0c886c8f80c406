// Softmax and normalizations of rows of neighbouring elements.
#include "kernels/rows/rows.hpp"

#include "engine/steps/chain.hpp"
#include "engine/steps/real_form.hpp"
#include "engine/steps/row_stage.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class RowStep : public Step {
 public:
  RowStep(StepContext& context, const Operation& operation, const RowOperation& row)
      : stage_(context, row, context.program.tensor(operation.inputs[0]).shape,
               operands_of(operation, row),
               row.chain.links.empty() ? operation.outputs[0] : no_tensor),
        src_(operation.inputs[0]) {
    const StoredTensor& src = context.program.tensor(src_);
    src_pitch_ = RowStage::pitch_of(src, row);
    element_bytes_ = static_cast<std::ptrdiff_t>(element_size(src.type));
    input_ = real_form(src, src_scale_, src_zero_point_);
    scratch_bytes = static_cast<std::size_t>(stage_.scratch()) * sizeof(float);
    if (!row.chain.links.empty()) {
      kernel_scratch_ = (scratch_bytes + 63) / 64 * 64;
      chain_.emplace(context, row.chain, operation, row.rows, row.length);
      scratch_bytes = kernel_scratch_ + chain_->scratch_bytes();
    }
    kernel = stage_.kernel();
    isa = stage_.isa();
  }

  void run(const Frame& frame, Part part) const override {
    if (!chain_) {
      stage_.run(bind(frame, part, 0, stage_.rows()), part);
      return;
    }
    chain_->run(frame, frame.scratch_of(part) + kernel_scratch_, part,
                [&](std::int64_t first, std::int64_t count, float* floats) {
                  kernels::RowArgs args = bind(frame, part, first, count);
                  args.dst = floats;
                  stage_.run(args, Part{});
                });
  }

 private:
  /// Without the operands of the chain, which follow them.
  static std::vector<TensorId> operands_of(const Operation& operation, const RowOperation& row) {
    std::vector<TensorId> operands(operation.inputs.begin() + 1, operation.inputs.end());
    for (const FloatChain::Link& link : row.chain.links)
      for (const FloatChain::Operand& operand : link.operands)
        if (operand.stored != no_tensor) operands.pop_back();
    return operands;
  }

  kernels::RowArgs bind(const Frame& frame, Part part, std::int64_t first,
                        std::int64_t count) const {
    kernels::RowArgs args = stage_.bind(frame, first, count);
    args.src = frame.at<std::byte>(src_) + first * src_pitch_ * element_bytes_;
    args.src_pitch = src_pitch_;
    args.input = input_;
    args.src_scale = src_scale_;
    args.src_zero_point = src_zero_point_;
    args.scratch = reinterpret_cast<float*>(frame.scratch_of(part));
    return args;
  }

  RowStage stage_;
  TensorId src_;
  std::optional<ChainedRows> chain_;
  std::size_t kernel_scratch_ = 0;
  std::ptrdiff_t src_pitch_ = 0, element_bytes_ = 1;
  kernels::Element input_ = kernels::Element::f32;
  float src_scale_ = 1;
  std::int32_t src_zero_point_ = 0;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, RowOperation& row) {
  return std::make_unique<RowStep>(context, operation, row);
}

}  // namespace intact

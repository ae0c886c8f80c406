// Comparisons, choices and conversions of element types.
#include "kernels/logic/logic.hpp"

#include "engine/element_kind.hpp"
#include "engine/steps/broadcast.hpp"
#include "engine/steps/unary.hpp"

namespace intact {
namespace {

/// Lowering lets no other types through.
kernels::ElementKind stored_kind(const StoredTensor& tensor) {
  return element_kind(tensor.type).value_or(kernels::ElementKind::u8);
}

/// The operands of a kernel's arguments, in the order of the operation's inputs.
std::array<kernels::AnyOperand*, 2> operands_of(kernels::CompareArgs& args) {
  return {&args.a, &args.b};
}
std::array<kernels::AnyOperand*, 3> operands_of(kernels::SelectArgs& args) {
  return {&args.condition, &args.a, &args.b};
}

/// A kernel over rows of elements of operands that are broadcast.
template <class Args>
class BroadcastStep : public Step {
 public:
  using Run = void (*)(const Args&, Part);
  BroadcastStep(Run run, Args args, const Program& program, const Operation& operation)
      : run_(run), args_(args), operands_(operation.inputs), dst_(operation.outputs[0]) {
    std::vector<const StoredTensor*> tensors;
    for (const TensorId id : operands_) {
      tensors.push_back(&program.tensor(id));
      element_bytes_.push_back(static_cast<std::int64_t>(element_size(program.tensor(id).type)));
    }
    const StoredTensor& out = program.tensor(dst_);
    dst_bytes_ = static_cast<std::int64_t>(element_size(out.type));
    loops_ = broadcast_loops(tensors, out);
    args_.rows = loops_.rows.extent;
    args_.channels = loops_.run.extent;
    args_.dst_pitch = loops_.rows.strides.output;
    std::size_t k = 0;
    for (kernels::AnyOperand* operand : operands_of(args_)) {
      operand->pitch = loops_.rows.strides.operand[k];
      operand->step = static_cast<int>(loops_.run.strides.operand[k++]);
    }
  }

  void run(const Frame& frame, Part part) const override {
    Args args = args_;
    // Many outer indices are divided among the threads, few are worked on by all of them.
    const bool divided = loops_.outer_count > 1 && loops_.outer_count >= part.count;
    const Range range = divided ? split(loops_.outer_count, part) : Range{0, loops_.outer_count};
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const BroadcastStrides offset = loops_.offsets(i);
      std::size_t k = 0;
      for (kernels::AnyOperand* operand : operands_of(args)) {
        operand->data = frame.at<std::byte>(operands_[k]) + offset.operand[k] * element_bytes_[k];
        ++k;
      }
      args.dst = frame.at<std::byte>(dst_) + offset.output * dst_bytes_;
      run_(args, divided ? Part{} : part);
    }
  }

 private:
  Run run_;
  Args args_;
  BroadcastLoops loops_;
  std::vector<TensorId> operands_;
  std::vector<std::int64_t> element_bytes_;
  std::int64_t dst_bytes_ = 1;
  TensorId dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           CompareOperation& compare) {
  const auto& kernel = select_kernel(kernels::compare_kernels(), context.isa);
  kernels::CompareArgs args;
  args.relation = compare.relation;
  args.type = stored_kind(context.program.tensor(operation.inputs[0]));
  return named(std::make_unique<BroadcastStep<kernels::CompareArgs>>(kernel.run, args,
                                                                     context.program, operation),
               kernel);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, SelectOperation&) {
  const auto& kernel = select_kernel(kernels::select_kernels(), context.isa);
  kernels::SelectArgs args;
  args.element_bytes =
      static_cast<int>(element_size(context.program.tensor(operation.outputs[0]).type));
  return named(std::make_unique<BroadcastStep<kernels::SelectArgs>>(kernel.run, args,
                                                                    context.program, operation),
               kernel);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, CastOperation&) {
  const auto& kernel = select_kernel(kernels::cast_kernels(), context.isa);
  const StoredTensor& src = context.program.tensor(operation.inputs[0]);
  kernels::CastArgs args;
  args.from = stored_kind(src);
  args.to = stored_kind(context.program.tensor(operation.outputs[0]));
  args.channels = element_count(src.shape);
  return unary_step(kernel, args, operation);
}

}  // namespace intact

// Element-wise steps: byte arithmetic, tables, float arithmetic and functions.
#include "engine/steps/broadcast.hpp"
#include "engine/steps/chain.hpp"
#include "engine/steps/real_form.hpp"
#include "engine/steps/unary.hpp"

namespace intact {
namespace {

/// A kernel over rows of channels with one or two operands.
template <class Args, class T>
class BinaryStep : public Step {
 public:
  using Run = void (*)(const Args&, Part);
  BinaryStep(Run run, Args args, OutputStage stage, const Program& program,
             const Operation& operation)
      : run_(run),
        args_(args),
        stage_(std::move(stage)),
        a_(operation.inputs[0]),
        b_(operation.inputs[1]),
        dst_(operation.outputs[0]) {
    const StoredTensor& out = program.tensor(dst_);
    loops_ = broadcast_loops({&program.tensor(a_), &program.tensor(b_)}, out);
    args_.rows = loops_.rows.extent;
    args_.channels = loops_.run.extent;
    args_.a.pitch = loops_.rows.strides.operand[0];
    args_.b.pitch = loops_.rows.strides.operand[1];
    args_.dst_pitch = loops_.rows.strides.output;
    args_.a.step = static_cast<int>(loops_.run.strides.operand[0]);
    args_.b.step = static_cast<int>(loops_.run.strides.operand[1]);
    element_bytes_ = element_size(out.type);
  }

  void run(const Frame& frame, Part part) const override {
    Args args = args_;
    if constexpr (std::is_same_v<Args, kernels::ByteBinaryArgs>)
      args.epilogue = epilogue_of(stage_);
    // Many outer indices are divided among the threads, few are worked on by all of them.
    const bool divided = loops_.outer_count > 1 && loops_.outer_count >= part.count;
    const Range range = divided ? split(loops_.outer_count, part) : Range{0, loops_.outer_count};
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const BroadcastStrides offset = loops_.offsets(i);
      args.a.data = frame.at<T>(a_) + offset.operand[0];
      args.b.data = frame.at<T>(b_) + offset.operand[1];
      args.dst = reinterpret_cast<decltype(args.dst)>(
          frame.at<std::byte>(dst_) + static_cast<std::size_t>(offset.output) * element_bytes_);
      run_(args, divided ? Part{} : part);
    }
  }

 private:
  Run run_;
  Args args_;
  OutputStage stage_;
  BroadcastLoops loops_;
  std::size_t element_bytes_ = 1;
  TensorId a_, b_, dst_;
};

class ByteSumStep : public Step {
 public:
  ByteSumStep(const kernels::ByteSumKernel& kernel, ByteSumOperation sum, StepContext& context,
              const Operation& operation)
      : run_(kernel.run),
        sum_(std::move(sum)),
        terms_(operation.inputs.begin(), operation.inputs.begin() + std::ssize(sum_.zero_point)),
        dst_(operation.outputs[0]) {
    const Program& program = context.program;
    const StoredTensor& out = program.tensor(dst_);
    args_.rows = out.rows();
    args_.channels = out.channels();
    args_.count = static_cast<int>(terms_.size());
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      args_.terms[k] = {nullptr, program.tensor(terms_[k]).pitch(), 1, sum_.zero_point[k]};
      args_.multiplier[k] = sum_.multiplier[k];
    }
    args_.addend = sum_.addend.empty() ? nullptr : sum_.addend.data();
    args_.dst_pitch = out.pitch();
    if (sum_.chain.links.empty()) return;
    chain_.emplace(context, sum_.chain, operation, args_.rows, args_.channels);
    scratch_bytes = chain_->scratch_bytes();
    args_.dst_pitch = args_.channels;
  }

  void run(const Frame& frame, Part part) const override {
    kernels::ByteSumArgs args = args_;
    for (std::size_t k = 0; k < terms_.size(); ++k)
      args.terms[k].data = frame.at<std::uint8_t>(terms_[k]);
    args.dst = frame.at<void>(dst_);
    args.epilogue = epilogue_of(sum_.stage);
    if (!chain_) {
      run_(args, part);
      return;
    }
    chain_->run(frame, frame.scratch_of(part), part,
                [&](std::int64_t first, std::int64_t count, float* floats) {
                  kernels::ByteSumArgs rows = args;
                  for (int k = 0; k < rows.count; ++k)
                    rows.terms[k].data += first * rows.terms[k].pitch;
                  rows.rows = count;
                  rows.dst = floats;
                  run_(rows, Part{});
                });
  }

 private:
  void (*run_)(const kernels::ByteSumArgs&, Part);
  ByteSumOperation sum_;
  kernels::ByteSumArgs args_;
  std::vector<TensorId> terms_;
  TensorId dst_;
  std::optional<ChainedRows> chain_;
};

const void* entries_of(const TableOperation& table) {
  if (!table.bytes.empty()) return table.bytes.data();
  if (!table.words.empty()) return table.words.data();
  return table.floats.data();
}

/// Rows of channels of the operation's first input and output, which have one shape.
template <class Args>
void set_rows(Args& args, const Program& program, const Operation& operation) {
  const StoredTensor& out = program.tensor(operation.outputs[0]);
  args.rows = out.rows();
  args.channels = out.channels();
  args.src_pitch = program.tensor(operation.inputs[0]).pitch();
  args.dst_pitch = out.pitch();
}

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           ByteBinaryOperation& binary) {
  const auto& kernel = select_kernel(kernels::byte_binary_kernels(), context.isa);
  kernels::ByteBinaryArgs args;
  args.operation = binary.operation;
  args.a.zero_point = binary.zero_point_a;
  args.b.zero_point = binary.zero_point_b;
  args.multiplier_a = binary.multiplier_a;
  args.multiplier_b = binary.multiplier_b;
  args.divisor = binary.divisor;
  return named(std::make_unique<BinaryStep<kernels::ByteBinaryArgs, std::uint8_t>>(
                   kernel.run, args, std::move(binary.stage), context.program, operation),
               kernel);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           ByteSumOperation& sum) {
  const auto& kernel = select_kernel(kernels::byte_sum_kernels(), context.isa);
  return named(std::make_unique<ByteSumStep>(kernel, std::move(sum), context, operation), kernel);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           AffineOperation& affine) {
  const auto& kernel = select_kernel(kernels::affine_kernels(), context.isa);
  kernels::AffineArgs args;
  set_rows(args, context.program, operation);
  args.input = context.program.tensor(operation.inputs[0]).type == ElementType::f32
                   ? kernels::Output::f32
                   : kernels::Output::u8;
  args.src_zero_point = affine.zero_point;
  args.factor = affine.factor.data();
  args.addend = affine.addend.data();
  args.epilogue = epilogue_of(affine.stage);
  return unary_step(kernel, args, operation, std::move(affine));
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           TableOperation& table) {
  const ElementType from = context.program.tensor(operation.inputs[0]).type;
  if (from == ElementType::u16 || !table.words.empty()) {
    const auto& kernel = select_kernel(kernels::word_table_kernels(), context.isa);
    kernels::WordTableArgs args;
    args.input = element_form(from);
    args.output = element_form(context.program.tensor(operation.outputs[0]).type);
    set_rows(args, context.program, operation);
    args.table = entries_of(table);
    return unary_step(kernel, args, operation, std::move(table));
  }
  const auto output = table.bytes.empty() ? kernels::Output::f32 : kernels::Output::u8;
  const auto& kernel = select_kernel(
      kernels::table_kernels(), context.isa,
      [&](const kernels::TableKernel& candidate) { return candidate.output == output; });
  kernels::TableArgs args;
  set_rows(args, context.program, operation);
  args.table = entries_of(table);
  return unary_step(kernel, args, operation, std::move(table));
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatBinaryOperation& binary) {
  const auto& kernel = select_kernel(kernels::float_binary_kernels(), context.isa);
  kernels::FloatBinaryArgs args;
  args.operation = binary.operation;
  args.lower = binary.lower;
  args.upper = binary.upper;
  return named(std::make_unique<BinaryStep<kernels::FloatBinaryArgs, float>>(
                   kernel.run, args, OutputStage{}, context.program, operation),
               kernel);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatUnaryOperation& unary) {
  const auto& kernel = select_kernel(kernels::float_unary_kernels(), context.isa);
  kernels::FloatUnaryArgs args;
  args.function = unary.function;
  args.alpha = unary.alpha;
  args.beta = unary.beta;
  set_rows(args, context.program, operation);
  return unary_step(kernel, args, operation);
}

}  // namespace intact

// Elements by position.
#include "kernels/indexing/indexing.hpp"

#include "engine/steps/unary.hpp"

namespace intact {
namespace {

class GatherStep : public Step {
 public:
  GatherStep(const kernels::GatherKernel& kernel, GatherOperation gather, const Program& program,
             const Operation& operation)
      : run_(kernel.run),
        index_(std::move(gather.index)),
        name_(operation.name),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]) {
    args_.outer = gather.outer;
    args_.extent = gather.extent;
    args_.count = gather.count;
    args_.inner = gather.inner * static_cast<std::int64_t>(element_size(program.tensor(src_).type));
    if (!index_.empty()) return;
    positions_ = operation.inputs[1];
    narrow_ = program.tensor(positions_).type == ElementType::s32;
    scratch_bytes = static_cast<std::size_t>(args_.count) * sizeof(std::int64_t);
  }

  void run(const Frame& frame, Part part) const override {
    kernels::GatherArgs args = args_;
    args.index = index_.data();
    if (positions_ != no_tensor) {
      auto* const index = reinterpret_cast<std::int64_t*>(frame.scratch_of(part));
      if (narrow_)
        count_from_front(frame.at<std::int32_t>(positions_), index);
      else
        count_from_front(frame.at<std::int64_t>(positions_), index);
      args.index = index;
    }
    args.src = frame.at<void>(src_);
    args.dst = frame.at<void>(dst_);
    run_(args, part);
  }

 private:
  template <class T>
  void count_from_front(const T* given, std::int64_t* index) const {
    for (std::int64_t i = 0; i < args_.count; ++i) {
      const std::int64_t position = given[i];
      if (position < -args_.extent || position >= args_.extent)
        throw Error(fmt::format("'{}': index {} is out of range; it must lie in [{}, {})", name_,
                                position, -args_.extent, args_.extent));
      index[i] = position < 0 ? position + args_.extent : position;
    }
  }

  void (*run_)(const kernels::GatherArgs&, Part);
  kernels::GatherArgs args_;
  std::vector<std::int64_t> index_;
  std::string name_;
  bool narrow_ = false;
  TensorId src_, dst_, positions_ = no_tensor;
};

class TopBytesStep : public Step {
 public:
  TopBytesStep(const kernels::TopBytesKernel& kernel, const TopBytesOperation& top,
               const Operation& operation)
      : run_(kernel.run), src_(operation.inputs[0]), results_(operation.outputs) {
    args_.least = top.least;
    args_.rows = top.rows;
    args_.length = top.length;
    args_.count = top.count;
  }

  void run(const Frame& frame, Part part) const override {
    kernels::TopBytesArgs args = args_;
    args.src = frame.at<std::uint8_t>(src_);
    if (results_[0] != no_tensor) args.values = frame.at<std::uint8_t>(results_[0]);
    if (results_[1] != no_tensor) args.positions = frame.at<std::int64_t>(results_[1]);
    run_(args, part);
  }

 private:
  void (*run_)(const kernels::TopBytesArgs&, Part);
  kernels::TopBytesArgs args_;
  TensorId src_;
  std::vector<TensorId> results_;  ///< values, positions
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           GatherOperation& gather) {
  const auto& kernel = select_kernel(kernels::gather_kernels(), context.isa);
  return named(std::make_unique<GatherStep>(kernel, std::move(gather), context.program, operation),
               kernel);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           ArgExtremeOperation& extreme) {
  const auto& kernel = select_kernel(kernels::arg_extreme_kernels(), context.isa);
  kernels::ArgExtremeArgs args;
  args.least = extreme.least;
  args.last = extreme.last;
  args.input = context.program.tensor(operation.inputs[0]).type == ElementType::f32
                   ? kernels::Output::f32
                   : kernels::Output::u8;
  args.outer = extreme.outer;
  args.extent = extreme.extent;
  args.inner = extreme.inner;
  return unary_step(kernel, args, operation);
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           TopBytesOperation& top) {
  const auto& kernel = select_kernel(kernels::top_bytes_kernels(), context.isa);
  return named(std::make_unique<TopBytesStep>(kernel, top, operation), kernel);
}

}  // namespace intact

// Strided copies, and words taken apart.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/steps/steps.hpp"
#include "kernels/layout/layout.hpp"

namespace intact {
namespace {

class CopyStep : public Step {
 public:
  CopyStep(const kernels::CopyKernel& kernel, const CopyOperation& copy, const Program& program,
           const Operation& operation)
      : run_(kernel.run), src_(operation.inputs[0]), dst_(operation.outputs[0]) {
    const StoredTensor& target = program.tensor(dst_);
    const auto bytes = static_cast<std::int64_t>(element_size(target.type));
    // Outermost first in the destination's memory, which is written in order.
    std::vector<std::size_t> order(copy.extents.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return copy.dst_strides[a] > copy.dst_strides[b];
    });
    args_.rank = static_cast<int>(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      args_.extents[i] = copy.extents[order[i]];
      args_.src_strides[i] = copy.src_strides[order[i]];
      args_.dst_strides[i] = copy.dst_strides[order[i]];
    }
    args_.element_bytes = static_cast<int>(bytes);
    args_.flip = copy.flip;
    src_offset_ = copy.src_offset * bytes;
    dst_offset_ = copy.dst_offset * bytes;
    if (copy.fill) {
      fill_ = *copy.fill;
      fill_bytes_ = element_count(target.shape) * bytes;
    }
  }

  void run(const Frame& frame, Part part) const override {
    if (!fill_.empty()) {
      // The fill has to be complete before the copy: one thread does both.
      if (part.index != 0) return;
      fill(frame.at<std::byte>(dst_));
      part = {};
    }
    kernels::CopyArgs args = args_;
    args.src = frame.at<std::byte>(src_) + src_offset_;
    args.dst = frame.at<std::byte>(dst_) + dst_offset_;
    run_(args, part);
  }

 private:
  void fill(std::byte* dst) const {
    const std::size_t element = fill_.size();
    const auto same = [&](std::uint8_t byte) { return byte == fill_[0]; };
    if (std::all_of(fill_.begin(), fill_.end(), same)) {
      std::memset(dst, fill_[0], static_cast<std::size_t>(fill_bytes_));
      return;
    }
    for (std::int64_t i = 0; i < fill_bytes_; i += static_cast<std::int64_t>(element))
      std::memcpy(dst + i, fill_.data(), element);
  }

  void (*run_)(const kernels::CopyArgs&, Part);
  kernels::CopyArgs args_;
  std::vector<std::uint8_t> fill_;
  std::int64_t fill_bytes_ = 0, src_offset_ = 0, dst_offset_ = 0;
  TensorId src_, dst_;
};

class SplitStep : public Step {
 public:
  SplitStep(const kernels::SplitKernel& chosen, const Program& program, const Operation& operation)
      : run_(chosen.run), src_(operation.inputs[0]), dst_(operation.outputs) {
    const StoredTensor& src = program.tensor(src_);
    args_.rows = src.rows();
    args_.channels = src.channels();
    args_.src_pitch = src.pitch();
    args_.dst_pitch = program.tensor(dst_[0]).pitch();
    kernel = chosen.name;
    isa = chosen.isa;
  }

  void run(const Frame& frame, Part part) const override {
    kernels::SplitArgs args = args_;
    args.src = frame.at<std::uint16_t>(src_);
    args.high = frame.at<std::uint8_t>(dst_[0]);
    args.low = frame.at<std::uint8_t>(dst_[1]);
    run_(args, part);
  }

 private:
  void (*run_)(const kernels::SplitArgs&, Part);
  kernels::SplitArgs args_;
  TensorId src_;
  std::vector<TensorId> dst_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, CopyOperation& copy) {
  if (copy.extents.size() > 8)
    throw Unsupported(fmt::format("'{}' has more than 8 dimensions", operation.name));
  const auto& kernel = select_kernel(kernels::copy_kernels(), context.isa);
  auto step = std::make_unique<CopyStep>(kernel, copy, context.program, operation);
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

std::unique_ptr<Step> make(StepContext& context, const Operation& operation, SplitOperation&) {
  return std::make_unique<SplitStep>(select_kernel(kernels::split_kernels(), context.isa),
                                     context.program, operation);
}

}  // namespace intact

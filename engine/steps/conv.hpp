// The step of an integer convolution or matrix product.
#pragma once

#include "engine/steps/chain.hpp"
#include "engine/steps/steps.hpp"
#include "kernels/conv/by_lines.hpp"

namespace intact {

class ConvStep : public Step {
 public:
  /// Chooses the kernel and packs the weights.
  ConvStep(StepContext& context, const Operation& operation, const ConvOperation& conv);
  void run(const Frame& frame, Part part) const override;
  /// The kernel, for callers that run it themselves.
  kernels::LineProduct product(const kernels::ConvArgs* args) const {
    return {kernel_, &shape_, args};
  }

 protected:
  /// The arguments of one part with what they point to; writes to the first output unless told
  /// otherwise.
  struct Call {
    Call(const ConvStep& step, const Frame& frame, Part part);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    kernels::ConvArgs args;
    kernels::Residual residual;
    std::int32_t zero_point = 0;
  };
  void run(const Call& call, Part part) const { kernel_->run(shape_, call.args, part); }

  /// Bytes at the beginning of each thread's scratch memory that the kernel leaves alone.
  std::size_t reserved_ = 0;
  std::optional<TileChain> chain_;

 private:
  const kernels::ConvKernel* kernel_;
  WeightCache::Block weights_;
  kernels::ConvShape shape_;
  OutputStage stage_;
  bool bias_apart_;
  std::optional<kernels::Residual> residual_;
  TensorId src_, dst_, addend_ = no_tensor, zero_point_ = no_tensor, scale_ = no_tensor;
  std::ptrdiff_t src_pitch_, dst_pitch_;
  std::size_t kernel_scratch_ = 0;
};

}  // namespace intact

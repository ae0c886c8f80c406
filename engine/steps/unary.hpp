// The step of a kernel with one source and one destination, whose other arguments are known when it
// is made.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "engine/steps/steps.hpp"

namespace intact {

template <class Args, class Held>
class UnaryKernelStep : public Step {
 public:
  using Run = void (*)(const Args&, Part);
  UnaryKernelStep(Run run, const Args& args, const Operation& operation, Held held)
      : run_(run),
        args_(args),
        held_(std::move(held)),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]) {}

  void run(const Frame& frame, Part part) const override {
    Args args = args_;
    args.src = frame.at<std::remove_pointer_t<decltype(args.src)>>(src_);
    args.dst = frame.at<std::remove_pointer_t<decltype(args.dst)>>(dst_);
    run_(args, part);
  }

 private:
  Run run_;
  Args args_;
  Held held_;
  TensorId src_, dst_;
};

/// Runs `kernel` on the operation's first input and output. `held` has the vectors that `args`
/// point into; their elements stay in place when it is moved.
template <class Kernel, class Args, class Held = std::monostate>
std::unique_ptr<Step> unary_step(const Kernel& kernel, const Args& args, const Operation& operation,
                                 Held held = {}) {
  return named(
      std::make_unique<UnaryKernelStep<Args, Held>>(kernel.run, args, operation, std::move(held)),
      kernel);
}

}  // namespace intact

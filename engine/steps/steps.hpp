// Makers of steps, one per kind of operation, and what they share.
#pragma once

#include <fmt/format.h>

#include "engine/step.hpp"
#include "intact/cpu.hpp"
#include "intact/error.hpp"

namespace intact {

std::unique_ptr<Step> make(StepContext&, const Operation&, ConvOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ActivationMatMulOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, BlockedProductOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, PoolOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ByteBinaryOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ByteSumOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, AffineOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, TableOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, QuantizeOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, DynamicQuantizeOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, DequantizeOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, CopyOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, SplitOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatConvOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatMatMulOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatProductOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatPoolOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatBinaryOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatUnaryOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, RowOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ResizeOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, RecurrentOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ChainOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, CompareOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, SelectOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, CastOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, GatherOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ArgExtremeOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, TopBytesOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, FloatReduceOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, MeanOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, GroupOperation&);
std::unique_ptr<Step> make(StepContext&, const Operation&, ReferenceOperation&);

/// The first kernel of a list that the cap and the CPU admit and that `accepts` takes.
template <class List, class Accepts>
const auto& select_kernel(const List& kernels, Isa cap, const Accepts& accepts) {
  for (const auto& kernel : kernels)
    if (kernel.isa <= cap && cpu_supports(kernel.isa) && accepts(kernel)) return kernel;
  return kernels.back();
}
template <class List>
const auto& select_kernel(const List& kernels, Isa cap) {
  return select_kernel(kernels, cap, [](const auto&) { return true; });
}

/// A step that runs this kernel alone, under its name.
template <class StepType, class Kernel>
std::unique_ptr<Step> named(std::unique_ptr<StepType> step, const Kernel& kernel) {
  step->kernel = kernel.name;
  step->isa = kernel.isa;
  return step;
}

/// The kernel epilogue of a stage; its table stays in the stage, which must outlive the step's
/// runs.
inline kernels::Epilogue epilogue_of(const OutputStage& stage) {
  kernels::Epilogue epilogue;
  epilogue.output = stage.output;
  epilogue.zero_point = stage.zero_point;
  epilogue.lower = stage.lower;
  epilogue.upper = stage.upper;
  epilogue.table = stage.table.empty() ? nullptr : stage.table.data();
  epilogue.float_lower = stage.float_lower;
  epilogue.float_upper = stage.float_upper;
  return epilogue;
}

}  // namespace intact

// What pooling kernels of every instruction set share: what they refuse, the divisor of an average
// and its epilogue. Plain header; internal linkage, because it is compiled into files with
// different instruction sets.
#pragma once

#include "kernels/pool/pool.hpp"
#include "kernels/pool/window.hpp"

namespace intact::kernels {
namespace {

[[maybe_unused]] const char* refuses_max(const ConvShape&) {
  return nullptr;
}

[[maybe_unused]] const char* refuses_average(const ConvShape& shape) {
  return shape.taps() < kMaxAverageWindow ? nullptr : "window of 2^23 positions or more";
}

/// Taps of one axis that lie inside the image or its padding.
[[maybe_unused]] long padded_count(const ConvShape& shape, const PoolArgs& args, int axis,
                                   const AxisWindow& window) {
  const long room = shape.in[axis] + args.pad_end[axis] - window.start;
  const long count = room > 0 ? taps_across(room, shape.dilation[axis]) : 0;
  return count < shape.kernel[axis] ? count : shape.kernel[axis];
}

/// ratio / divisor of one window.
[[maybe_unused]] float average_multiplier(const ConvShape& shape, const PoolArgs& args,
                                          const Window& window) {
  long divisor = args.divisor == Divisor::inside ? window.count() : 1;
  if (args.divisor == Divisor::padded) {
    for (int axis = 0; axis < 3; ++axis)
      divisor *= padded_count(shape, args, axis, window.axis[axis]);
  }
  return args.ratio / static_cast<float>(divisor > 0 ? divisor : 1);
}

[[maybe_unused]] Epilogue average_epilogue(const PoolArgs& args) {
  Epilogue epilogue;
  epilogue.output = args.output;
  epilogue.zero_point = args.zero_point;
  epilogue.lower = args.lower;
  epilogue.upper = args.upper;
  epilogue.table = args.table;
  return epilogue;
}

}  // namespace
}  // namespace intact::kernels

// Where the window of an output pixel lies in the image: shared by pooling and depthwise
// convolution on every instruction set. Plain header; internal linkage, because it is compiled into
// files with different instruction sets.
#pragma once

#include "kernels/conv/conv.hpp"

namespace intact::kernels {
namespace {

/// Taps k in [begin, end) of one axis lie inside the image; tap k reads coordinate
/// start + k * dilation.
struct AxisWindow {
  long start = 0, begin = 0, end = 0;
  long count() const { return end - begin; }
};

/// Rounds up. Dilation 1 is the rule, and a division costs as much as a small window.
[[maybe_unused]] long taps_across(long distance, long dilation) {
  return dilation == 1 ? distance : (distance + dilation - 1) / dilation;
}

[[maybe_unused]] AxisWindow axis_window(const ConvShape& shape, int axis, long out) {
  const long in = shape.in[axis], dilation = shape.dilation[axis];
  AxisWindow window;
  window.start = out * shape.stride[axis] - shape.pad_begin[axis];
  if (window.start < 0) window.begin = taps_across(-window.start, dilation);
  if (window.start < in) window.end = taps_across(in - window.start, dilation);
  if (window.end > shape.kernel[axis]) window.end = shape.kernel[axis];
  if (window.begin > window.end) window.begin = window.end;
  return window;
}

struct Window {
  long image = 0;
  AxisWindow axis[3];
  /// Positions inside the image.
  long count() const { return axis[0].count() * axis[1].count() * axis[2].count(); }
};

/// The windows of one row of output pixels: row = (image * depth + d) * height + h.
[[maybe_unused]] Window row_window(const ConvShape& shape, long row) {
  const long plane = row / shape.out[1];
  Window window;
  window.image = plane / shape.out[0];
  window.axis[0] = axis_window(shape, 0, plane % shape.out[0]);
  window.axis[1] = axis_window(shape, 1, row % shape.out[1]);
  return window;
}

[[maybe_unused]] long out_rows(const ConvShape& shape) {
  return shape.batch * shape.out[0] * shape.out[1];
}

/// Index of the input pixel that tap (kd, kh, kw) of the window reads.
[[maybe_unused]] long input_pixel(const ConvShape& shape, const Window& window, long kd, long kh,
                                  long kw) {
  const long d = window.axis[0].start + kd * shape.dilation[0];
  const long h = window.axis[1].start + kh * shape.dilation[1];
  const long w = window.axis[2].start + kw * shape.dilation[2];
  return ((window.image * shape.in[0] + d) * shape.in[1] + h) * shape.in[2] + w;
}

/// A share of the work: rows of output pixels times chunks of channels, rows outermost, so that
/// both large images with few channels and small images with many occupy all threads.
/// Calls body(row, first_chunk, last_chunk).
template <typename Body>
void for_rows_and_chunks(long rows, long chunks, Part part, Body body) {
  const Range range = split(rows * chunks, part);
  for (long item = range.begin; item < range.end;) {
    const long row = item / chunks, first = item % chunks;
    long last = first + (range.end - item);
    if (last > chunks) last = chunks;
    body(row, first, last);
    item += last - first;
  }
}

}  // namespace
}  // namespace intact::kernels

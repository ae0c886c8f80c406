// The scalar definition of the row kernels: element after element, sums by index.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise/lanes_scalar.hpp"
#include "kernels/real_reference.hpp"
#include "kernels/rows/implementations.hpp"
// Over the lanes included above.
#include "kernels/elementwise/functions.hpp"

namespace intact::kernels::reference {
namespace {

float loaded(const RowArgs& args, std::ptrdiff_t at) {
  if (args.table != nullptr) return args.table[static_cast<const std::uint8_t*>(args.src)[at]];
  return read_real(args.input, args.src, at, args.src_scale, args.src_zero_point);
}

float element(const RowArgs& args, std::int64_t row, std::int64_t i) {
  float x = loaded(args, row * args.src_pitch + i);
  if (args.scale == RowScale::multiply) x *= args.factor;
  if (args.scale == RowScale::divide) x /= args.factor;
  if (args.addend == nullptr) return x;
  const float addend = args.addend[args.addend_row[row] + i];
  if (args.addend_use == RowAddend::sum) return x + addend;
  return (addend == 0) == (args.addend_use == RowAddend::replaces_at_zero) ? args.replacement : x;
}

void write(const RowArgs& args, std::int64_t row, std::int64_t i, float y) {
  write_real(args.output, args.dst, row * args.dst_pitch + i, y, args.dst_scale,
             args.dst_zero_point);
}

/// partial = add(partial, i) for the sum that element i belongs to; then all of them.
template <class Add>
float sum_of(std::int64_t length, const Add& add) {
  float partial[16] = {};
  for (std::int64_t i = 0; i < length; ++i) partial[i % 16] = add(partial[i % 16], i);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) partial[i] += partial[i + half];
  return partial[0];
}

void softmax(const RowArgs& args, std::int64_t row) {
  float* e = args.scratch;
  float highest = -INFINITY;
  for (std::int64_t i = 0; i < args.length; ++i) highest = std::max(highest, element(args, row, i));
  const bool only_normal = args.function == RowFunction::softmax;
  for (std::int64_t i = 0; i < args.length; ++i) {
    const float x = element(args, row, i) - highest;
    e[i] = only_normal && x < least_exponent ? 0.0f : exponential({x}).value;
  }
  const float sum = sum_of(args.length, [&](float s, std::int64_t i) { return s + e[i]; });
  if (args.function == RowFunction::softmax) {
    for (std::int64_t i = 0; i < args.length; ++i) write(args, row, i, e[i] / sum);
    return;
  }
  const float logarithm_of_sum = logarithm({sum}).value;
  for (std::int64_t i = 0; i < args.length; ++i)
    write(args, row, i, element(args, row, i) - highest - logarithm_of_sum);
}

void normalize(const RowArgs& args, std::int64_t row) {
  const auto length = static_cast<float>(args.length);
  float* d = args.scratch;
  float mean = 0;
  if (args.function == RowFunction::layer_norm)
    mean = sum_of(args.length, [&](float s, std::int64_t i) { return s + element(args, row, i); }) /
           length;
  for (std::int64_t i = 0; i < args.length; ++i) d[i] = element(args, row, i) - mean;
  const float squares =
      sum_of(args.length, [&](float s, std::int64_t i) { return std::fmaf(d[i], d[i], s); });
  const float deviation = std::sqrt(squares / length + args.epsilon);
  const std::int64_t first = (args.first_row + row) % args.period * (args.length / args.repeat);
  for (std::int64_t i = 0; i < args.length; ++i) {
    float y = d[i] / deviation;
    const std::int64_t at = first + i / args.repeat;
    if (args.beta)
      y = std::fmaf(y, args.gamma[at], args.beta[at]);
    else if (args.gamma)
      y *= args.gamma[at];
    write(args, row, i, y);
  }
}

void divide_by_norm(const RowArgs& args, std::int64_t row) {
  const bool absolute = args.function == RowFunction::l1_norm;
  const float sum = sum_of(args.length, [&](float s, std::int64_t i) {
    const float x = element(args, row, i);
    return absolute ? s + std::fabs(x) : std::fmaf(x, x, s);
  });
  const float norm = sum == 0 ? 1 : absolute ? sum : std::sqrt(sum);
  for (std::int64_t i = 0; i < args.length; ++i) write(args, row, i, element(args, row, i) / norm);
}

float power(float t, float exponent) {
  if (exponent == 1) return t;
  if (exponent == 0.5f) return std::sqrt(t);
  if (exponent == 0.75f) return std::sqrt(t) * std::sqrt(std::sqrt(t));
  return exponential({exponent * logarithm({t}).value}).value;
}

void divide_by_response(const RowArgs& args, std::int64_t row) {
  const Response& response = args.response;
  float* x = args.scratch;
  for (std::int64_t i = 0; i < args.length; ++i) x[i] = element(args, row, i);
  for (std::int64_t i = 0; i < args.length; ++i) {
    float squares = 0;
    for (std::int64_t k = std::max<std::int64_t>(i - response.before, 0);
         k <= std::min(i + response.after, args.length - 1); ++k)
      squares = std::fmaf(x[k], x[k], squares);
    write(args, row, i,
          x[i] / power(std::fmaf(response.factor, squares, response.bias), response.exponent));
  }
}

/// By function.
constexpr void (*run_row[])(const RowArgs&, std::int64_t) = {
    softmax, softmax, normalize, normalize, divide_by_norm, divide_by_norm, divide_by_response};

}  // namespace

void rows(const RowArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row)
    run_row[static_cast<int>(args.function)](args, row);
}

}  // namespace intact::kernels::reference

// The scalar definition of the element-wise kernels, one element after the other.

#include <algorithm>
#include <cmath>

#include "kernels/elementwise/implementations.hpp"
#include "kernels/elementwise/lanes_scalar.hpp"
// Over the lanes included above.
#include "kernels/elementwise/functions.hpp"

namespace intact::kernels::reference {
namespace {

/// Calls `body(row, channel)` for every element of this part's rows.
template <class Body>
void for_each_element(std::int64_t rows, std::int64_t channels, Part part, const Body& body) {
  const Range range = split(rows, part);
  for (std::int64_t row = range.begin; row < range.end; ++row) {
    for (std::int64_t channel = 0; channel < channels; ++channel) body(row, channel);
  }
}

template <class Operand>
auto element(const Operand& operand, std::int64_t row, std::int64_t channel) {
  return operand.data[row * operand.pitch + channel * operand.step];
}

float byte_operand_value(const ByteOperand& operand, std::int64_t row, std::int64_t channel) {
  return static_cast<float>(element(operand, row, channel) - operand.zero_point);
}

std::uint8_t requantize(float t, const Epilogue& epilogue) {
  const double limit = 1 << 24;
  if (std::isnan(t)) t = static_cast<float>(-limit);
  const double rounded = std::clamp<double>(std::nearbyint(t), -limit, limit);
  const auto q = static_cast<std::uint8_t>(std::clamp<std::int64_t>(
      static_cast<std::int64_t>(rounded) + epilogue.zero_point, epilogue.lower, epilogue.upper));
  return epilogue.table ? epilogue.table[q] : q;
}

void write(float t, const Epilogue& epilogue, void* dst, std::int64_t i) {
  if (epilogue.output == Output::f32) {
    static_cast<float*>(dst)[i] = clamp({t}, {epilogue.float_lower}, {epilogue.float_upper}).value;
  } else {
    static_cast<std::uint8_t*>(dst)[i] = requantize(t, epilogue);
  }
}

float binary_value(FloatBinary operation, Floats a, Floats b) {
  switch (operation) {
    case FloatBinary::add:
      return binary<FloatBinary::add>(a, b).value;
    case FloatBinary::sub:
      return binary<FloatBinary::sub>(a, b).value;
    case FloatBinary::mul:
      return binary<FloatBinary::mul>(a, b).value;
    case FloatBinary::div:
      return binary<FloatBinary::div>(a, b).value;
    case FloatBinary::max:
      return binary<FloatBinary::max>(a, b).value;
    case FloatBinary::min:
      return binary<FloatBinary::min>(a, b).value;
    case FloatBinary::prelu:
      return binary<FloatBinary::prelu>(a, b).value;
  }
  return 0;
}

float byte_binary_value(ByteBinary operation, Floats a, Floats b, const ByteArithmetic& by) {
  switch (operation) {
    case ByteBinary::add:
      return kernels::byte_binary_value<ByteBinary::add>(a, b, by).value;
    case ByteBinary::mul:
      return kernels::byte_binary_value<ByteBinary::mul>(a, b, by).value;
    case ByteBinary::div:
      return kernels::byte_binary_value<ByteBinary::div>(a, b, by).value;
    case ByteBinary::max:
      return kernels::byte_binary_value<ByteBinary::max>(a, b, by).value;
    case ByteBinary::min:
      return kernels::byte_binary_value<ByteBinary::min>(a, b, by).value;
  }
  return 0;
}

float unary_value(FloatUnary function, Floats x, Floats alpha, Floats beta) {
  switch (function) {
    case FloatUnary::clip:
      return unary<FloatUnary::clip>(x, alpha, beta).value;
    case FloatUnary::leaky_relu:
      return unary<FloatUnary::leaky_relu>(x, alpha, beta).value;
    case FloatUnary::hard_sigmoid:
      return unary<FloatUnary::hard_sigmoid>(x, alpha, beta).value;
    case FloatUnary::hard_swish:
      return unary<FloatUnary::hard_swish>(x, alpha, beta).value;
    case FloatUnary::sigmoid:
      return unary<FloatUnary::sigmoid>(x, alpha, beta).value;
    case FloatUnary::tanh:
      return unary<FloatUnary::tanh>(x, alpha, beta).value;
    case FloatUnary::silu:
      return unary<FloatUnary::silu>(x, alpha, beta).value;
    case FloatUnary::exp:
      return unary<FloatUnary::exp>(x, alpha, beta).value;
    case FloatUnary::gelu_erf:
      return unary<FloatUnary::gelu_erf>(x, alpha, beta).value;
    case FloatUnary::elu:
      return unary<FloatUnary::elu>(x, alpha, beta).value;
    case FloatUnary::gelu_tanh:
      return unary<FloatUnary::gelu_tanh>(x, alpha, beta).value;
    case FloatUnary::mish:
      return unary<FloatUnary::mish>(x, alpha, beta).value;
    case FloatUnary::square_root:
      return unary<FloatUnary::square_root>(x, alpha, beta).value;
    case FloatUnary::reciprocal:
      return unary<FloatUnary::reciprocal>(x, alpha, beta).value;
    case FloatUnary::square:
      return unary<FloatUnary::square>(x, alpha, beta).value;
    case FloatUnary::absolute:
      return unary<FloatUnary::absolute>(x, alpha, beta).value;
    case FloatUnary::negative:
      return unary<FloatUnary::negative>(x, alpha, beta).value;
    case FloatUnary::error_function:
      return unary<FloatUnary::error_function>(x, alpha, beta).value;
    case FloatUnary::natural_logarithm:
      return unary<FloatUnary::natural_logarithm>(x, alpha, beta).value;
    case FloatUnary::softplus:
      return unary<FloatUnary::softplus>(x, alpha, beta).value;
    case FloatUnary::softsign:
      return unary<FloatUnary::softsign>(x, alpha, beta).value;
    case FloatUnary::nearest_even:
      return unary<FloatUnary::nearest_even>(x, alpha, beta).value;
    case FloatUnary::floor:
      return unary<FloatUnary::floor>(x, alpha, beta).value;
    case FloatUnary::ceiling:
      return unary<FloatUnary::ceiling>(x, alpha, beta).value;
  }
  return 0;
}

}  // namespace

void byte_binary(const ByteBinaryArgs& args, Part part) {
  const ByteArithmetic by = byte_arithmetic(args);
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    const float a = byte_operand_value(args.a, row, channel);
    const float b = byte_operand_value(args.b, row, channel);
    const float t = byte_binary_value(args.operation, {a}, {b}, by);
    write(t, args.epilogue, args.dst, row * args.dst_pitch + channel);
  });
}

void byte_sum(const ByteSumArgs& args, Part part) {
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    const float first = byte_operand_value(args.terms[0], row, channel);
    float t = args.addend ? std::fmaf(first, args.multiplier[0], args.addend[channel])
                          : first * args.multiplier[0];
    for (int k = 1; k < args.count; ++k)
      t = std::fmaf(byte_operand_value(args.terms[k], row, channel), args.multiplier[k], t);
    write(t, args.epilogue, args.dst, row * args.dst_pitch + channel);
  });
}

void affine(const AffineArgs& args, Part part) {
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    const std::int64_t i = row * args.src_pitch + channel;
    const float x = args.input == Output::f32
                        ? static_cast<const float*>(args.src)[i]
                        : static_cast<float>(static_cast<const std::uint8_t*>(args.src)[i] -
                                             args.src_zero_point);
    write(std::fmaf(x, args.factor[channel], args.addend[channel]), args.epilogue, args.dst,
          row * args.dst_pitch + channel);
  });
}

void table_to_bytes(const TableArgs& args, Part part) {
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    static_cast<std::uint8_t*>(args.dst)[row * args.dst_pitch + channel] =
        static_cast<const std::uint8_t*>(args.table)[args.src[row * args.src_pitch + channel]];
  });
}

void table_to_floats(const TableArgs& args, Part part) {
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    static_cast<float*>(args.dst)[row * args.dst_pitch + channel] =
        static_cast<const float*>(args.table)[args.src[row * args.src_pitch + channel]];
  });
}

namespace {

template <class From, class To>
void look_up(const WordTableArgs& args, Part part) {
  using Entry = std::conditional_t<std::is_same_v<To, float>, float, std::uint16_t>;
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    const From index = static_cast<const From*>(args.src)[row * args.src_pitch + channel];
    static_cast<To*>(args.dst)[row * args.dst_pitch + channel] =
        static_cast<To>(static_cast<const Entry*>(args.table)[index]);
  });
}

}  // namespace

void word_table(const WordTableArgs& args, Part part) {
  if (args.input == Element::u8) return look_up<std::uint8_t, std::uint16_t>(args, part);
  if (args.output == Element::u8) return look_up<std::uint16_t, std::uint8_t>(args, part);
  if (args.output == Element::f32) return look_up<std::uint16_t, float>(args, part);
  look_up<std::uint16_t, std::uint16_t>(args, part);
}

void float_binary(const FloatBinaryArgs& args, Part part) {
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    const Floats a = {element(args.a, row, channel)};
    const Floats b = {element(args.b, row, channel)};
    args.dst[row * args.dst_pitch + channel] =
        clamp({binary_value(args.operation, a, b)}, {args.lower}, {args.upper}).value;
  });
}

void float_unary(const FloatUnaryArgs& args, Part part) {
  for_each_element(args.rows, args.channels, part, [&](std::int64_t row, std::int64_t channel) {
    const Floats x = {args.src[row * args.src_pitch + channel]};
    args.dst[row * args.dst_pitch + channel] =
        unary_value(args.function, x, {args.alpha}, {args.beta});
  });
}

}  // namespace intact::kernels::reference

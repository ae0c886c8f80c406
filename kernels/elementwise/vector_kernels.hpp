// The element-wise kernels, written once over the lane types of whichever lanes_*.hpp was included
// before this file. Rows are walked in blocks of 4 vectors (bytes) or one (floats), then the
// remainder in vectors of which only the first lanes are read and written.
#pragma once

#include <type_traits>

#include "kernels/elementwise/functions.hpp"

namespace intact::kernels {
namespace {

/// One operand of a row of bytes: integers minus zero point, as floats.
template <bool repeated>
struct ByteSource {
  const std::uint8_t* data;
  Ints zero_point;
  Floats offset;  ///< 2^23 + zero_point
  Floats value;   ///< of the only element, if it is repeated

  /// Bytes::size elements, consecutive or in the order of widen_in_lanes.
  template <bool consecutive>
  [[gnu::always_inline]] void load_block(std::int64_t i, Floats (&to)[4]) const {
    if constexpr (repeated) {
      for (Floats& x : to) x = value;
    } else {
      Bytes bytes;
      load(bytes, data + i);
      widen_in_lanes(consecutive ? spread_over_lanes(bytes) : bytes, to);
      for (Floats& x : to) x = x - offset;
    }
  }
  [[gnu::always_inline]] Floats first_at(std::int64_t i, int count) const {
    if constexpr (repeated) return value;
    return to_floats(widen_first(data + i, count) - zero_point);
  }
};
template <bool repeated>
[[gnu::always_inline]] inline ByteSource<repeated> byte_source(const ByteOperand& operand,
                                                               std::int64_t row) {
  const std::uint8_t* data = operand.data + row * operand.pitch;
  return {data, integer_constant(operand.zero_point),
          constant(static_cast<float>((1 << 23) + operand.zero_point)),
          constant(static_cast<float>(data[0] - operand.zero_point))};
}

/// Where the results of a row of bytes go.
template <bool has_table>
struct ByteSink {
  static constexpr bool consecutive = false;
  std::uint8_t* data;
  Floats lowest, greatest;  ///< keep the conversion to integers within range
  std::int32_t zero_point;
  Bytes lower, upper;
  const ByteTable& table;

  /// NaN becomes the lowest.
  [[gnu::always_inline]] Floats without_nan(Floats t) const { return maximum(t, lowest); }
  [[gnu::always_inline]] Ints rounded(Floats t) const { return round(minimum(t, greatest)); }
  [[gnu::always_inline]] Bytes finish(Bytes q) const {
    q = minimum(maximum(q, lower), upper);
    if constexpr (has_table) q = lookup(table, q);
    return q;
  }
  [[gnu::always_inline]] void put(std::int64_t i, const Floats (&t)[4]) const {
    const Ints q[4] = {rounded(t[0]), rounded(t[1]), rounded(t[2]), rounded(t[3])};
    store(data + i, finish(narrow_in_lanes(q, zero_point)));
  }
  /// The same for results of consecutive elements.
  [[gnu::always_inline]] void put_consecutive(std::int64_t i, const Floats (&t)[4]) const {
    const Ints q[4] = {rounded(t[0]), rounded(t[1]), rounded(t[2]), rounded(t[3])};
    store(data + i, finish(narrow(q, zero_point)));
  }
  [[gnu::always_inline]] void put_first(std::int64_t i, Floats t, int count) const {
    store_first(data + i, finish(narrow(rounded(t), zero_point)), count);
  }
};

struct FloatSink {
  static constexpr bool consecutive = true;
  float* data;
  Floats lower, upper;

  [[gnu::always_inline]] Floats without_nan(Floats t) const { return t; }
  [[gnu::always_inline]] void put(std::int64_t i, const Floats (&t)[4]) const {
    for (int k = 0; k < 4; ++k) store(data + i + k * Floats::size, clamp(t[k], lower, upper));
  }
  [[gnu::always_inline]] void put_consecutive(std::int64_t i, const Floats (&t)[4]) const {
    put(i, t);
  }
  [[gnu::always_inline]] void put_first(std::int64_t i, Floats t, int count) const {
    store_first(data + i, clamp(t, lower, upper), count);
  }
};

template <ByteBinary operation, class A, class B, class Sink>
[[gnu::always_inline]] inline void byte_binary_row(std::int64_t channels, const A& a, const B& b,
                                                   const ByteArithmetic& by, const Sink& sink) {
  constexpr int width = Floats::size;
  const auto value = [&](Floats x, Floats y) __attribute__((always_inline)) {
    const Floats t = byte_binary_value<operation>(x, y, by);
    // A quotient alone can be NaN.
    if constexpr (operation == ByteBinary::div) return sink.without_nan(t);
    return t;
  };
  std::int64_t i = 0;
  for (; i + 4 * width <= channels; i += 4 * width) {
    Floats x[4], y[4], t[4];
    a.template load_block<Sink::consecutive>(i, x);
    b.template load_block<Sink::consecutive>(i, y);
    for (int k = 0; k < 4; ++k) t[k] = value(x[k], y[k]);
    sink.put(i, t);
  }
  for (; i < channels; i += width) {
    const int count = static_cast<int>(channels - i < width ? channels - i : width);
    sink.put_first(i, value(a.first_at(i, count), b.first_at(i, count)), count);
  }
}

/// Calls `run(row, sink)` for each row with the sink that the epilogue asks for.
template <class Args, class Run>
[[gnu::always_inline]] inline void for_each_sink(const Args& args, const Run& run) {
  const Epilogue& epilogue = args.epilogue;
  ByteTable table = {};
  if (epilogue.table) load(table, epilogue.table);
  Bytes lower, upper;
  broadcast(lower, static_cast<std::uint8_t>(epilogue.lower));
  broadcast(upper, static_cast<std::uint8_t>(epilogue.upper));
  const Floats lowest = constant(static_cast<float>(epilogue.lower - epilogue.zero_point));
  const Floats greatest = constant(static_cast<float>(epilogue.upper - epilogue.zero_point));
  for (std::int64_t row = 0; row < args.rows; ++row) {
    if (epilogue.output == Output::f32) {
      run(row, FloatSink{static_cast<float*>(args.dst) + row * args.dst_pitch,
                         constant(epilogue.float_lower), constant(epilogue.float_upper)});
      continue;
    }
    std::uint8_t* dst = static_cast<std::uint8_t*>(args.dst) + row * args.dst_pitch;
    if (epilogue.table) {
      run(row, ByteSink<true>{dst, lowest, greatest, epilogue.zero_point, lower, upper, table});
    } else {
      run(row, ByteSink<false>{dst, lowest, greatest, epilogue.zero_point, lower, upper, table});
    }
  }
}

template <ByteBinary operation, bool repeat_a, bool repeat_b>
void byte_binary_rows(const ByteBinaryArgs& args) {
  const ByteArithmetic by = byte_arithmetic(args);
  const auto run = [&](std::int64_t row, const auto& sink) __attribute__((always_inline)) {
    const auto a = byte_source<repeat_a>(args.a, row);
    const auto b = byte_source<repeat_b>(args.b, row);
    byte_binary_row<operation>(args.channels, a, b, by, sink);
  };
  for_each_sink(args, run);
}

template <ByteBinary operation>
void byte_binary_steps(const ByteBinaryArgs& args) {
  if (args.a.step && args.b.step) return byte_binary_rows<operation, false, false>(args);
  if (args.a.step) return byte_binary_rows<operation, false, true>(args);
  if (args.b.step) return byte_binary_rows<operation, true, false>(args);
  byte_binary_rows<operation, true, true>(args);
}

/// The sum at `count` channels from `i`, in natural order.
[[gnu::always_inline]] inline Floats byte_sum_first(const ByteSumArgs& args, std::int64_t row,
                                                    std::int64_t i, int count) {
  Floats t = byte_source<false>(args.terms[0], row).first_at(i, count);
  const Floats multiplier = constant(args.multiplier[0]);
  if (args.addend) {
    Floats addend;
    load_first(addend, args.addend + i, count);
    t = fma(t, multiplier, addend);
  } else {
    t = t * multiplier;
  }
  for (int k = 1; k < args.count; ++k) {
    t = fma(byte_source<false>(args.terms[k], row).first_at(i, count), constant(args.multiplier[k]),
            t);
  }
  return t;
}

void byte_sum_all(const ByteSumArgs& args) {
  constexpr int width = Floats::size;
  const auto run = [&](std::int64_t row, const auto& sink) __attribute__((always_inline)) {
    constexpr bool consecutive = std::remove_cvref_t<decltype(sink)>::consecutive;
    std::int64_t i = 0;
    // Blocks may come in the order of the lanes, in which an addend would have to be permuted.
    for (; !args.addend && i + 4 * width <= args.channels; i += 4 * width) {
      Floats t[4], x[4];
      byte_source<false>(args.terms[0], row).template load_block<consecutive>(i, t);
      for (Floats& sum : t) sum = sum * constant(args.multiplier[0]);
      for (int k = 1; k < args.count; ++k) {
        byte_source<false>(args.terms[k], row).template load_block<consecutive>(i, x);
        for (int j = 0; j < 4; ++j) t[j] = fma(x[j], constant(args.multiplier[k]), t[j]);
      }
      sink.put(i, t);
    }
    for (; i < args.channels; i += width) {
      const int count = static_cast<int>(args.channels - i < width ? args.channels - i : width);
      sink.put_first(i, byte_sum_first(args, row, i, count), count);
    }
  };
  for_each_sink(args, run);
}

/// A row of floats as a source, with the interface of ByteSource.
struct FloatSource {
  const float* data;

  template <bool consecutive>
  [[gnu::always_inline]] void load_block(std::int64_t i, Floats (&to)[4]) const {
    for (int k = 0; k < 4; ++k) load(to[k], data + i + k * Floats::size);
  }
  [[gnu::always_inline]] Floats first_at(std::int64_t i, int count) const {
    Floats x;
    load_first(x, data + i, count);
    return x;
  }
};

template <class Source, class Sink>
[[gnu::always_inline]] inline void affine_row(const AffineArgs& args, const Source& source,
                                              const Sink& sink) {
  constexpr int width = Floats::size;
  std::int64_t i = 0;
  for (; i + 4 * width <= args.channels; i += 4 * width) {
    Floats t[4];
    source.template load_block<true>(i, t);
    for (int k = 0; k < 4; ++k) {
      Floats factor, addend;
      load(factor, args.factor + i + k * width);
      load(addend, args.addend + i + k * width);
      t[k] = sink.without_nan(fma(t[k], factor, addend));
    }
    sink.put_consecutive(i, t);
  }
  for (; i < args.channels; i += width) {
    const int count = static_cast<int>(args.channels - i < width ? args.channels - i : width);
    Floats factor, addend;
    load_first(factor, args.factor + i, count);
    load_first(addend, args.addend + i, count);
    sink.put_first(i, sink.without_nan(fma(source.first_at(i, count), factor, addend)), count);
  }
}

void affine_all(const AffineArgs& args) {
  const auto run = [&](std::int64_t row, const auto& sink) __attribute__((always_inline)) {
    if (args.input == Output::f32) {
      affine_row(args, FloatSource{static_cast<const float*>(args.src) + row * args.src_pitch},
                 sink);
    } else {
      const ByteOperand operand = {static_cast<const std::uint8_t*>(args.src), args.src_pitch, 1,
                                   args.src_zero_point};
      affine_row(args, byte_source<false>(operand, row), sink);
    }
  };
  for_each_sink(args, run);
}

void byte_binary_all(const ByteBinaryArgs& args) {
  switch (args.operation) {
    case ByteBinary::add:
      return byte_binary_steps<ByteBinary::add>(args);
    case ByteBinary::mul:
      return byte_binary_steps<ByteBinary::mul>(args);
    case ByteBinary::div:
      return byte_binary_steps<ByteBinary::div>(args);
    case ByteBinary::max:
      return byte_binary_steps<ByteBinary::max>(args);
    case ByteBinary::min:
      return byte_binary_steps<ByteBinary::min>(args);
  }
}

void table_to_bytes_all(const TableArgs& args) {
  ByteTable table;
  load(table, static_cast<const std::uint8_t*>(args.table));
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const std::uint8_t* src = args.src + row * args.src_pitch;
    std::uint8_t* dst = static_cast<std::uint8_t*>(args.dst) + row * args.dst_pitch;
    Bytes bytes;
    std::int64_t i = 0;
    for (; i + Bytes::size <= args.channels; i += Bytes::size) {
      load(bytes, src + i);
      store(dst + i, lookup(table, bytes));
    }
    if (i < args.channels) {
      const int count = static_cast<int>(args.channels - i);
      load_first(bytes, src + i, count);
      store_first(dst + i, lookup(table, bytes), count);
    }
  }
}

[[gnu::always_inline]] inline void look_up(const float* table, Ints index, float* dst, int count) {
  store_first(dst, lookup(table, index), count);
}
[[gnu::always_inline]] inline void look_up(const std::uint16_t* table, Ints index,
                                           std::uint16_t* dst, int count) {
  store_first(dst, lookup(table, index), count);
}
[[gnu::always_inline]] inline void look_up(const std::uint16_t* table, Ints index,
                                           std::uint8_t* dst, int count) {
  store_first(dst, narrow(lookup(table, index), 0), count);
}

template <class From, class To>
void look_up_rows(const WordTableArgs& args) {
  using Entry = std::conditional_t<std::is_same_v<To, float>, float, std::uint16_t>;
  constexpr int width = Floats::size;
  const Entry* table = static_cast<const Entry*>(args.table);
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const From* src = static_cast<const From*>(args.src) + row * args.src_pitch;
    To* dst = static_cast<To*>(args.dst) + row * args.dst_pitch;
    std::int64_t i = 0;
    for (; i + width <= args.channels; i += width) look_up(table, widen(src + i), dst + i, width);
    if (i < args.channels) {
      const int count = static_cast<int>(args.channels - i);
      look_up(table, widen_first(src + i, count), dst + i, count);
    }
  }
}

void word_table_all(const WordTableArgs& args) {
  if (args.input == Element::u8) return look_up_rows<std::uint8_t, std::uint16_t>(args);
  if (args.output == Element::u8) return look_up_rows<std::uint16_t, std::uint8_t>(args);
  if (args.output == Element::f32) return look_up_rows<std::uint16_t, float>(args);
  look_up_rows<std::uint16_t, std::uint16_t>(args);
}

/// Applies `compute(Floats a, Floats b)` to rows; for a unary function both operands are the same.
template <class Compute>
[[gnu::always_inline]] inline void float_row(std::int64_t channels, const float* a, int step_a,
                                             const float* b, int step_b, float* dst,
                                             const Compute& compute) {
  constexpr int width = Floats::size;
  Floats x = constant(*a), y = constant(*b);
  std::int64_t i = 0;
  for (; i + width <= channels; i += width) {
    if (step_a) load(x, a + i);
    if (step_b) load(y, b + i);
    store(dst + i, compute(x, y));
  }
  if (i < channels) {
    const int count = static_cast<int>(channels - i);
    if (step_a) load_first(x, a + i, count);
    if (step_b) load_first(y, b + i, count);
    store_first(dst + i, compute(x, y), count);
  }
}

template <FloatBinary operation>
void float_binary_rows(const FloatBinaryArgs& args) {
  const Floats lower = constant(args.lower), upper = constant(args.upper);
  const auto compute = [&](Floats a, Floats b) __attribute__((always_inline)) {
    return clamp(binary<operation>(a, b), lower, upper);
  };
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* a = args.a.data + row * args.a.pitch;
    const float* b = args.b.data + row * args.b.pitch;
    float* dst = args.dst + row * args.dst_pitch;
    if (args.a.step && args.b.step) {
      float_row(args.channels, a, 1, b, 1, dst, compute);
    } else {
      float_row(args.channels, a, args.a.step, b, args.b.step, dst, compute);
    }
  }
}

void float_binary_all(const FloatBinaryArgs& args) {
  switch (args.operation) {
    case FloatBinary::add:
      return float_binary_rows<FloatBinary::add>(args);
    case FloatBinary::sub:
      return float_binary_rows<FloatBinary::sub>(args);
    case FloatBinary::mul:
      return float_binary_rows<FloatBinary::mul>(args);
    case FloatBinary::div:
      return float_binary_rows<FloatBinary::div>(args);
    case FloatBinary::max:
      return float_binary_rows<FloatBinary::max>(args);
    case FloatBinary::min:
      return float_binary_rows<FloatBinary::min>(args);
    case FloatBinary::prelu:
      return float_binary_rows<FloatBinary::prelu>(args);
  }
}

template <FloatUnary function>
void float_unary_rows(const FloatUnaryArgs& args) {
  const Floats alpha = constant(args.alpha), beta = constant(args.beta);
  const auto compute = [&](Floats x, Floats) __attribute__((always_inline)) {
    return unary<function>(x, alpha, beta);
  };
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* src = args.src + row * args.src_pitch;
    float_row(args.channels, src, 1, src, 0, args.dst + row * args.dst_pitch, compute);
  }
}

void float_unary_all(const FloatUnaryArgs& args) {
  switch (args.function) {
    case FloatUnary::clip:
      return float_unary_rows<FloatUnary::clip>(args);
    case FloatUnary::leaky_relu:
      return float_unary_rows<FloatUnary::leaky_relu>(args);
    case FloatUnary::hard_sigmoid:
      return float_unary_rows<FloatUnary::hard_sigmoid>(args);
    case FloatUnary::hard_swish:
      return float_unary_rows<FloatUnary::hard_swish>(args);
    case FloatUnary::sigmoid:
      return float_unary_rows<FloatUnary::sigmoid>(args);
    case FloatUnary::tanh:
      return float_unary_rows<FloatUnary::tanh>(args);
    case FloatUnary::silu:
      return float_unary_rows<FloatUnary::silu>(args);
    case FloatUnary::exp:
      return float_unary_rows<FloatUnary::exp>(args);
    case FloatUnary::gelu_erf:
      return float_unary_rows<FloatUnary::gelu_erf>(args);
    case FloatUnary::elu:
      return float_unary_rows<FloatUnary::elu>(args);
    case FloatUnary::gelu_tanh:
      return float_unary_rows<FloatUnary::gelu_tanh>(args);
    case FloatUnary::mish:
      return float_unary_rows<FloatUnary::mish>(args);
    case FloatUnary::square_root:
      return float_unary_rows<FloatUnary::square_root>(args);
    case FloatUnary::reciprocal:
      return float_unary_rows<FloatUnary::reciprocal>(args);
    case FloatUnary::square:
      return float_unary_rows<FloatUnary::square>(args);
    case FloatUnary::absolute:
      return float_unary_rows<FloatUnary::absolute>(args);
    case FloatUnary::negative:
      return float_unary_rows<FloatUnary::negative>(args);
    case FloatUnary::error_function:
      return float_unary_rows<FloatUnary::error_function>(args);
    case FloatUnary::natural_logarithm:
      return float_unary_rows<FloatUnary::natural_logarithm>(args);
    case FloatUnary::softplus:
      return float_unary_rows<FloatUnary::softplus>(args);
    case FloatUnary::softsign:
      return float_unary_rows<FloatUnary::softsign>(args);
    case FloatUnary::nearest_even:
      return float_unary_rows<FloatUnary::nearest_even>(args);
    case FloatUnary::floor:
      return float_unary_rows<FloatUnary::floor>(args);
    case FloatUnary::ceiling:
      return float_unary_rows<FloatUnary::ceiling>(args);
  }
}

}  // namespace
}  // namespace intact::kernels

// Softmax and normalizations, written once over the lane types of whichever lanes_*.hpp was
// included before this file. A row is padded in scratch to whole groups of 16 with elements that do
// not count (softmax: -infinity; normalizations: 0), so only loads and stores know of tails.
#pragma once

#include "kernels/lane_groups.hpp"
#include "kernels/quantize/quotient.hpp"
#include "kernels/rows/rows.hpp"

namespace intact::kernels {
namespace {

[[gnu::always_inline]] inline std::int64_t padded_length(const RowArgs& args) {
  return (args.length + 15) / 16 * 16;
}

/// Calls body(lanes, sum) for all of a padded row and the register of `group` they belong to.
template <class Body>
[[gnu::always_inline]] inline void accumulate(const float* row, std::int64_t padded, Group& group,
                                              const Body& body) {
  for (std::int64_t i = 0; i < padded; i += 16)
    for (int k = 0; k < Group::registers; ++k) {
      Floats x;
      load(x, row + i + k * Floats::size);
      group.part[k] = body(x, group.part[k]);
    }
}

/// Replaces every element of a padded row by body(element).
template <class Body>
[[gnu::always_inline]] inline void replace(float* row, std::int64_t padded, const Body& body) {
  for (std::int64_t i = 0; i < padded; i += Floats::size) {
    Floats x;
    load(x, row + i);
    store(row + i, body(x));
  }
}

/// Both at once: the group takes in the replaced elements.
template <class Replace, class Add>
[[gnu::always_inline]] inline void replace_and_accumulate(float* row, std::int64_t padded,
                                                          Group& group, const Replace& replaced,
                                                          const Add& add) {
  for (std::int64_t i = 0; i < padded; i += 16)
    for (int k = 0; k < Group::registers; ++k) {
      Floats x;
      load(x, row + i + k * Floats::size);
      x = replaced(x);
      store(row + i + k * Floats::size, x);
      group.part[k] = add(x, group.part[k]);
    }
}

[[gnu::always_inline]] inline int lanes_left(std::int64_t count) {
  return count < Floats::size ? static_cast<int>(count) : Floats::size;
}

template <class Integer>
[[gnu::always_inline]] inline Ints widen_lanes(const Integer* src, int count) {
  return count == Floats::size ? widen(src) : widen_first(src, count);
}

/// Sets what a padded row has beyond its elements.
void pad_row(const RowArgs& args, float x) {
  for (std::int64_t i = args.length; i < padded_length(args); ++i) args.scratch[i] = x;
}

/// Below this, what a division computes on the way may be subnormal: inexact, or slow.
constexpr float least_dividend = 0x1p-70f;

/// x / divisor to the bit, without dividing where that is sure: the divisor has a reciprocal
/// (kernels/reciprocal.hpp) and |x| lies between least_dividend and 2^100, or x is +0.
struct RowQuotient {
  Floats divisor;
  NormalQuotient normal;
  bool divides;

  [[gnu::always_inline]] explicit RowQuotient(float by)
      : divisor(constant(by)), normal(by), divides(!has_reciprocal(by)) {}
  /// For such x.
  [[gnu::always_inline]] Floats of_normal(Floats x) const {
    return divides ? x / divisor : normal(x);
  }
  /// For such x where no lane is in doubt.
  [[gnu::always_inline]] Floats of(Floats x, Mask in_doubt) const {
    return any(in_doubt) ? x / divisor : of_normal(x);
  }
};

/// x / factor to the bit. Without dividing where neither the quotient nor a remainder comes near to
/// the ends of the exponents: for factors of medium size, and |x| from least_dividend to 2^40.
struct FactorQuotient {
  Floats factor;
  NormalQuotient normal;
  bool medium;

  [[gnu::always_inline]] explicit FactorQuotient(float by)
      : factor(constant(by)), normal(by), medium(by >= 0x1p-20f && by <= 0x1p20f) {}
  [[gnu::always_inline]] Floats operator()(Floats x) const {
    const Floats size = absolute(x);
    const Mask inside = both(less(constant(least_dividend), size), less(size, constant(0x1p40f)));
    return medium && all(inside) ? normal(x) : x / factor;
  }
};

/// scratch[i] = load(i, count) for a row, then the scale and the addend, and `padding` behind its
/// elements. The group takes in all of the padded row.
template <class Load, class Add>
[[gnu::always_inline]] inline void load_row_from(const RowArgs& args, std::int64_t row,
                                                 float padding, Group& group, const Add& add,
                                                 const Load& load_lanes) {
  constexpr int size = Floats::size;
  const float* const addend = args.addend ? args.addend + args.addend_row[row] : nullptr;
  const Floats factor = constant(args.factor);
  const FactorQuotient quotient(args.factor);
  const Floats replacement = constant(args.replacement);
  const auto prepared = [&](std::int64_t i, int count) __attribute__((always_inline)) {
    Floats x = load_lanes(row * args.src_pitch + i, count);
    if (args.scale == RowScale::multiply) x = x * factor;
    if (args.scale == RowScale::divide) x = quotient(x);
    if (addend != nullptr) {
      Floats y;
      load_first(y, addend + i, count);
      if (args.addend_use == RowAddend::sum) {
        x = x + y;
      } else {
        const Mask ones = less(constant(0), y);
        x = args.addend_use == RowAddend::replaces_at_zero ? select(ones, x, replacement)
                                                           : select(ones, replacement, x);
      }
    }
    store(args.scratch + i, x);
    return x;
  };
  Group all = group;
  const std::int64_t whole = args.length / 16 * 16;
  for (std::int64_t i = 0; i < whole; i += 16)
    for (int k = 0; k < Group::registers; ++k)
      all.part[k] = add(prepared(i + k * size, size), all.part[k]);
  for (std::int64_t i = whole; i < args.length; i += size) prepared(i, lanes_left(args.length - i));
  pad_row(args, padding);
  accumulate(args.scratch + whole, padded_length(args) - whole, all, add);
  group = all;
}

template <class Add>
[[gnu::always_inline]] inline void load_row(const RowArgs& args, std::int64_t row, float padding,
                                            Group& group, const Add& add) {
  const auto load_from = [&](const auto& load_lanes) __attribute__((always_inline)) {
    load_row_from(args, row, padding, group, add, load_lanes);
  };
  const auto* const bytes = static_cast<const std::uint8_t*>(args.src);
  if (args.input == Element::f32)
    return load_from([&](std::ptrdiff_t at, int count) {
      Floats x;
      load_first(x, static_cast<const float*>(args.src) + at, count);
      return x;
    });
  if (args.table != nullptr)
    return load_from([&](std::ptrdiff_t at, int count) {
      return lookup(args.table, widen_lanes(bytes + at, count));
    });
  const Ints zero_point = integer_constant(args.src_zero_point);
  const Floats scale = constant(args.src_scale);
  if (args.input == Element::u16)
    return load_from([&](std::ptrdiff_t at, int count) {
      const auto* const words = static_cast<const std::uint16_t*>(args.src);
      return to_floats(widen_lanes(words + at, count) - zero_point) * scale;
    });
  load_from([&](std::ptrdiff_t at, int count) {
    return to_floats(widen_lanes(bytes + at, count) - zero_point) * scale;
  });
}

/// body(i, count, x): the result of lanes i .. i + count - 1 from those of scratch, for elements
/// [begin, end) of the row.
template <class Body>
[[gnu::always_inline]] inline void store_range(const RowArgs& args, std::int64_t row,
                                               std::int64_t begin, std::int64_t end,
                                               const Body& body) {
  constexpr int size = Floats::size;
  const RowQuotient steps(args.dst_scale);
  const float unit = steps.divides ? 1.0f : args.dst_scale;
  const bool to_bytes = args.output == Element::u8, to_words = args.output == Element::u16;
  const Floats lowest = constant(static_cast<float>(-args.dst_zero_point) * unit);
  const Floats greatest =
      constant(static_cast<float>(greatest_of(args.output) - args.dst_zero_point) * unit);
  const Ints zero_point = integer_constant(args.dst_zero_point);
  const std::ptrdiff_t first = row * args.dst_pitch;
  auto* const bytes = static_cast<std::uint8_t*>(args.dst) + (to_bytes ? first : 0);
  auto* const words = static_cast<std::uint16_t*>(args.dst) + (to_words ? first : 0);
  auto* const floats = static_cast<float*>(args.dst) + (to_bytes || to_words ? 0 : first);
  // Quotients of the bounds round to the integers that they stand for, so clamping may come first,
  // where nothing overflows. What is too small for an exact remainder rounds to 0 all the same.
  const auto rounded = [&](Floats y) __attribute__((always_inline)) {
    if (steps.divides) return round(minimum(maximum(y / steps.divisor, lowest), greatest));
    return round(steps.of_normal(minimum(maximum(y, lowest), greatest)));
  };
  std::int64_t i = begin;
  for (; i + 4 * size <= end; i += 4 * size) {
    Floats y[4];
    for (int k = 0; k < 4; ++k) {
      load(y[k], args.scratch + i + k * size);
      y[k] = body(i + k * size, size, y[k]);
    }
    if (to_bytes) {
      const Ints q[4] = {rounded(y[0]), rounded(y[1]), rounded(y[2]), rounded(y[3])};
      store(bytes + i, narrow(q, args.dst_zero_point));
    } else if (to_words) {
      for (int k = 0; k < 4; ++k)
        store_first(words + i + k * size, rounded(y[k]) + zero_point, size);
    } else {
      for (int k = 0; k < 4; ++k) store(floats + i + k * size, y[k]);
    }
  }
  for (; i < end; i += size) {
    const int count = lanes_left(end - i);
    Floats x;
    load_first(x, args.scratch + i, count);
    const Floats y = body(i, count, x);
    if (to_bytes)
      store_first(bytes + i, narrow(rounded(y), args.dst_zero_point), count);
    else if (to_words)
      store_first(words + i, rounded(y) + zero_point, count);
    else
      store_first(floats + i, y, count);
  }
}

template <class Body>
[[gnu::always_inline]] inline void store_row(const RowArgs& args, std::int64_t row,
                                             const Body& body) {
  store_range(args, row, 0, args.length, body);
}

/// d / deviation, scaled and shifted.
void store_normalized(const RowArgs& args, std::int64_t row, float deviation) {
  // A deviation below 2^60 bounds every element of its row.
  const RowQuotient quotient(deviation);
  const auto normalized = [&](Floats d) __attribute__((always_inline)) {
    return quotient.of(d, less(absolute(d), constant(least_dividend)));
  };
  if (args.gamma == nullptr) {
    store_row(args, row, [&](std::int64_t, int, Floats d) { return normalized(d); });
    return;
  }
  const std::int64_t factors = args.length / args.repeat;
  const std::int64_t first = (args.first_row + row) % args.period * factors;
  const float* gammas = args.gamma + first;
  const float* betas = args.beta ? args.beta + first : nullptr;
  if (args.repeat == 1) {
    store_row(args, row, [&](std::int64_t i, int count, Floats d) {
      Floats gamma, beta;
      load_first(gamma, gammas + i, count);
      if (betas == nullptr) return normalized(d) * gamma;
      load_first(beta, betas + i, count);
      return fma(normalized(d), gamma, beta);
    });
    return;
  }
  for (std::int64_t k = 0; k < factors; ++k) {
    const Floats gamma = constant(gammas[k]), beta = constant(betas ? betas[k] : 0.0f);
    store_range(args, row, k * args.repeat, (k + 1) * args.repeat,
                [&](std::int64_t, int, Floats d) {
                  const Floats y = normalized(d);
                  return betas ? fma(y, gamma, beta) : y * gamma;
                });
  }
}

/// e^x for x <= 0, or 0 where that is no normal number: subnormal ones cost a hundred clocks each.
/// The same bits as `exponential`, which has to reach further.
[[gnu::always_inline]] inline Floats normal_exponential(Floats x) {
  const Floats least = constant(least_exponent);
  const Floats e = raised_exponential<0>(split_exponent(maximum(least, x)));
  return select(less(x, least), constant(0.0f), e);
}

/// Up to `rows_together` rows, one pass after the other over all of them: so the reductions of a
/// row go on beside the others.
struct RowBatch {
  RowArgs args;  ///< scratch: that of the current row
  std::int64_t first = 0;
  int count = 0;
  std::int64_t padded = 0;
  float* scratch = nullptr;

  /// body(k, row) for each.
  template <class Body>
  [[gnu::always_inline]] void for_each(const Body& body) {
    for (int k = 0; k < count; ++k) {
      args.scratch = scratch + k * padded;
      body(k, first + k);
    }
  }
};

/// Divides e by its sum.
void store_shares(const RowArgs& args, std::int64_t row, float sum) {
  const RowQuotient share(sum);
  if (args.output == Element::u8 && args.dst_scale >= 0x1p-20f && has_reciprocal(args.dst_scale)) {
    // As a sum is at least 1, this and all that is less rounds to 0.
    const Floats least = constant(0x1p-24f);
    store_row(args, row,
              [&](std::int64_t, int, Floats e) { return share.of_normal(maximum(e, least)); });
  } else {
    store_row(args, row, [&](std::int64_t, int, Floats e) {
      return share.of(e, both(less(e, constant(least_dividend)), less(constant(0.0f), e)));
    });
  }
}

void softmax_rows(RowBatch& batch) {
  constexpr float infinity = __builtin_inff();
  const RowArgs& args = batch.args;
  Floats greatest[rows_together];
  float sum[rows_together];
  // Any NaN makes the sum NaN, whatever the maximum is.
  batch.for_each([&](int k, std::int64_t row) {
    Group highest(-infinity);
    load_row(args, row, -infinity, highest,
             [](Floats x, Floats so_far) { return maximum(x, so_far); });
    greatest[k] = constant(combined(highest, [](Floats a, Floats b) { return maximum(a, b); }));
  });
  if (args.function == RowFunction::softmax) {
    batch.for_each([&](int k, std::int64_t) {
      Group sums(0.0f);
      replace_and_accumulate(
          args.scratch, batch.padded, sums,
          [&](Floats x) { return normal_exponential(x - greatest[k]); },
          [](Floats e, Floats sum) { return sum + e; });
      sum[k] = total(sums);
    });
    batch.for_each([&](int k, std::int64_t row) { store_shares(args, row, sum[k]); });
    return;
  }
  batch.for_each([&](int k, std::int64_t) {
    Group sums(0.0f);
    replace(args.scratch, batch.padded, [&](Floats x) { return x - greatest[k]; });
    accumulate(args.scratch, batch.padded, sums,
               [](Floats x, Floats sum) { return sum + small_exponential(x); });
    sum[k] = total(sums);
  });
  batch.for_each([&](int k, std::int64_t row) {
    const Floats log_of_sum = logarithm(constant(sum[k]));
    store_row(args, row, [&](std::int64_t, int, Floats d) { return d - log_of_sum; });
  });
}

void normalize_rows(RowBatch& batch) {
  const RowArgs& args = batch.args;
  const float length = static_cast<float>(args.length);
  const auto add_square = [](Floats d, Floats sum) { return fma(d, d, sum); };
  float sum[rows_together], squares[rows_together];
  if (args.function == RowFunction::layer_norm) {
    batch.for_each([&](int k, std::int64_t row) {
      Group all(0.0f);
      load_row(args, row, 0.0f, all, [](Floats x, Floats so_far) { return so_far + x; });
      sum[k] = total(all);
    });
    batch.for_each([&](int k, std::int64_t) {
      Group all(0.0f);
      const Floats mean = constant(sum[k] / length);
      const auto center = [&](Floats x) { return x - mean; };
      const std::int64_t whole = args.length / 16 * 16;
      replace_and_accumulate(args.scratch, whole, all, center, add_square);
      replace(args.scratch + whole, batch.padded - whole, center);
      pad_row(args, 0.0f);
      accumulate(args.scratch + whole, batch.padded - whole, all, add_square);
      squares[k] = total(all);
    });
  } else {
    batch.for_each([&](int k, std::int64_t row) {
      Group all(0.0f);
      load_row(args, row, 0.0f, all, add_square);
      squares[k] = total(all);
    });
  }
  batch.for_each([&](int k, std::int64_t row) {
    store_normalized(args, row, __builtin_sqrtf(squares[k] / length + args.epsilon));
  });
}

void divide_by_norm(RowBatch& batch) {
  const RowArgs& args = batch.args;
  float norm[rows_together];
  batch.for_each([&](int k, std::int64_t row) {
    Group all(0.0f);
    if (args.function == RowFunction::l1_norm) {
      load_row(args, row, 0.0f, all, [](Floats x, Floats sum) { return sum + absolute(x); });
      norm[k] = total(all);
    } else {
      load_row(args, row, 0.0f, all, [](Floats x, Floats sum) { return fma(x, x, sum); });
      norm[k] = __builtin_sqrtf(total(all));
    }
  });
  batch.for_each(
      [&](int k, std::int64_t row) { store_normalized(args, row, norm[k] == 0 ? 1.0f : norm[k]); });
}

[[gnu::always_inline]] inline Floats power(Floats t, float exponent) {
  if (exponent == 1) return t;
  if (exponent == 0.5f) return square_root(t);
  if (exponent == 0.75f) return square_root(t) * square_root(square_root(t));
  return exponential(constant(exponent) * logarithm(t));
}

void divide_by_response(RowBatch& batch) {
  RowArgs& args = batch.args;
  const Response& response = args.response;
  const Floats factor = constant(response.factor), bias = constant(response.bias);
  float* const scratch = batch.scratch + Response::most_neighbours;
  for (int i = 0; i < Response::most_neighbours; ++i)
    batch.scratch[i] = scratch[batch.padded + i] = 0;
  for (int k = 0; k < batch.count; ++k) {
    args.scratch = scratch;
    Group none(0.0f);
    load_row(args, batch.first + k, 0.0f, none, [](Floats, Floats sum) { return sum; });
    store_row(args, batch.first + k, [&](std::int64_t i, int, Floats x) {
      Floats squares = constant(0.0f);
      for (std::int64_t j = i - response.before; j <= i + response.after; ++j) {
        Floats neighbour;
        load(neighbour, scratch + j);
        squares = fma(neighbour, neighbour, squares);
      }
      return x / power(fma(factor, squares, bias), response.exponent);
    });
  }
}

/// By function.
constexpr void (*run_batch[])(RowBatch&) = {softmax_rows,      softmax_rows,   normalize_rows,
                                            normalize_rows,    divide_by_norm, divide_by_norm,
                                            divide_by_response};

void all_rows(const RowArgs& args) {
  const int together = rows_at_a_time(args.length);
  RowBatch batch{args, 0, 0, padded_length(args), args.scratch};
  for (; batch.first < args.rows; batch.first += together) {
    const std::int64_t left = args.rows - batch.first;
    batch.count = left < together ? static_cast<int>(left) : together;
    run_batch[static_cast<int>(args.function)](batch);
  }
}

}  // namespace
}  // namespace intact::kernels

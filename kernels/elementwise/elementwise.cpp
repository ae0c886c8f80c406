// The lists of the element-wise kernels, and the division of their work among threads: operands
// that lie without gaps are taken as one long row, so that only its end is a remainder.

#include "kernels/elementwise/elementwise.hpp"

#include <algorithm>

#include "kernels/elementwise/implementations.hpp"

namespace intact::kernels {
namespace {

/// Has neither gaps nor repetition.
template <class Operand>
bool is_dense(const Operand& operand, std::int64_t channels) {
  return operand.step == 1 && operand.pitch == channels;
}
/// Repeats one element everywhere.
template <class Operand>
bool is_single(const Operand& operand) {
  return operand.step == 0 && operand.pitch == 0;
}
template <class Operand>
bool joins_rows(const Operand& operand, std::int64_t channels) {
  return is_dense(operand, channels) || is_single(operand);
}
/// Moves the start by whole rows and by channels.
template <class Operand>
void advance(Operand& operand, std::int64_t rows, std::int64_t channels) {
  operand.data += rows * operand.pitch + channels * operand.step;
}

bool joins_rows(const ByteBinaryArgs& args) {
  return joins_rows(args.a, args.channels) && joins_rows(args.b, args.channels) &&
         args.dst_pitch == args.channels;
}
bool joins_rows(const ByteSumArgs& args) {
  for (int k = 0; k < args.count; ++k)
    if (!joins_rows(args.terms[k], args.channels)) return false;
  return args.addend == nullptr && args.dst_pitch == args.channels;
}
bool joins_rows(const AffineArgs&) {
  return false;
}
bool joins_rows(const FloatBinaryArgs& args) {
  return joins_rows(args.a, args.channels) && joins_rows(args.b, args.channels) &&
         args.dst_pitch == args.channels;
}
bool joins_rows(const TableArgs& args) {
  return args.src_pitch == args.channels && args.dst_pitch == args.channels;
}
bool joins_rows(const WordTableArgs& args) {
  return args.src_pitch == args.channels && args.dst_pitch == args.channels;
}
bool joins_rows(const FloatUnaryArgs& args) {
  return args.src_pitch == args.channels && args.dst_pitch == args.channels;
}

void advance_dst(void*& dst, Output output, std::int64_t elements) {
  if (output == Output::f32) {
    dst = static_cast<float*>(dst) + elements;
  } else {
    dst = static_cast<std::uint8_t*>(dst) + elements;
  }
}
void advance(ByteBinaryArgs& args, std::int64_t rows, std::int64_t channels, Output) {
  advance(args.a, rows, channels);
  advance(args.b, rows, channels);
  advance_dst(args.dst, args.epilogue.output, rows * args.dst_pitch + channels);
}
void advance(ByteSumArgs& args, std::int64_t rows, std::int64_t channels, Output) {
  for (int k = 0; k < args.count; ++k) advance(args.terms[k], rows, channels);
  if (args.addend) args.addend += channels;
  advance_dst(args.dst, args.epilogue.output, rows * args.dst_pitch + channels);
}
void advance(AffineArgs& args, std::int64_t rows, std::int64_t channels, Output) {
  const std::int64_t elements = rows * args.src_pitch + channels;
  if (args.input == Output::f32)
    args.src = static_cast<const float*>(args.src) + elements;
  else
    args.src = static_cast<const std::uint8_t*>(args.src) + elements;
  args.factor += channels;
  args.addend += channels;
  advance_dst(args.dst, args.epilogue.output, rows * args.dst_pitch + channels);
}
void advance(FloatBinaryArgs& args, std::int64_t rows, std::int64_t channels, Output) {
  advance(args.a, rows, channels);
  advance(args.b, rows, channels);
  args.dst += rows * args.dst_pitch + channels;
}
void advance(TableArgs& args, std::int64_t rows, std::int64_t channels, Output output) {
  args.src += rows * args.src_pitch + channels;
  advance_dst(args.dst, output, rows * args.dst_pitch + channels);
}
void advance(WordTableArgs& args, std::int64_t rows, std::int64_t channels, Output) {
  args.src = static_cast<const std::byte*>(args.src) +
             (rows * args.src_pitch + channels) * bytes_of(args.input);
  args.dst = static_cast<std::byte*>(args.dst) +
             (rows * args.dst_pitch + channels) * bytes_of(args.output);
}
void advance(FloatUnaryArgs& args, std::int64_t rows, std::int64_t channels, Output) {
  args.src += rows * args.src_pitch + channels;
  args.dst += rows * args.dst_pitch + channels;
}

/// Repeats a row of channels.
template <class Operand>
bool is_row(const Operand& operand) {
  return operand.step == 1 && operand.pitch == 0;
}

/// Few channels of which one operand repeats its row, as the scales of squeeze-and-excitation do:
/// copies of that row make several rows one, so that only the end of the long row is a remainder.
template <class Args, void (*compute)(const Args&)>
void compute_repeated(const Args& args) {
  using Operand = decltype(args.a);
  constexpr std::int64_t longest = 2048;
  const bool repeats_a = is_row(args.a) && is_dense(args.b, args.channels);
  const bool repeats_b = is_row(args.b) && is_dense(args.a, args.channels);
  const std::int64_t copies = std::min(longest / args.channels, args.rows);
  if (copies < 2 || !(repeats_a || repeats_b) || args.dst_pitch != args.channels)
    return compute(args);
  std::remove_const_t<std::remove_pointer_t<decltype(Operand::data)>> row[longest];
  Args joined = args;
  Operand& repeated = repeats_a ? joined.a : joined.b;
  for (std::int64_t k = 0; k < copies; ++k)
    std::copy_n(repeated.data, args.channels, row + k * args.channels);
  repeated.data = row;
  joined.channels *= copies;
  joined.rows /= copies;
  Operand& other = repeats_a ? joined.b : joined.a;
  other.pitch = joined.dst_pitch = joined.channels;
  compute(joined);
  advance(joined, joined.rows, 0, Output::f32);
  joined.channels = args.rows % copies * args.channels;
  joined.rows = 1;
  if (joined.channels > 0) compute(joined);
}

/// Runs `compute` on this part's share: of the rows, or of the channels where there are fewer rows
/// than parts. `output` is the destination's type where the arguments do not say it.
template <class Args, void (*compute)(const Args&), Output output = Output::f32>
void run_share(const Args& args, Part part) {
  Args share = args;
  if (share.channels > 0 && joins_rows(share)) {
    share.channels *= share.rows;
    share.rows = share.rows > 0 ? 1 : 0;
  }
  constexpr long cache_line = 64;
  if (share.rows < part.count) {
    const Range range = split(share.channels, part, cache_line);
    advance(share, 0, range.begin, output);
    share.channels = range.end - range.begin;
  } else {
    const Range range = split(share.rows, part);
    advance(share, range.begin, 0, output);
    share.rows = range.end - range.begin;
  }
  if (share.rows > 0 && share.channels > 0) compute(share);
}

constexpr ByteBinaryKernel byte_binary_list[] = {
    {"byte_binary_avx512vnni", Isa::avx512vnni,
     run_share<ByteBinaryArgs, compute_repeated<ByteBinaryArgs, avx512_vnni::byte_binary>>},
    {"byte_binary_avx2", Isa::avx2,
     run_share<ByteBinaryArgs, compute_repeated<ByteBinaryArgs, avx2::byte_binary>>},
    {"byte_binary_reference", Isa::scalar, reference::byte_binary},
};

constexpr ByteSumKernel byte_sum_list[] = {
    {"byte_sum_avx512vnni", Isa::avx512vnni, run_share<ByteSumArgs, avx512_vnni::byte_sum>},
    {"byte_sum_avx2", Isa::avx2, run_share<ByteSumArgs, avx2::byte_sum>},
    {"byte_sum_reference", Isa::scalar, reference::byte_sum},
};

constexpr AffineKernel affine_list[] = {
    {"affine_avx512vnni", Isa::avx512vnni, run_share<AffineArgs, avx512_vnni::affine>},
    {"affine_avx2", Isa::avx2, run_share<AffineArgs, avx2::affine>},
    {"affine_reference", Isa::scalar, reference::affine},
};

constexpr TableKernel table_list[] = {
    {"table_u8_avx512vnni", Isa::avx512vnni, Output::u8,
     run_share<TableArgs, avx512_vnni::table_to_bytes, Output::u8>},
    {"table_f32_avx512vnni", Isa::avx512vnni, Output::f32,
     run_share<TableArgs, avx512_vnni::table_to_floats>},
    {"table_u8_avx2", Isa::avx2, Output::u8,
     run_share<TableArgs, avx2::table_to_bytes, Output::u8>},
    {"table_f32_avx2", Isa::avx2, Output::f32, run_share<TableArgs, avx2::table_to_floats>},
    {"table_u8_reference", Isa::scalar, Output::u8, reference::table_to_bytes},
    {"table_f32_reference", Isa::scalar, Output::f32, reference::table_to_floats},
};

constexpr WordTableKernel word_table_list[] = {
    {"table_u16_avx512vnni", Isa::avx512vnni, run_share<WordTableArgs, avx512_vnni::word_table>},
    {"table_u16_avx2", Isa::avx2, run_share<WordTableArgs, avx2::word_table>},
    {"table_u16_reference", Isa::scalar, reference::word_table},
};

constexpr FloatBinaryKernel float_binary_list[] = {
    {"float_binary_avx512vnni", Isa::avx512vnni,
     run_share<FloatBinaryArgs, compute_repeated<FloatBinaryArgs, avx512_vnni::float_binary>>},
    {"float_binary_avx2", Isa::avx2,
     run_share<FloatBinaryArgs, compute_repeated<FloatBinaryArgs, avx2::float_binary>>},
    {"float_binary_reference", Isa::scalar, reference::float_binary},
};

constexpr FloatUnaryKernel float_unary_list[] = {
    {"float_unary_avx512vnni", Isa::avx512vnni,
     run_share<FloatUnaryArgs, avx512_vnni::float_unary>},
    {"float_unary_avx2", Isa::avx2, run_share<FloatUnaryArgs, avx2::float_unary>},
    {"float_unary_reference", Isa::scalar, reference::float_unary},
};

}  // namespace

std::span<const ByteBinaryKernel> byte_binary_kernels() {
  return byte_binary_list;
}
std::span<const ByteSumKernel> byte_sum_kernels() {
  return byte_sum_list;
}
std::span<const AffineKernel> affine_kernels() {
  return affine_list;
}
std::span<const TableKernel> table_kernels() {
  return table_list;
}
std::span<const WordTableKernel> word_table_kernels() {
  return word_table_list;
}
std::span<const FloatBinaryKernel> float_binary_kernels() {
  return float_binary_list;
}
std::span<const FloatUnaryKernel> float_unary_kernels() {
  return float_unary_list;
}

}  // namespace intact::kernels

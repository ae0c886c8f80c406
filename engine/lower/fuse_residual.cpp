// An addition moves into the convolution that wrote its first operand, so that the sum is formed in
// registers. Same floating-point operations in the same order: the inner rounding stays.
#include <algorithm>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

/// One constant byte for each channel of `a`: a residual that is the same for all pixels.
bool is_channel_constant(const StoredTensor& b, const StoredTensor& a) {
  const bool channels_last = a.layout == Layout::plain && !a.shape.empty();
  return channels_last && b.constant.defined() && !b.shape.empty() &&
         b.shape.back() == a.shape.back() && b.constant.size() == a.shape.back();
}

/// The operation whose result is the first operand of an addition and of nothing else, when the
/// other operand is complete before it runs. -1 otherwise.
int producer_to_extend(const Program& program, const Uses& uses, const Operation& addition) {
  const TensorId own = addition.inputs[0], other = addition.inputs[1];
  const int writer = uses.writer_of_single_use(own);
  if (writer < 0) return -1;
  const StoredTensor& a = program.tensor(own);
  const StoredTensor& b = program.tensor(other);
  if (is_channel_constant(b, a)) return writer;
  if (a.shape != b.shape || a.layout != b.layout) return -1;
  const auto& writers = uses.writers[static_cast<std::size_t>(program.root(other))];
  const auto& direct = uses.writers[static_cast<std::size_t>(other)];
  const auto before = [&](int index) { return index < writer; };
  return std::all_of(writers.begin(), writers.end(), before) &&
                 std::all_of(direct.begin(), direct.end(), before)
             ? writer
             : -1;
}

void absorb(Operation& conv, Operation& addition, std::size_t residual) {
  conv.inputs.push_back(addition.inputs[residual]);
  conv.outputs = addition.outputs;
  conv.sources.insert(conv.sources.end(), addition.sources.begin(), addition.sources.end());
  conv.op += "+" + addition.op;
  addition.outputs.clear();
  addition.inputs.clear();
}

}  // namespace

void fuse_residual(Program& program) {
  Uses uses(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    Operation& operation = program.operations[i];
    auto* add = std::get_if<ByteBinaryOperation>(&operation.kind);
    if (add == nullptr || add->operation != kernels::ByteBinary::add ||
        add->stage.output != kernels::Output::u8 || !add->stage.table.empty())
      continue;
    const int writer = producer_to_extend(program, uses, operation);
    if (writer < 0) continue;
    Operation& producer = program.operations[static_cast<std::size_t>(writer)];
    auto* conv = std::get_if<ConvOperation>(&producer.kind);
    if (conv == nullptr || conv->residual || conv->stage.output != kernels::Output::u8) continue;
    kernels::Residual residual;
    residual.zero_point = add->zero_point_b;
    residual.multiplier = add->multiplier_b;
    residual.inner_zero_point = add->zero_point_a;
    residual.inner_multiplier = add->multiplier_a;
    residual.dst_zero_point = add->stage.zero_point;
    residual.dst_lower = add->stage.lower;
    residual.dst_upper = add->stage.upper;
    conv->residual = residual;
    uses.remove(program, i);
    uses.remove(program, static_cast<std::size_t>(writer));
    absorb(producer, operation, 1);
    uses.add(program, static_cast<std::size_t>(writer));
  }
  erase_empty(program);
}

}  // namespace intact

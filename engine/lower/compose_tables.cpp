// A table behind a table, behind byte arithmetic, or behind a kernel with an epilogue becomes part
// of it. Composition runs the unfused steps on all 256 bytes, so that the bytes stay the same.
#include <numeric>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes composed(const Bytes& first, const Bytes& second) {
  Bytes result(256);
  for (std::size_t q = 0; q < 256; ++q) result[q] = second[first[q]];
  return result;
}

/// The byte stage of a kernel that can apply a table to what it writes; null for others.
OutputStage* byte_stage(OperationKind& kind) {
  OutputStage* stage = nullptr;
  if (auto* conv = std::get_if<ConvOperation>(&kind); conv && !conv->residual) stage = &conv->stage;
  if (auto* matmul = std::get_if<ActivationMatMulOperation>(&kind)) stage = &matmul->product.stage;
  if (auto* pool = std::get_if<PoolOperation>(&kind)) stage = &pool->stage;
  if (auto* binary = std::get_if<ByteBinaryOperation>(&kind)) stage = &binary->stage;
  if (auto* sum = std::get_if<ByteSumOperation>(&kind)) stage = &sum->stage;
  if (auto* affine = std::get_if<AffineOperation>(&kind)) stage = &affine->stage;
  return stage && stage->output == kernels::Output::u8 ? stage : nullptr;
}

void absorb(Operation& into, Operation& from) {
  into.sources.insert(into.sources.end(), from.sources.begin(), from.sources.end());
  into.op += "+" + from.op;
  into.outputs = from.outputs;
  from.outputs.clear();
}

/// Table behind its producer. True when merged.
bool merge_into_producer(Program& program, Uses& uses, std::size_t index) {
  Operation& operation = program.operations[index];
  auto* table = std::get_if<TableOperation>(&operation.kind);
  if (table == nullptr || table->bytes.empty()) return false;
  const int writer = uses.writer_of_single_use(operation.inputs[0]);
  if (writer < 0) return false;
  Operation& producer = program.operations[static_cast<std::size_t>(writer)];
  if (auto* first = std::get_if<TableOperation>(&producer.kind); first && !first->bytes.empty()) {
    first->bytes = composed(first->bytes, table->bytes);
  } else if (OutputStage* stage = byte_stage(producer.kind)) {
    stage->table = stage->table.empty() ? table->bytes : composed(stage->table, table->bytes);
  } else {
    return false;
  }
  uses.remove(program, index);
  uses.remove(program, static_cast<std::size_t>(writer));
  absorb(producer, operation);
  operation.inputs.clear();
  uses.add(program, static_cast<std::size_t>(writer));
  return true;
}

/// The table through which `id` depends on `source`: itself, or what a Table operation of it
/// writes. Sets `writer` to that operation, -1 for the source itself. Empty when it does not.
Bytes function_of(const Program& program, const Uses& uses, TensorId id, TensorId source,
                  int& writer) {
  writer = -1;
  Bytes identity(256);
  std::iota(identity.begin(), identity.end(), std::uint8_t{0});
  if (id == source) return identity;
  writer = uses.writer_of_single_use(id);
  if (writer < 0) return {};
  const Operation& operation = program.operations[static_cast<std::size_t>(writer)];
  const auto* table = std::get_if<TableOperation>(&operation.kind);
  return table && operation.inputs[0] == source ? table->bytes : Bytes{};
}

/// Arithmetic of two functions of one tensor (x * sigmoid(x)) is a function of it.
bool merge_web(Program& program, Uses& uses, std::size_t index) {
  Operation& operation = program.operations[index];
  auto* binary = std::get_if<ByteBinaryOperation>(&operation.kind);
  if (binary == nullptr || binary->stage.output != kernels::Output::u8) return false;
  for (const std::size_t i : {0, 1}) {
    const TensorId source = operation.inputs[i], other = operation.inputs[1 - i];
    if (program.tensor(source).shape != program.tensor(other).shape) return false;
    int writer = -1;
    const Bytes function = function_of(program, uses, other, source, writer);
    if (function.empty()) continue;
    Bytes identity(256), result(256 + 64);
    std::iota(identity.begin(), identity.end(), std::uint8_t{0});
    identity.resize(256 + 64);
    Bytes padded = function;
    padded.resize(256 + 64);
    kernels::ByteBinaryArgs args;
    args.operation = binary->operation;
    args.rows = 1;
    args.channels = 256;
    args.a = {i == 0 ? identity.data() : padded.data(), 256, 1, binary->zero_point_a};
    args.b = {i == 0 ? padded.data() : identity.data(), 256, 1, binary->zero_point_b};
    args.multiplier_a = binary->multiplier_a;
    args.multiplier_b = binary->multiplier_b;
    args.divisor = binary->divisor;
    args.epilogue.float_lower = binary->stage.float_lower;
    args.epilogue.float_upper = binary->stage.float_upper;
    args.dst = result.data();
    args.dst_pitch = 256;
    args.epilogue.zero_point = binary->stage.zero_point;
    args.epilogue.lower = binary->stage.lower;
    args.epilogue.upper = binary->stage.upper;
    args.epilogue.table = binary->stage.table.empty() ? nullptr : binary->stage.table.data();
    kernels::byte_binary_kernels().back().run(args, {});
    result.resize(256);
    uses.remove(program, index);
    if (writer >= 0) {
      uses.remove(program, static_cast<std::size_t>(writer));
      Operation& table = program.operations[static_cast<std::size_t>(writer)];
      operation.sources.insert(operation.sources.begin(), table.sources.begin(),
                               table.sources.end());
      operation.op = table.op + "+" + operation.op;
      table.outputs.clear();
      table.inputs.clear();
    }
    operation.kind = TableOperation{std::move(result), {}};
    operation.inputs = {source};
    uses.add(program, index);
    return true;
  }
  return false;
}

}  // namespace

void compose_tables(Program& program) {
  Uses uses(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    if (program.operations[i].outputs.empty()) continue;
    merge_web(program, uses, i);
    merge_into_producer(program, uses, i);
  }
  erase_empty(program);
}

}  // namespace intact

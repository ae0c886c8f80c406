// DynamicQuantizeLinear moves into the convolution or product that wrote its operand: the range is
// found while the floats are in registers. Where nobody else reads the floats they need not be
// stored at all: the product is computed twice, once for the range and once for the bytes, when
// that costs less.
#include "engine/lower/lowering.hpp"
#include "engine/lower/twice.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

/// The product behind which a Round of `floats` to `bytes` can be computed; null when there is
/// none.
Operation* product_before(Program& program, const Uses& uses, TensorId floats, TensorId bytes) {
  const auto& writers = uses.writers[static_cast<std::size_t>(floats)];
  const StoredTensor& from = program.tensor(floats);
  const StoredTensor& to = program.tensor(bytes);
  if (writers.size() != 1 || from.root != no_tensor) return nullptr;
  if (from.layout != to.layout || from.shape != to.shape) return nullptr;
  Operation& operation = program.operations[static_cast<std::size_t>(writers[0])];
  const auto* conv = std::get_if<ConvOperation>(&operation.kind);
  const bool fits = conv != nullptr && !conv->round && conv->chain.empty() &&
                    conv->stage.output == kernels::Output::f32 &&
                    (conv->bias_apart || conv->float_bias.empty());
  return fits ? &operation : nullptr;
}

}  // namespace

void fuse_dynamic_round(Program& program) {
  const Uses uses(program);
  for (Operation& round : program.operations) {
    if (!std::holds_alternative<DynamicQuantizeOperation>(round.kind)) continue;
    const TensorId floats = round.inputs[0];
    Operation* product = product_before(program, uses, floats, round.outputs[0]);
    if (product == nullptr) continue;
    auto& conv = std::get<ConvOperation>(product->kind);
    conv.round = DynamicRound{round.name};
    const bool alone = uses.writer_of_single_use(floats) >= 0;
    product->outputs = std::move(round.outputs);
    const bool stored = !alone || !twice_is_cheaper(conv);
    product->outputs.push_back(stored ? floats : no_tensor);
    if (stored) product->inputs.push_back(floats);  // which it loads again
    product->sources.insert(product->sources.end(), round.sources.begin(), round.sources.end());
    product->op += "+" + round.op;
    round.inputs.clear();
    round.outputs.clear();
  }
  erase_empty(program);
}

}  // namespace intact

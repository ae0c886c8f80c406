// Prepares and runs the parts of one block.
#include "engine/steps/block.hpp"

#include <algorithm>

namespace intact {
namespace {

constexpr std::size_t slack = 64;  // kernels read beyond the last element

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Gives the tensors of an operation other numbers.
template <class Number>
void renumber(Operation& operation, const Number& number) {
  for (auto* ids : {&operation.inputs, &operation.outputs})
    for (TensorId& id : *ids) id = number(id);
  FloatChain* chain = chain_of(operation.kind);
  if (chain == nullptr || chain->empty()) return;
  chain->product = number(chain->product);
  chain->like = number(chain->like);
  for (FloatChain::Link& link : chain->links) {
    link.output = number(link.output);
    for (FloatChain::Operand& operand : link.operands) operand.stored = number(operand.stored);
  }
}

}  // namespace

Block::Block(StepContext& context, std::vector<Operation> parts,
             const std::function<Place(TensorId)>& place) {
  for (Operation& part : parts) renumber(part, [&](TensorId id) { return number(id, place); });
  StepContext own{program_, context.isa, context.weights};
  for (Operation& part : parts) {
    steps_.push_back(make_step(own, part));
    scratch_bytes_ = std::max(scratch_bytes_, steps_.back()->scratch_bytes);
  }
  scratch_bytes_ += inner_bytes_;
}

Isa Block::isa() const {
  Isa isa = Isa::scalar;
  for (const auto& step : steps_) isa = std::max(isa, step->isa);
  return isa;
}

TensorId Block::number(TensorId id, const std::function<Place(TensorId)>& place) {
  if (id == no_tensor) return id;
  const auto next = static_cast<TensorId>(memory_.size());
  const auto [known, added] = numbers_.try_emplace(id, next);
  if (!added) return known->second;
  Place own = place(id);
  own.tensor.root = no_tensor;
  own.tensor.offset = 0;
  if (own.inner) {
    memory_.push_back({no_tensor, static_cast<std::ptrdiff_t>(inner_bytes_), 0});
    const std::int64_t elements = own.tensor.rows() * own.tensor.pitch();
    inner_bytes_ +=
        aligned(static_cast<std::size_t>(elements) * element_size(own.tensor.type) + slack);
  } else {
    memory_.push_back({id, own.offset, own.row_bytes});
  }
  program_.tensors.push_back(std::move(own.tensor));
  return next;
}

void Block::run(const Frame& frame, std::byte* scratch, std::int64_t skipped_rows) const {
  Frame own;
  own.data.reserve(memory_.size());
  for (const Memory& memory : memory_) {
    std::byte* const base = memory.whole == no_tensor ? scratch : frame.at<std::byte>(memory.whole);
    // Tensors without memory tell shapes only.
    own.data.push_back(base == nullptr ? base
                                       : base + memory.offset + skipped_rows * memory.row_bytes);
  }
  own.scratch = scratch + inner_bytes_;
  for (const auto& step : steps_)
    for (int phase = 0; phase < step->phases(); ++phase) step->run_phase(phase, own, Part{});
}

}  // namespace intact

// Producers write straight into the slots of a Concat: the copy disappears.
#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

/// Operations that can leave gaps between the rows of the slot that they write.
bool writes_with_pitch(const Program& program, const Operation& operation,
                       const StoredTensor& slot) {
  if (const auto* copy = std::get_if<CopyOperation>(&operation.kind))
    return !copy->fill;  // fills densely
  // Channels last to channels first: pixels have to be adjacent.
  if (std::holds_alternative<DequantizeOperation>(operation.kind))
    return slot.dense() || program.tensor(operation.inputs[0]).layout == slot.layout;
  if (const auto* row = std::get_if<RowOperation>(&operation.kind))
    return row->length == slot.channels();
  if (const auto* resize = std::get_if<ResizeOperation>(&operation.kind))
    return resize->channels == slot.channels();
  if (const auto* matmul = std::get_if<ActivationMatMulOperation>(&operation.kind))
    return !matmul->dst;
  if (const auto* pool = std::get_if<PoolOperation>(&operation.kind))
    return pool->shape.in_channels == slot.channels();
  return !std::holds_alternative<FloatConvOperation>(operation.kind) &&
         !std::holds_alternative<FloatMatMulOperation>(operation.kind) &&
         !std::holds_alternative<FloatProductOperation>(operation.kind) &&
         !std::holds_alternative<FloatPoolOperation>(operation.kind) &&
         !std::holds_alternative<RecurrentOperation>(operation.kind) &&
         !std::holds_alternative<SplitOperation>(operation.kind) &&
         !std::holds_alternative<GatherOperation>(operation.kind) &&
         !std::holds_alternative<ArgExtremeOperation>(operation.kind) &&
         !std::holds_alternative<TopBytesOperation>(operation.kind) &&
         !std::holds_alternative<FloatReduceOperation>(operation.kind) &&
         !std::holds_alternative<MeanOperation>(operation.kind) &&
         !std::holds_alternative<CastOperation>(operation.kind) &&
         !std::holds_alternative<ReferenceOperation>(operation.kind);
}

/// The stride of a loop in the dense tensor of `shape` and strides `from`, when the tensor is laid
/// out with strides `to` instead. A loop may step over several elements of its axis, which is the
/// one of the largest stride that fits into it.
std::int64_t restrided(std::int64_t stride, const Shape& shape,
                       const std::vector<std::int64_t>& from, const std::vector<std::int64_t>& to) {
  std::size_t axis = shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1 && from[i] <= stride && (axis == shape.size() || from[i] > from[axis]))
      axis = i;
  return axis == shape.size() ? stride : stride / from[axis] * to[axis];
}

/// The Concat stays visible as a copy that remains, or as removed.
void hand_over_sources(Program& program, const Uses& uses, const Operation& placed,
                       TensorId target) {
  if (placed.sources.empty()) return;
  for (const int index : uses.writers[static_cast<std::size_t>(target)]) {
    Operation& other = program.operations[static_cast<std::size_t>(index)];
    const bool remains = &other != &placed && std::holds_alternative<CopyOperation>(other.kind);
    if (!remains) continue;
    other.sources.insert(other.sources.end(), placed.sources.begin(), placed.sources.end());
    return;
  }
  program.removed.push_back({placed.sources, "its inputs are written where its output lies"});
}

bool place(Program& program, Uses& uses, std::size_t index) {
  Operation& operation = program.operations[index];
  const auto* copy = std::get_if<CopyOperation>(&operation.kind);
  if (copy == nullptr || copy->flip != 0 || copy->fill) return false;
  const TensorId source = operation.inputs[0], target = operation.outputs[0];
  const int writer = uses.writer_of_single_use(source);
  const bool into_slot = copy->extents == program.tensor(source).shape &&
                         copy->extents != program.tensor(target).shape &&
                         element_count(copy->extents) > 0;
  if (writer < 0 || !into_slot) return false;
  const StoredTensor& whole = program.tensor(target);
  StoredTensor slot = program.tensor(source);
  if (slot.layout != whole.layout || slot.type != whole.type || slot.strides() != copy->src_strides)
    return false;
  slot.root = target;
  slot.offset = copy->dst_offset;
  slot.pitch_elements = slot.channels() == whole.channels() ? 0 : whole.pitch();
  const auto strides = slot.strides();
  for (std::size_t i = 0; i < strides.size(); ++i)
    if (slot.shape[i] != 1 && strides[i] != copy->dst_strides[i]) return false;
  Operation& producer = program.operations[static_cast<std::size_t>(writer)];
  if (!writes_with_pitch(program, producer, slot)) return false;
  if (auto* moved = std::get_if<CopyOperation>(&producer.kind))
    for (std::int64_t& stride : moved->dst_strides)
      stride = restrided(stride, slot.shape, copy->src_strides, strides);
  program.tensor(source) = slot;
  uses.add_view(program, source);
  uses.remove(program, index);
  hand_over_sources(program, uses, operation, target);
  operation.outputs.clear();
  operation.inputs.clear();
  return true;
}

}  // namespace

void place_concat(Program& program) {
  Uses uses(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i) place(program, uses, i);
  erase_empty(program);
}

}  // namespace intact

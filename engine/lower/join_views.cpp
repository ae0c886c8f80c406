// A tensor that is only read under another shape is written under that shape at once, so that the
// kernels before and behind a Reshape see each other. No element moves.
#include <algorithm>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

/// Rows of the same length, one behind the other.
bool same_rows(const StoredTensor& a, const StoredTensor& b) {
  const auto dense = [](const StoredTensor& t) { return t.dense() && !t.shape.empty(); };
  return dense(a) && dense(b) && a.type == b.type && a.grid == b.grid &&
         a.channels() == b.channels() && a.rows() == b.rows();
}

/// Computes rows of its output one like the other, whatever the output's shape is. (Broadcasts and
/// the reference evaluation look at that shape.)
bool writes_rows(const OperationKind& kind) {
  return std::holds_alternative<ConvOperation>(kind) ||
         std::holds_alternative<RowOperation>(kind) ||
         std::holds_alternative<AffineOperation>(kind) ||
         std::holds_alternative<CopyOperation>(kind) ||
         std::holds_alternative<TableOperation>(kind);
}

}  // namespace

void join_views(Program& program) {
  Uses uses(program);
  const auto at = [](TensorId id) { return static_cast<std::size_t>(id); };
  std::vector<int> views(program.tensors.size(), 0);
  for (const StoredTensor& tensor : program.tensors)
    if (tensor.root != no_tensor) ++views[at(tensor.root)];
  std::vector<bool> fixed(program.tensors.size(), false);
  for (const auto* ids : {&program.inputs, &program.outputs})
    for (const TensorId id : *ids) fixed[at(id)] = true;
  for (StoredTensor& view : program.tensors) {
    const TensorId source = view.root;
    if (source == no_tensor || view.offset != 0 || views[at(source)] != 1 || fixed[at(source)])
      continue;
    const StoredTensor& tensor = program.tensor(source);
    if (tensor.root != no_tensor || tensor.constant.defined() || !same_rows(tensor, view) ||
        !uses.readers[at(source)].empty() || uses.writers[at(source)].size() != 1)
      continue;
    Operation& writer = program.operations[static_cast<std::size_t>(uses.writers[at(source)][0])];
    if (!writes_rows(writer.kind)) continue;
    const auto id = static_cast<TensorId>(&view - program.tensors.data());
    std::replace(writer.outputs.begin(), writer.outputs.end(), source, id);
    view.root = no_tensor;
    uses.writers[at(id)] = uses.writers[at(source)];
  }
}

}  // namespace intact

// Which operations keep to their rows.
#include "engine/row_blocks.hpp"

#include <algorithm>

#include "engine/pixel_walk.hpp"

namespace intact {
namespace {

/// Row r of `operand` belongs to row r of `out`, or its only row to all of them.
bool follows_rows(const StoredTensor& operand, const StoredTensor& out) {
  const auto walk = pixel_walk(operand, out);
  if (!walk) return false;
  if (walk->pitch == 0 && walk->outer == 0) return operand.rows() == 1;
  return operand.rows() == out.rows() && walk->pitch == operand.pitch() &&
         (walk->period == out.rows() || walk->outer == walk->pitch * walk->period);
}

}  // namespace

bool contains(const std::vector<TensorId>& ids, TensorId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

bool is_elementwise(const OperationKind& kind) {
  return std::visit(
      []<class Kind>(const Kind&) {
        return std::is_same_v<Kind, FloatBinaryOperation> ||
               std::is_same_v<Kind, FloatUnaryOperation> ||
               std::is_same_v<Kind, ByteBinaryOperation> ||
               std::is_same_v<Kind, ByteSumOperation> || std::is_same_v<Kind, AffineOperation> ||
               std::is_same_v<Kind, TableOperation> || std::is_same_v<Kind, QuantizeOperation> ||
               std::is_same_v<Kind, DequantizeOperation> || std::is_same_v<Kind, ChainOperation>;
      },
      kind);
}

bool runs_by_rows(const Program& program, const Operation& operation, std::int64_t rows) {
  if (operation.inputs.empty() || contains(operation.inputs, no_tensor) ||
      operation.outputs.empty() || operation.outputs[0] == no_tensor)
    return false;
  const StoredTensor& x = program.tensor(operation.inputs[0]);
  const StoredTensor& out = program.tensor(operation.outputs[0]);
  if (out.rows() != rows) return false;
  const FloatChain* chain = chain_of(operation.kind);
  if (chain != nullptr && !chain->sums.empty()) return false;
  const auto follow = [&](std::size_t first) {
    return std::all_of(operation.inputs.begin() + static_cast<std::ptrdiff_t>(first),
                       operation.inputs.end(),
                       [&](TensorId id) { return follows_rows(program.tensor(id), out); });
  };
  const auto outputs_follow = [&] {
    return std::all_of(operation.outputs.begin(), operation.outputs.end(), [&](TensorId id) {
      return id != no_tensor && follows_rows(program.tensor(id), out);
    });
  };
  if (is_elementwise(operation.kind)) return follow(0) && outputs_follow();
  return std::visit(
      [&]<class Kind>(const Kind& kind) {
        if constexpr (std::is_same_v<Kind, RowOperation>) {
          return kind.rows == rows && x.rows() == rows && kind.length == x.channels() &&
                 kind.length == out.channels() && kind.period == 1 && follow(1) && outputs_follow();
        } else if constexpr (std::is_same_v<Kind, FloatReduceOperation>) {
          return kind.channels == 1 && kind.batch == rows && x.rows() == rows &&
                 kind.window == x.channels();
        } else if constexpr (std::is_same_v<Kind, PoolOperation>) {
          const kernels::ConvShape& shape = kind.shape;
          return shape.in_channels == 1 && shape.batch == rows && x.rows() == rows &&
                 shape.kernel == shape.in && shape.kernel[2] == x.channels() &&
                 shape.taps() == shape.kernel[2] && chain->empty();
        } else if constexpr (std::is_same_v<Kind, ConvOperation>) {
          return kind.shape.is_matrix_product() && kind.shape.out_pixels() == rows &&
                 x.rows() == rows && !kind.residual && !kind.round && kind.second.empty() &&
                 !kind.zero_point_at_run_time && !kind.scale_at_run_time && follow(1) &&
                 outputs_follow();
        }
        return false;
      },
      operation.kind);
}

std::optional<RowBlocks> row_blocks(const Program& program, const Operation& operation) {
  const auto* group = std::get_if<GroupOperation>(&operation.kind);
  if (group == nullptr || group->parts.front().outputs.empty() ||
      group->parts.front().outputs[0] == no_tensor)
    return std::nullopt;
  RowBlocks blocks;
  blocks.rows = program.tensor(group->parts.front().outputs[0]).rows();
  bool keeps_rows = false;
  for (const Operation& part : group->parts) {
    if (!runs_by_rows(program, part, blocks.rows)) return std::nullopt;
    for (const TensorId id : part.outputs) {
      if (id == no_tensor || contains(operation.outputs, id)) continue;
      blocks.inner.push_back(id);
      keeps_rows = keeps_rows || program.tensor(id).channels() > 1;
    }
  }
  return keeps_rows && blocks.rows > 1 ? std::optional(blocks) : std::nullopt;
}

}  // namespace intact

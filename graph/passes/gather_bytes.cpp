// Look-ups in constant tables of integers, as embeddings are quantized: FromBytes behind Gather
// becomes the table's grid, so that Gather moves bytes of a grid. Scales along the table's last
// axis become a Mul behind it, scales of rows are gathered for that Mul, and the table lies on the
// grid of scale 1.
#include <algorithm>
#include <utility>

#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/ranks.hpp"

namespace intact {
namespace {

class TableReads {
 public:
  explicit TableReads(Graph& graph)
      : graph_(graph), consumers_(graph.consumers()), ranks_(graph, {}), rewriter_(graph) {}
  void run();

 private:
  bool is_whole_row(const Node& gather) const;
  bool has_scales_of_columns(const Node& gather, const Grid& grid) const;
  bool take_from_bytes(Node& node);
  bool take_scales(Node& node);
  void set_table(Node& gather, const Grid& grid);
  ValueId scales_of_rows(const Node& gather, const Grid& grid);
  void push_scales(std::string name, std::vector<std::string> sources, ValueId scales,
                   ValueId integers, ValueId reals);
  ValueId constant(const std::string& name, Tensor tensor) {
    return graph_.add_constant(rewriter_.names.get(name), std::move(tensor));
  }

  Graph& graph_;
  std::vector<std::vector<int>> consumers_;
  Ranks ranks_;
  Rewriter rewriter_;
};

Grid unscaled(const Grid& grid) {
  return {grid.type, {1.0f}, {grid.zero_point[0]}, std::nullopt};
}

/// The last axis of the table is the last one of the result.
bool TableReads::is_whole_row(const Node& gather) const {
  const int rank = graph_.value(gather.inputs[0]).constant.rank();
  const std::int64_t axis = gather.attributes.integer("axis", 0);
  return rank > 1 && axis != -1 && axis != rank - 1;
}

bool has_one_zero_point(const Grid& grid) {
  return grid.block == 0 && std::ranges::all_of(grid.zero_point, [&](std::int32_t zero) {
           return zero == grid.zero_point[0];
         });
}

/// One zero point, and scales along the last axis of a table of rows.
bool TableReads::has_scales_of_columns(const Node& gather, const Grid& grid) const {
  return is_whole_row(gather) && has_one_zero_point(grid) &&
         static_cast<std::int64_t>(grid.scale.size()) ==
             graph_.value(gather.inputs[0]).constant.shape().back();
}

/// Others may read the table as it is.
void TableReads::set_table(Node& gather, const Grid& grid) {
  const Value& table = graph_.value(gather.inputs[0]);
  const Tensor integers = table.constant;
  const ValueId id = constant(table.name + "/real", integers);
  graph_.value(id).type = ElementType::f32;
  graph_.value(id).grid = grid;
  gather.inputs[0] = id;
  Value& result = graph_.value(gather.outputs[0]);
  result.type = ElementType::f32;
  result.grid = grid;
}

/// The scale of each row that `gather` takes, with axes of extent 1 for those of the row.
ValueId TableReads::scales_of_rows(const Node& gather, const Grid& grid) {
  Shape shape(graph_.value(gather.inputs[0]).constant.shape().size(), 1);
  shape[0] = std::ssize(grid.scale);
  Node scales = gather;
  scales.name += "/scales";
  scales.sources.clear();
  scales.inputs[0] = constant(scales.name, Tensor::from<float>(shape, grid.scale));
  scales.outputs = {graph_.add_value(rewriter_.names.get(scales.name), ElementType::f32)};
  const ValueId result = scales.outputs[0];
  rewriter_.push(std::move(scales));
  return result;
}

void TableReads::push_scales(std::string name, std::vector<std::string> sources, ValueId scales,
                             ValueId integers, ValueId reals) {
  Node scale;
  scale.op = "Mul";
  scale.version = 13;
  scale.inputs = {integers, scales};
  scale.outputs = {reals};
  scale.name = std::move(name);
  scale.sources = std::move(sources);
  graph_.value(reals).grid.reset();
  rewriter_.push(std::move(scale));
}

/// FromBytes that alone reads what Gather takes from a table of integers.
bool TableReads::take_from_bytes(Node& node) {
  const ValueId integers = node.inputs[0];
  Node* gather = rewriter_.producer(integers);
  if (gather == nullptr || !gather->is("Gather") || !graph_.is_constant(gather->inputs[0]) ||
      graph_.value(gather->inputs[0]).constant.type() != node.grid->type ||
      consumers_[static_cast<std::size_t>(integers)].size() != 1 || graph_.is_output(integers))
    return false;
  if (node.grid->per_tensor()) {
    if (!rewriter_.redirect(node.outputs[0], integers)) return false;
    set_table(*gather, *node.grid);
    rewriter_.give_sources(integers, std::move(node.sources), "the grid of its table");
    return true;
  }
  const std::optional<int> rank = ranks_.of(integers);
  if (!rank || *node.grid->axis != *rank - 1 || !has_scales_of_columns(*gather, *node.grid))
    return false;
  set_table(*gather, unscaled(*node.grid));
  const ValueId scales = constant(
      node.name + "/scale", Tensor::from<float>({std::ssize(node.grid->scale)}, node.grid->scale));
  push_scales(node.name, std::move(node.sources), scales, integers, node.outputs[0]);
  return true;
}

/// Gather from a table with scales along its last axis, or of the rows that it takes.
bool TableReads::take_scales(Node& node) {
  if (!graph_.is_constant(node.inputs[0])) return false;
  const Value& table = graph_.value(node.inputs[0]);
  if (!table.grid || table.grid->per_tensor()) return false;
  const Grid grid = *table.grid;
  const bool columns = grid.axis == table.constant.rank() - 1 && has_scales_of_columns(node, grid);
  const bool rows = grid.axis == 0 && node.attributes.integer("axis", 0) == 0 &&
                    has_one_zero_point(grid) && std::ssize(grid.scale) == table.constant.shape()[0];
  if (!columns && !rows) return false;
  const ValueId scales = columns
                             ? constant(node.name + "/scale",
                                        Tensor::from<float>({std::ssize(grid.scale)}, grid.scale))
                             : scales_of_rows(node, grid);
  const ValueId reals = std::exchange(
      node.outputs[0],
      graph_.add_value(rewriter_.names.get(node.name + "/unscaled"), ElementType::f32));
  set_table(node, unscaled(grid));
  rewriter_.push(node);
  push_scales(node.name + "/scale", {}, scales, node.outputs[0], reals);
  return true;
}

void TableReads::run() {
  for (Node& node : rewriter_.take_nodes()) {
    rewriter_.redirect_inputs(node);
    ranks_.follow(node);
    const bool taken =
        node.is_from_bytes() ? take_from_bytes(node) : node.is("Gather") && take_scales(node);
    if (!taken) rewriter_.push(std::move(node));
  }
  rewriter_.finish();
}

}  // namespace

void gather_bytes(Graph& graph) {
  TableReads(graph).run();
}

}  // namespace intact

// Rounds on activations.
#include <algorithm>
#include <utility>

#include "graph/passes/grid_operands.hpp"
#include "graph/passes/rewrite.hpp"
#include "quantize/write/embeddings.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

class Rounds {
 public:
  Rounds(Graph& graph, const Selection& selection, const GridPlan& plan,
         std::span<const std::optional<AdaptedWeights>> weights)
      : graph_(graph),
        selection_(selection),
        plan_(plan),
        weights_(weights),
        names_(graph),
        embeddings_(graph, names_),
        rounded_(graph.values.size(), no_value),
        for_floats_(graph.values.size(), false) {}
  void run();

 private:
  void round(ValueId id, bool for_floats);
  void redirect_outputs(ValueId id, ValueId rounded);
  void redirect_inputs(Node& node, const Choice& choice) const;

  Graph& graph_;
  const Selection& selection_;
  const GridPlan& plan_;
  std::span<const std::optional<AdaptedWeights>> weights_;
  FreshNames names_;
  EmbeddingWriter embeddings_;
  std::vector<ValueId> rounded_;
  std::vector<bool> for_floats_;  ///< by value: operators in float read it rounded too
  std::vector<Node> nodes_;
};

/// The graph output keeps its name; the tensor before rounding gets another.
void Rounds::redirect_outputs(ValueId id, ValueId rounded) {
  std::replace(graph_.outputs.begin(), graph_.outputs.end(), id, rounded);
  graph_.value(rounded).declared = std::exchange(graph_.value(id).declared, std::nullopt);
  std::swap(graph_.value(rounded).name, graph_.value(id).name);
}

void Rounds::round(ValueId id, bool for_floats) {
  if (!plan_.on_grid(id)) return;
  const std::string name = graph_.value(id).name;
  const ValueId rounded = graph_.add_value(names_.get(name + "/rounded"), ElementType::f32);
  graph_.value(rounded).shape = graph_.value(id).shape;
  rounded_[static_cast<std::size_t>(id)] = rounded;
  for_floats_[static_cast<std::size_t>(id)] = for_floats;
  if (for_floats && graph_.is_output(id)) redirect_outputs(id, rounded);
  nodes_.push_back(grid_node("Round", name + "/quantize", plan_.grid(id), id, rounded));
}

void Rounds::redirect_inputs(Node& node, const Choice& choice) const {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    // Constants that were added later are on their grids.
    if (id == no_value || static_cast<std::size_t>(id) >= rounded_.size()) continue;
    const ValueId rounded = rounded_[static_cast<std::size_t>(id)];
    if (rounded == no_value) continue;
    const bool operand =
        std::find(choice.operands.begin(), choice.operands.end(), i) != choice.operands.end();
    if (operand || for_floats_[static_cast<std::size_t>(id)]) node.inputs[i] = rounded;
  }
}

void Rounds::run() {
  std::vector<Node> old = std::exchange(graph_.nodes, {});
  for (const ValueId id : graph_.inputs) round(id, false);
  for (std::size_t i = 0; i < old.size(); ++i) {
    redirect_inputs(old[i], selection_.nodes[i]);
    const std::vector<ValueId> written = old[i].outputs;
    if (selection_.nodes[i].role == Role::embedding)
      embeddings_.write(std::move(old[i]), weights_[i]->weights,
                        static_cast<int>(graph_.value(written[0]).shape->size()), nodes_);
    else
      nodes_.push_back(std::move(old[i]));
    for (const ValueId id : written)
      if (id != no_value)
        round(id, selection_.from_integer[static_cast<std::size_t>(id)] &&
                      selection_.nodes[i].role != Role::rows && !plan_.is_kept_apart(i));
  }
  graph_.nodes = std::move(nodes_);
}

}  // namespace

void insert_rounds(Graph& graph, const Selection& selection, const GridPlan& plan,
                   std::span<const std::optional<AdaptedWeights>> weights) {
  Rounds(graph, selection, plan, weights).run();
}

}  // namespace intact

// One walk in topological order puts every node into a piece. A node with an unknown output shape
// runs by itself if only data decide about it, or if it only moves elements; any other waits for
// the operand that tells its shape, and is planned when that is a number.
#include "engine/cut.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "graph/definition.hpp"
#include "graph/folding.hpp"
#include "graph/passes/grid_operands.hpp"
#include "graph/passes/rewrite.hpp"
#include "graph/passes/subgraphs.hpp"

namespace intact {
namespace {

enum class Place : std::uint8_t { later, given, planned, step };

class Cutter {
 public:
  explicit Cutter(Graph graph) : graph_(std::move(graph)) {}

  Cut run() {
    place_nodes();
    const bool only_tensors =
        std::all_of(graph_.inputs.begin(), graph_.inputs.end(),
                    [&](ValueId id) { return graph_.value(id).type != ElementType::undefined; });
    if (only_tensors && steps_.empty() && later_.empty()) {
      graph_.nodes = std::move(planned_);
      return {std::move(graph_), {}, {}, true};
    }
    return assemble();
  }

 private:
  Place& place(ValueId id) { return places_[static_cast<std::size_t>(id)]; }
  FreshNames& names() {
    if (!names_) names_.emplace(graph_);
    return *names_;
  }
  bool is_open(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId id) { return id != no_value && !graph_.value(id).shape; });
  }

  /// A step that moves elements of a tensor on a grid moves its integers.
  void move_integers(Node& node) {
    const std::optional<Grid> grid = moved_grid(graph_, node);
    if (!grid || !grid->per_tensor()) return;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (node.has_input(i) && is_data_input(node, i)) node.inputs[i] = integers_of(node.inputs[i]);
    for (ValueId& output : node.outputs) {
      if (output == no_value) continue;
      const std::string name = names().get(graph_.value(output).name + "/integers");
      const ValueId integers = graph_.add_value(name, grid->type);
      places_.resize(graph_.values.size(), Place::step);
      later_.push_back(grid_node("FromBytes", name + "/reals", *grid, integers, output));
      place(output) = Place::later;
      output = integers;
    }
  }

  /// The integers of a planned tensor on a grid, which are planned too.
  ValueId integers_of(ValueId id) {
    const ValueId integers = intact::integers_of(graph_, id, names(), planned_);
    places_.resize(graph_.values.size(), Place::planned);
    return integers;
  }

  Place place_of(const Node& node) {
    const Definition& definition = definition_of(node);
    bool runs_by_itself = definition.evaluate == nullptr && definition.evaluate_data != nullptr;
    bool reads_steps = false;
    for (const ValueId id : node.inputs) {
      if (id == no_value || graph_.is_constant(id)) continue;
      if (place(id) == Place::later) return Place::later;
      reads_steps = reads_steps || place(id) == Place::step;
      runs_by_itself = runs_by_itself || (place(id) == Place::given &&
                                          graph_.value(id).type == ElementType::undefined);
    }
    if (runs_by_itself) return Place::step;
    if (reads_steps) return Place::later;
    if (!is_open(node)) return Place::planned;
    if (definition.selects_by_value || definition.moves_data) return Place::step;
    const bool waits = std::any_of(
        definition.shape_operands.begin(), definition.shape_operands.end(), [&](int operand) {
          const auto i = static_cast<std::size_t>(operand);
          return node.has_input(i) && !graph_.is_constant(node.inputs[i]) &&
                 place(node.inputs[i]) == Place::planned;
        });
    return waits ? Place::later : Place::step;
  }

  void place_nodes() {
    places_.resize(graph_.values.size(), Place::later);
    for (const ValueId id : graph_.inputs) place(id) = Place::given;
    for (Node& node : std::exchange(graph_.nodes, {})) {
      const Place where = place_of(node);
      for (const ValueId id : node.outputs)
        if (id != no_value) place(id) = where;
      if (where == Place::step) move_integers(node);
      auto& list = where == Place::planned ? planned_ : where == Place::step ? steps_ : later_;
      list.push_back(std::move(node));
    }
  }

  /// Values in `place` that `nodes` read.
  std::set<ValueId> reads(const std::vector<Node>& nodes, std::initializer_list<Place> places) {
    std::set<ValueId> result;
    for (const Node& node : nodes)
      for (const ValueId id : node.inputs)
        if (id != no_value && !graph_.is_constant(id) &&
            std::find(places.begin(), places.end(), place(id)) != places.end())
          result.insert(id);
    return result;
  }

  /// The rest reads the integers of what has been planned on a grid.
  void hand_over_integers() {
    std::vector<Node> readers;
    for (const ValueId id : reads(later_, {Place::planned})) {
      const std::optional<Grid> grid = graph_.value(id).grid;
      if (!grid) continue;
      const ValueId integers = integers_of(id);
      readers.push_back(
          grid_node("FromBytes", graph_.value(integers).name + "/reals", *grid, integers, id));
      place(id) = Place::later;
      handed_over_.insert(id);
    }
    later_.insert(later_.begin(), std::make_move_iterator(readers.begin()),
                  std::make_move_iterator(readers.end()));
  }

  Cut assemble() {
    Cut cut;
    std::set<ValueId> made = reads(steps_, {Place::planned});
    for (const ValueId id : graph_.outputs)
      if (place(id) == Place::planned && !graph_.is_constant(id)) made.insert(id);
    hand_over_integers();
    std::set<ValueId> computed_later;
    for (const ValueId id : graph_.outputs)
      if (place(id) == Place::later && !handed_over_.contains(id) && !graph_.is_constant(id))
        computed_later.insert(id);
    made.merge(reads(later_, {Place::planned}));
    const auto given = reads(planned_, {Place::given});
    const auto read_later = reads(later_, {Place::given, Place::planned, Place::step});
    cut.planned = graph_;
    cut.planned.nodes = std::move(planned_);
    cut.planned.inputs.assign(given.begin(), given.end());
    cut.planned.outputs.assign(made.begin(), made.end());
    cut.steps = std::move(steps_);
    cut.rest = std::move(graph_);
    cut.rest.removed.clear();
    cut.rest.nodes = std::move(later_);
    cut.rest.inputs.assign(read_later.begin(), read_later.end());
    cut.rest.outputs.assign(computed_later.begin(), computed_later.end());
    return cut;
  }

  Graph graph_;
  std::optional<FreshNames> names_;  ///< made when the graph is cut
  std::vector<Place> places_;        ///< by value
  std::vector<Node> planned_, steps_, later_;
  std::set<ValueId> handed_over_;
};

}  // namespace

Cut cut_graph(Graph graph) {
  return Cutter(std::move(graph)).run();
}

}  // namespace intact

// Runs a graph whose shapes may depend on data: a plan for what the shapes of the inputs tell, then
// the nodes that need data, then the rest, as a graph of its own whose shapes are known by then.
#pragma once

#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan.hpp"
#include "engine/plan_cache.hpp"
#include "intact/datum.hpp"

namespace intact {

class GraphRunner;

/// What the graphs of a session share.
struct Machine {
  SessionOptions options;
  Isa isa = Isa::scalar;
  int threads = 1;
  std::optional<WeightCache> weights;  ///< of the constants of the model; set before any runner

  /// The runner of a subgraph, made on first use.
  const GraphRunner& runner_of(const Subgraph& subgraph);

 private:
  std::mutex mutex_;
  std::map<Subgraph, std::unique_ptr<GraphRunner>> subgraphs_;
};

/// A node that runs by itself, on data in slots of its stage; -1 where an operand is absent.
struct StageNode {
  Node node;
  std::vector<int> inputs, outputs;
  /// For flow: the tensors that it reads and writes, constants aside.
  std::vector<std::string> reads, writes;
  ElementType element = ElementType::undefined;  ///< of its first input, when known
};

/// A graph for one set of input shapes. Slots hold data: constants, the inputs, what the plan, the
/// nodes and the rest compute.
struct Stage {
  std::unique_ptr<Plan> plan;  ///< null when there is nothing to plan
  bool whole = false;          ///< the plan computes everything: inputs and outputs are the graph's
  std::vector<int> input_slots, plan_inputs, plan_outputs;
  std::vector<StageNode> nodes;
  std::unique_ptr<GraphRunner> rest;  ///< null when nothing is left
  std::vector<int> rest_inputs, rest_outputs;
  std::vector<int> output_slots;
  std::vector<Datum> slots;  ///< with the constants in place
};

/// What one run records.
struct RunLog {
  std::vector<StepTime>* profile = nullptr;
  /// Stages by first visit, one per runner.
  std::vector<std::pair<const GraphRunner*, std::shared_ptr<const Stage>>>* visited = nullptr;
  std::int64_t subgraph_runs = 0;
  std::int64_t most_subgraph_runs = std::numeric_limits<std::int64_t>::max();
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();

  double now() const {
    using Microseconds = std::chrono::duration<double, std::micro>;
    return profile ? Microseconds(std::chrono::steady_clock::now() - begin).count() : 0;
  }
};

/// Safe to use from several threads at a time.
class GraphRunner {
 public:
  /// The graph of a model, planned for the values of inputs that tell shapes; or a part of one
  /// (subgraph, or what a stage leaves), where operators that only move elements take such values
  /// as data, because they change from run to run.
  enum class Role : std::uint8_t { model, part };

  /// `graph` is canonical. `depth`: stages before this one; too many are Unsupported.
  GraphRunner(Graph graph, Machine& machine, Role role, int depth = 0);

  std::vector<Datum> run(std::span<const Datum> inputs, RunLog& log) const;

  /// The stage for inputs of these shapes (and values, of inputs that are keyed by value).
  std::shared_ptr<const Stage> stage_for(std::span<const Datum> inputs) const;
  /// The values, not only the shape, of this input decide about shapes.
  bool keyed_by_value(std::size_t input) const { return keyed_by_value_[input]; }
  const Graph& graph() const { return graph_; }

  /// What runs where; runs the graph on `examples`, because later stages depend on data.
  Flow flow(std::span<const Datum> examples) const;

 private:
  std::string key_of(std::span<const Datum> inputs) const;
  bool is_key(std::size_t input, const Datum& datum) const;
  std::shared_ptr<const Stage> make_stage(std::span<const Datum> inputs) const;

  Graph graph_;
  Machine& machine_;
  std::vector<bool> keyed_by_value_;
  int depth_;
  mutable PlanCache stages_;  ///< by input shapes
};

}  // namespace intact

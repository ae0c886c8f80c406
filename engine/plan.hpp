// A plan: the steps of a model for one set of input shapes, and the memory that they work in.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "engine/memory.hpp"
#include "engine/step.hpp"
#include "graph/graph.hpp"
#include "intact/session.hpp"

namespace intact {

/// Memory of one inference at a time.
struct Workspace {
  std::shared_ptr<std::byte> arena, scratch;
};

class Plan {
 public:
  /// `graph` is canonical, with all shapes inferred (engine/cut.hpp). Throws Error or Unsupported
  /// naming the node.
  Plan(Graph graph, const SessionOptions& options, Isa isa, int threads, WeightCache& weights);

  /// Inputs as planned. Safe from several threads at a time.
  std::vector<Tensor> run(std::span<const Tensor> inputs, std::vector<StepTime>* profile) const;

  Flow flow() const;

 private:
  std::unique_ptr<Workspace> take_workspace() const;
  void give_back(std::unique_ptr<Workspace> workspace) const;
  Frame make_frame(const Workspace& workspace, std::span<const Tensor> inputs) const;

  Program program_;  ///< tensors, inputs and outputs; operations have become steps
  std::vector<std::unique_ptr<Step>> steps_;
  MemoryPlan memory_;
  std::size_t scratch_stride_ = 0;
  int threads_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace intact

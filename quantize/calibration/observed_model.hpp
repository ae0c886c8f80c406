// A model whose tensors can be seen: they become outputs of a copy of it, which the engine runs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "intact/session.hpp"

namespace intact {

class ObservedModel {
 public:
  /// `tensors`: inputs and results of `graph`, in any number and order.
  ObservedModel(const Graph& graph, std::span<const ValueId> tensors, int threads);

  /// The tensors in one sample, in the order in which they were named.
  std::vector<Tensor> run(std::span<const Tensor> sample) const;
  int threads() const { return session_->threads(); }

 private:
  struct Place {
    bool is_input = false;
    std::size_t index = 0;  ///< among the inputs, or among the session's outputs
  };
  std::vector<Place> places_;
  std::unique_ptr<Session> session_;
};

}  // namespace intact

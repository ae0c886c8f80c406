// Sessions over graphs that are in memory already.
#pragma once

#include "graph/graph.hpp"
#include "intact/session.hpp"

namespace intact {

/// `graph`: as load_onnx gives it. Throws Error or Unsupported with the reason.
Session session_of(Graph graph, const SessionOptions& options);

}  // namespace intact

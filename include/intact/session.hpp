// Sessions: load a model once, run it many times, see what runs where.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "intact/datum.hpp"
#include "intact/error.hpp"
#include "intact/isa.hpp"
#include "intact/tensor.hpp"

namespace intact {

class Graph;  // internal

struct SessionOptions {
  /// Threads per run; 0 means the CPUs that this process may use.
  int threads = 0;
  /// Cap of the instruction set; by default INTACT_ISA, else the best the machine has. Throws Error
  /// when the machine lacks it.
  std::optional<Isa> isa;
  /// False keeps every operator with the Round behind it in a kernel of its own. Same bytes either
  /// way.
  bool fusion = true;
  /// Interpret the file node by node with the reference operators instead of planning it.
  bool reference = false;
  /// Tensors inside of the model (ModelInfo::tensors) that become further outputs, behind its own,
  /// to be looked at: they are stored as floats then, which costs time and changes the flow, but
  /// no number. Throws Error for a name that is none of them.
  std::vector<std::string> observe;
};

/// A graph input or output: a tensor, or a sequence of tensors of one type, of any shapes. Unknown
/// extents are -1 and may have a name.
struct TensorInfo {
  std::string name;
  ElementType type = ElementType::undefined;
  Shape shape;
  std::vector<std::string> symbols;  ///< one per extent, empty where the extent is known
  bool rank_known = true;
  bool is_sequence = false;
  bool is_optional = false;  ///< it may hold nothing: an undefined Tensor
};

/// One step of a plan as `intact flow` shows it.
struct FlowNode {
  std::string name;                     ///< unique within the flow
  std::string op;                       ///< "Conv+Relu", "Add", ...
  std::vector<std::string> onnx_nodes;  ///< source nodes that the step stands for
  std::string precision;                ///< "int8", "float" or "shape"
  std::string kernel, isa, reason;
  std::int64_t macs = 0;
};
struct FlowEdge {
  std::string tensor, storage, grid, from;
  std::vector<std::string> to;
};
struct FlowRemoved {
  std::vector<std::string> onnx_nodes;
  std::string reason;
};
struct Flow {
  std::vector<FlowNode> nodes;
  std::vector<FlowEdge> edges;
  std::vector<FlowRemoved> removed;
  int int8_nodes = 0, float_nodes = 0, float_round_trips = 0;
  std::int64_t int8_macs = 0, total_macs = 0;
};

/// Time of one step in one run, in microseconds since the run began.
struct StepTime {
  std::string name, op, kernel;
  double begin_us = 0, end_us = 0;  ///< of all threads, with the barrier behind the step
  std::int64_t macs = 0;
  std::int64_t bytes = 0;  ///< of activations read and written
};

/// A tensor that an operator of the model writes.
struct InnerTensor {
  std::string name, node, op;
};

struct ModelInfo {
  std::string name;
  std::vector<std::pair<std::string, int>> opsets;  ///< domain, version
  std::vector<std::pair<std::string, int>>
      operators;                ///< "Conv" or "com.microsoft.QLinearAdd", count
  std::int64_t parameters = 0;  ///< elements of all constants
  std::size_t file_bytes = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<InnerTensor> tensors;  ///< in the order of the operators
};

/// Safe to use from several threads at a time; each run has its own workspace.
class Session {
 public:
  /// Throws Error or Unsupported with the reason.
  static Session load(const std::filesystem::path& model, const SessionOptions& options = {});
  static Session parse(std::span<const std::byte> model, const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  const ModelInfo& info() const;
  Isa isa() const;
  int threads() const;

  /// One inference: inputs in the order of inputs(), results in the order of outputs(). The first
  /// run with new input shapes plans them. Throws Error when number, type or shape do not fit
  /// (naming what is expected). `profile`, when given, receives the time of each step.
  std::vector<Tensor> run(std::span<const Tensor> inputs,
                          std::vector<StepTime>* profile = nullptr) const;
  /// The same for models whose inputs or outputs are sequences or optionals.
  std::vector<Datum> run_data(std::span<const Datum> inputs,
                              std::vector<StepTime>* profile = nullptr) const;

  /// Plans these input shapes ahead, so that the first run with them is as fast as the others.
  /// Errors as of run(). Not for reference sessions.
  void plan(std::span<const Shape> input_shapes) const;

  /// What runs in which precision and why, for these input shapes (by default the declared ones,
  /// with 1 for an unknown first extent; Error when others are unknown). Not for reference
  /// sessions.
  Flow flow(std::span<const Shape> input_shapes = {}) const;

  /// Declared shapes with unknown extents replaced by those of `defaults`: 1 for an unknown first
  /// extent. Throws Error naming an input with other unknown extents.
  std::vector<Shape> default_shapes() const;

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  friend Session session_of(Graph graph, const SessionOptions& options);  // engine/session_of.hpp
  std::unique_ptr<State> state_;
};

}  // namespace intact

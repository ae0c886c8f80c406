// From the canonical graph with concrete shapes to a Program. One file per operator family; each
// function looks at a node and, when its case applies, emits operations and returns true.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/program.hpp"
#include "graph/graph.hpp"

namespace intact {

/// What follows an operator and is computed with it: clamps, and the Round that makes it bytes.
struct Tail {
  float lower = -__builtin_inff(), upper = __builtin_inff();
  std::optional<Grid> grid;  ///< set when a Round to a byte grid was taken
  ValueId result = no_value;
  std::vector<std::string> sources;
  std::string op;  ///< "Conv+Relu"
};

/// Bound of what kernels round to int32.
constexpr float largest_rescaled = 2.0e9f;
/// Factors and addends in units of a result's scale are limited to this, where anything but 0
/// saturates: infinite ones would make NaN.
constexpr float largest_ratio = 1e30f;

/// The elements have the same order in memory in both layouts: all spatial extents are 1, or there
/// is one channel.
bool same_order(const Shape& shape);

class Lowering {
 public:
  Lowering(const Graph& graph, WeightCache& weights, Program& program);
  /// Lowers every node. Throws Unsupported for shapes that depend on data.
  void run();

  // --- looking at the graph
  const Graph& graph() const { return graph_; }
  const Value& value(ValueId id) const { return graph_.value(id); }
  const Shape& shape(ValueId id) const { return *graph_.value(id).shape; }
  /// On a per-tensor grid of 8-bit integers: stored as bytes.
  bool on_byte_grid(ValueId id) const;
  /// On a per-tensor grid of 16-bit integers: stored as words (u16).
  bool on_word_grid(ValueId id) const;
  /// Either: stored as integers.
  bool on_stored_grid(ValueId id) const { return on_byte_grid(id) || on_word_grid(id); }
  bool is_constant(ValueId id) const { return graph_.is_constant(id); }
  const std::vector<int>& consumers(ValueId id) const {
    return consumers_[static_cast<std::size_t>(id)];
  }
  /// The only consumer of a value that is not a graph output; null otherwise.
  const Node* only_consumer(ValueId id) const;
  /// The node that computes a value; null for inputs and constants.
  const Node* producer(ValueId id) const;
  /// Names the real numbers of a constant in the cache of weights.
  std::string reals_key(ValueId id) const;
  /// The real numbers of a constant; dequantized once for all plans.
  Tensor real_constant_of(ValueId id) const;
  /// Why an input keeps an operator from running on integers, and what would help: "input 'x' has
  /// no grid; ...".
  std::string no_grid_reason(const Node& node, std::size_t input) const;
  /// The same for a tensor on a grid that is not stored as bytes.
  std::string wide_grid_reason(ValueId id) const;

  // --- stored forms of values; operations that convert are emitted on demand and shared
  /// The integers of a tensor on a grid: bytes, or words of a 16-bit grid.
  TensorId bytes(ValueId id, Layout layout);
  /// The high (`which` 1) or low (0) bytes of a tensor on a 16-bit grid. Each is a tensor on a byte
  /// grid, and their reals add up to the tensor's.
  TensorId plane(ValueId id, Layout layout, int which);
  TensorId real(ValueId id, Layout layout);
  /// Integers of a grid, else elements of its own type.
  TensorId stored(ValueId id, Layout layout);
  /// As it is stored for plain reference code.
  TensorId plain(ValueId id) { return stored(id, Layout::plain); }
  /// Layout in which a value is (first) stored.
  Layout layout_of(ValueId id) const;

  /// The tensor on a byte grid of which `id` is an elementwise function (constants aside), or
  /// no_value. A tensor on a byte grid is a function of itself.
  ValueId unary_source(ValueId id) const { return unary_sources_[static_cast<std::size_t>(id)]; }

  /// Index of the operation that wrote the value's first stored form last; -1 for inputs and
  /// constants.
  int written_at(ValueId id) const;

  // --- emitting
  /// Follows the only consumers of node's output through Relu, Clip and a Round to a byte grid, and
  /// marks them as done. The tail's sources begin with the node's.
  Tail take_tail(const Node& node);
  /// The same without marking.
  Tail peek_tail(const Node& node) const { return follow(node, true); }
  /// The node alone.
  static Tail no_tail(const Node& node);
  /// For operators that write float: stops before the Round.
  Tail take_float_tail(const Node& node);
  /// The node and, if that is the only consumer, a Round to a byte or 16-bit grid, marked as done:
  /// for operators that do not clamp. Relu and Clip may stand between when the Round's own bounds
  /// are theirs or tighter.
  Tail take_round(const Node& node);
  /// A new stored tensor for the tail's result: bytes on its grid, else f32.
  TensorId result_tensor(const Tail& tail, Layout layout);
  TensorId new_tensor(std::string name, ElementType type, Shape shape, Layout layout,
                      std::optional<Grid> grid = std::nullopt);
  /// Makes `tensor` a stored form of the value.
  void bind(ValueId id, TensorId tensor) { stored_[id].push_back(tensor); }
  Operation& emit(const Node& node, OperationKind kind, std::vector<TensorId> inputs,
                  TensorId output);
  Operation& emit(const Node& node, const Tail& tail, OperationKind kind,
                  std::vector<TensorId> inputs, TensorId output);
  /// A copy: as precise as what it copies.
  Operation& emit_move(const Node& node, CopyOperation copy, TensorId source, TensorId target);
  /// A copy that the file does not contain: into another order of elements. `what` follows the
  /// tensor's name: "to channels last".
  void emit_layout(CopyOperation copy, TensorId source, TensorId target, std::string_view what);
  /// A float operation; the reason names the first operand without a grid.
  Operation& emit_float(const Node& node, OperationKind kind, std::vector<TensorId> inputs,
                        TensorId output);
  Operation& emit_float(const Node& node, const Tail& tail, OperationKind kind,
                        std::vector<TensorId> inputs, TensorId output);
  OutputStage stage_of(const Tail& tail) const;
  /// True for the first caller: the node's sources are then the caller's to account for.
  bool claim_sources(const Node& node);
  void mark_done(const Node& node);
  /// The node is accounted for by the tensors it shares, not by an operation.
  void note_removed(const Node& node, const std::string& reason);

  Program& program() { return program_; }
  WeightCache& weights() const { return weights_; }

 private:
  TensorId find(ValueId id, ElementType type, std::optional<Layout> layout) const;
  /// A stored form of `id` in another layout.
  TensorId relayout(TensorId source, Layout layout, ValueId id);
  TensorId relaid(TensorId source, Layout layout);
  TensorId dequantize(ValueId id, Layout layout);
  void append_conversion(OperationKind kind, TensorId source, TensorId target, std::string name,
                         const char* op);
  /// Writes the float `tensor` of a value that lies on a grid as integers too.
  void requantize(ValueId id, TensorId tensor);
  Tail follow(const Node& node, bool through_round) const;
  void mark_tail_done(const Node& node, const Tail& tail);
  void lower_node(const Node& node);
  void bind_inputs();
  void bind_outputs();

  const Graph& graph_;
  WeightCache& weights_;
  Program& program_;
  std::vector<std::vector<int>> consumers_;
  std::vector<int> producers_;
  std::vector<bool> done_, claimed_;
  std::vector<ValueId> unary_sources_;
  std::map<ValueId, std::vector<TensorId>> stored_;
  /// By tensor, from the operations before number `looked_at_`.
  mutable std::vector<int> written_at_;
  mutable std::size_t looked_at_ = 0;
  std::map<std::tuple<ValueId, Layout, int>, TensorId> planes_;
};

// The families, in the order in which they are asked. False: not this case.
bool lower_quantization(Lowering&, const Node&);  ///< Round, Bytes, FromBytes
bool lower_unary(Lowering&, const Node&);         ///< byte tables; float functions
bool lower_conv(Lowering&, const Node&);
bool lower_conv_transpose(Lowering&, const Node&);
bool lower_matmul(Lowering&, const Node&);   ///< MatMul and Gemm
bool lower_dynamic(Lowering&, const Node&);  ///< DynamicQuantizeLinear, ConvInteger, MatMulInteger
bool lower_pool(Lowering&, const Node&);     ///< pools and ReduceMean over the image
bool lower_reduce(Lowering&, const Node&);   ///< ReduceMean, ReduceSum, ReduceMax, ReduceMin
bool lower_affine(Lowering&, const Node&);   ///< BatchNormalization, Mul, Add, ... by a vector
bool lower_sum(Lowering&, const Node&);      ///< Add and Round over sums of grids
bool lower_binary(Lowering&, const Node&);   ///< Add, Sub, Mul, ...
bool lower_concat(Lowering&, const Node&);
bool lower_rows(Lowering&, const Node&);           ///< Softmax and normalizations
bool lower_recurrent(Lowering&, const Node&);      ///< LSTM, GRU, RNN
bool lower_interpolation(Lowering&, const Node&);  ///< Resize that computes elements
bool lower_movement(Lowering&, const Node&);       ///< Reshape, Transpose, Slice, Pad, ...
bool lower_logic(Lowering&, const Node&);          ///< Where, Equal, Less, And, Cast, ...
bool lower_indexing(Lowering&, const Node&);       ///< Gather, Pad that mirrors, ArgMax, TopK
bool lower_reference(Lowering&, const Node&);      ///< anything: the reference evaluation

/// Bounds of a Relu, or of a Clip with constant scalar bounds; nothing for other nodes.
std::optional<std::pair<float, float>> clamp_bounds(const Graph& graph, const Node& node);
/// Round to a grid of 8 or 16 bits, without clamps.
QuantizeOperation quantize_to(const Grid& grid);

/// The program for a canonical graph whose shapes are inferred. `weights`: what is made of
/// constants, for plans of other shapes too.
Program lower(const Graph& graph, bool fusion, WeightCache& weights);

// Passes over the program, each in its file; what `--no-fusion` leaves out.
struct ProgramPass {
  const char* name;
  void (*run)(Program&);
};
void join_views(Program&);          ///< tensors that are only read under another shape
void compose_tables(Program&);      ///< table behind table, behind byte kernels: one
void fuse_residual(Program&);       ///< Add on grids into the convolution before it
void fuse_dynamic_round(Program&);  ///< DynamicQuantizeLinear into the product before it
void fuse_rows(Program&);           ///< what leads to a softmax or normalization into its step
void fuse_attention(Program&);      ///< float products, with the softmax and Transposes around them
void split_copies(Program&);        ///< element-wise operators in front of copies that join parts
void fuse_chain(Program&);          ///< float operators and Rounds into the product before them
void place_concat(Program&);        ///< producers write into the slots of a Concat
void group_rows(Program&);          ///< operations with rows of floats between them
void group_lines(Program&);         ///< convolutions, and interpolations of their floats
void group_vectors(Program&);       ///< operations with vectors of floats between them
void repeat_products(Program&);     ///< products whose results their own mean scales

}  // namespace intact

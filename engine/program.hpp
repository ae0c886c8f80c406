// The lowered program: what is computed on which stored tensors, before kernels are chosen and
// memory is placed. Made by engine/lower from the canonical graph for concrete shapes.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/grid.hpp"
#include "engine/weight_cache.hpp"
#include "graph/definition.hpp"
#include "graph/graph.hpp"
#include "kernels/conv/conv.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "kernels/logic/logic.hpp"
#include "kernels/pool/pool.hpp"
#include "kernels/recurrent/recurrent.hpp"
#include "kernels/reduce/reduce.hpp"
#include "kernels/rows/rows.hpp"

namespace intact {

using TensorId = int;
constexpr TensorId no_tensor = -1;

/// Order of a tensor's elements in memory. `plain`: row-major as its shape says. `channels_last`:
/// axis 1 innermost, for tensors of rank 3 and above.
enum class Layout : std::uint8_t { plain, channels_last };

/// On a 16-bit grid, whatever its sign.
bool has_words(const Grid& grid);
/// What tensors on a per-tensor grid of 8 or 16 bits are stored as: u8 or u16, whatever the file
/// says; signed integers and their zero point are raised by 128 or 32768.
ElementType stored_type(const Grid& grid);
std::int32_t stored_zero_point(const Grid& grid);
/// The greatest stored integer.
std::int32_t stored_highest(const Grid& grid);

/// One stored tensor.
struct StoredTensor {
  std::string name;
  ElementType type = ElementType::f32;
  std::optional<Grid> grid;  ///< as the file says
  Shape shape;               ///< logical, in the order of the graph
  Layout layout = Layout::plain;
  Tensor constant;    ///< defined for constants: the elements in the order of `layout`
  bool sums = false;  ///< of products that the operator which reads them completes: no activation
  /// A view of another tensor, `offset` elements into it; else no_tensor.
  TensorId root = no_tensor;
  std::int64_t offset = 0;
  /// Elements from one pixel to the next; 0 when dense.
  std::int64_t pitch_elements = 0;

  std::int64_t channels() const;  ///< extent of the innermost axis in memory
  std::int64_t rows() const;      ///< pixels: all other extents multiplied
  std::int64_t pitch() const { return pitch_elements != 0 ? pitch_elements : channels(); }
  bool dense() const { return pitch() == channels(); }
  std::vector<std::int64_t> strides() const;  ///< in elements, in the order of `shape`
  std::int32_t zero_point() const;            ///< of the stored integers
  /// Integers of a grid, not of the model itself.
  bool on_grid() const { return grid.has_value() && type != ElementType::f32; }
};

/// What a byte-writing operation does behind its arithmetic (kernels::Epilogue, owning its table).
struct OutputStage {
  kernels::Output output = kernels::Output::u8;
  std::int32_t zero_point = 0, lower = 0, upper = 255;
  std::vector<std::uint8_t> table;  ///< empty or 256 entries
  float float_lower = -__builtin_inff(), float_upper = __builtin_inff();
};

/// Arithmetic on grids (kernels::ByteBinaryArgs). Inputs: a, b, both broadcast to the output's
/// shape.
struct ByteBinaryOperation {
  kernels::ByteBinary operation = kernels::ByteBinary::add;
  std::int32_t zero_point_a = 0, zero_point_b = 0;
  float multiplier_a = 1, multiplier_b = 1;
  float divisor = 1;
  OutputStage stage;
};

/// A factor and an addend for each channel (kernels::AffineArgs). Inputs: x, bytes or floats.
struct AffineOperation {
  std::int32_t zero_point = 0;        ///< of x, if bytes
  std::vector<float> factor, addend;  ///< [channels]
  OutputStage stage;
};

/// A unary function of a grid: an entry for each stored integer. Bytes to bytes are `bytes`, what
/// becomes f32 `floats`, and all others `words` (with one more entry, for the kernel). Inputs: x.
struct TableOperation {
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  std::vector<std::uint16_t> words = {};
};

/// Float arithmetic with the broadcasting of ByteBinaryOperation. Inputs: a, b.
struct FloatBinaryOperation {
  kernels::FloatBinary operation = kernels::FloatBinary::add;
  float lower = -__builtin_inff(), upper = __builtin_inff();
};

struct FloatUnaryOperation {
  kernels::FloatUnary function = kernels::FloatUnary::clip;
  float alpha = 0, beta = 0;
};

/// Float to bytes or words; may change the layout. Inputs: x.
struct QuantizeOperation {
  float scale = 1;
  std::int32_t zero_point = 0, lower = 0, upper = 255;
};

/// Float operators, behind a product, another operation that makes floats of bytes, or nothing,
/// that run one after the other on each tile of their common shape, while it is in the cache, by
/// the kernels that they have as operations of their own: where they run changes no bit. Operands
/// of fewer elements repeat.
struct FloatChain {
  static constexpr int second_product = -1;
  struct Operand {
    TensorId stored = no_tensor;  ///< a tensor, read along with the tile; else ...
    /// ... 0: the product before the chain, k: the result of link k - 1, or second_product.
    int value = 0;
  };
  struct Link {
    /// Those that write bytes otherwise write floats here, but for Quantize.
    std::variant<FloatUnaryOperation, FloatBinaryOperation, QuantizeOperation, TableOperation,
                 ByteBinaryOperation, AffineOperation>
        kind;
    std::vector<Operand> operands;
    TensorId output = no_tensor;  ///< where the result is stored, if anyone else reads it
  };
  /// Sums of a value over each `window` pixels, for every channel: exact ones, which the threads
  /// add to `sums` (f64, [batch][channels]) in any order.
  struct Sum {
    int value = 0;
    double unit = 1;  ///< kernels::ExactSumArgs
    std::int64_t window = 1;
    TensorId sums = no_tensor;
  };
  TensorId product = no_tensor;  ///< where the product itself is stored, likewise
  std::vector<Link> links;
  std::vector<Sum> sums;
  TensorId like = no_tensor;  ///< shape and layout of all values
  bool empty() const { return links.empty() && sums.empty(); }
};

/// A chain behind nothing. Inputs: its stored operands. Outputs: what it stores.
struct ChainOperation {
  FloatChain chain;
};

/// DynamicQuantizeLinear behind a float result.
struct DynamicRound {
  std::string name;
};

/// Integer convolution or matrix product. Inputs: activation [, residual], or activation and its
/// zero point (one u8) and scale (one f32, a factor of all multipliers) when these are known at run
/// time only. Outputs: the result, or with `round`: bytes, scale (f32), zero point (u8) and floats
/// (the last input, too; no_tensor where they are computed twice instead of stored).
struct ConvOperation {
  kernels::ConvShape shape;
  ProductWeights weights;  ///< [out_channels][taps][in_channels / groups]
  std::vector<std::int32_t> bias;
  std::vector<float> multiplier, float_bias;    ///< float_bias may be empty
  bool bias_apart = false;                      ///< kernels::Epilogue
  std::vector<std::int32_t> weight_zero_point;  ///< may be empty
  std::int32_t src_zero_point = 0;
  bool zero_point_at_run_time = false;  ///< input 1; src_zero_point is 0 then
  bool scale_at_run_time = false;       ///< the last input
  OutputStage stage;
  std::optional<kernels::Residual> residual;  ///< data and pitch unset: input 1
  std::optional<DynamicRound> round;          ///< of a float result
  /// Behind a float stage. The operation's outputs are then what the chain stores, and its stored
  /// operands follow the inputs.
  FloatChain chain;
  /// At most one: a convolution of the same outputs, with nothing behind it, that the chain reads.
  /// Its activation is input 1.
  std::vector<ConvOperation> second;
  bool depthwise() const {
    return shape.groups > 1 && shape.groups == shape.in_channels &&
           shape.groups == shape.out_channels;
  }
};

/// Softmax or normalization of `rows` rows of `length` neighbouring elements; bytes or floats on
/// either side, as the stored tensors say. Inputs: x [, gamma [, beta]] [, addend].
struct RowOperation {
  kernels::RowFunction function = kernels::RowFunction::softmax;
  float epsilon = 0;
  std::int64_t rows = 0, length = 0;
  kernels::Response response;
  std::int64_t period = 1, repeat = 1;  ///< of gamma and beta (kernels::RowArgs)
  // What happens to the elements of x before, in this order (kernels::RowArgs).
  std::vector<float> table;  ///< of bytes: empty or 256 entries
  kernels::RowScale scale = kernels::RowScale::none;
  float factor = 1;
  bool has_addend = false;  ///< the last input, broadcast to x along all axes but the last
  kernels::RowAddend addend_use = kernels::RowAddend::sum;
  float replacement = 0;
  FloatChain chain;  ///< behind floats
};

/// Element (r, c) of matrix m is at first[m] + r * row + c * column; in elements.
struct Matrices {
  std::vector<std::int64_t> first;
  std::int64_t row = 0, column = 1;
};

/// Matrix products of two tensors of bytes, one per matrix of the output. Inputs: a, b [, those of
/// `rows` but for its x].
struct ActivationMatMulOperation {
  /// Of one pair of matrices, without weights: those are the bytes of b, lowered by 128.
  ConvOperation product;
  bool transpose_b = false;                      ///< b's matrices are [N][K], else [K][N]
  std::vector<std::int64_t> matrix_a, matrix_b;  ///< per matrix of the output: its operands
  /// Where matrices lie that are not as these say: per matrix of the output. a.column and
  /// dst.column are 1, and so is one of b's strides.
  std::optional<Matrices> a, b, dst;
  /// What happens to the rows of the (float) products before they are stored.
  std::optional<RowOperation> rows;
};

/// A product of bytes with a matrix that comes in blocks of rows: scales per block, or more terms
/// than one accumulator holds. Inputs: activation.
///   t = fma(float(acc_0), multiplier_0, bias)
///   t = t + float(acc_b) * multiplier_b               for b = 1, 2, ...
/// in units of real numbers; written as it is, or as q = half_even(t / scale) + zero_point.
struct BlockedProductOperation {
  ProductWeights weights;             ///< [columns][terms]
  std::vector<ConvOperation> blocks;  ///< of neighbouring terms each, without weights
  OutputStage stage;
  float scale = 1;  ///< of the output's grid
};

/// Pooling and reductions on bytes. Inputs: activation.
struct PoolOperation {
  bool average = false;
  kernels::Divisor divisor = kernels::Divisor::inside;    ///< average
  kernels::Extreme extreme = kernels::Extreme::greatest;  ///< else
  kernels::ConvShape shape;
  std::array<std::int64_t, 3> pad_end = {0, 0, 0};
  std::int32_t src_zero_point = 0;
  float ratio = 1;
  OutputStage stage;
  FloatChain chain;  ///< behind a float stage
};

/// Sum of tensors of equal shape on grids, and of one float per channel. Inputs: the terms.
struct ByteSumOperation {
  std::vector<std::int32_t> zero_point;  ///< per term
  std::vector<float> multiplier;         ///< per term
  std::vector<float> addend;             ///< per channel; empty when there is none
  OutputStage stage;
  FloatChain chain;  ///< behind a float stage
};

/// Float to bytes on the grid of ONNX's DynamicQuantizeLinear, found at run time. Inputs: x.
/// Outputs: the bytes, scale (f32), zero point (u8).
struct DynamicQuantizeOperation {};

/// Bytes to float; may change the layout. Inputs: x.
struct DequantizeOperation {};

/// dst[indices] = src[indices] for all indices of `extents`, with offsets and strides in elements.
/// Inputs: src. `fill`: the rest of dst is set to this byte pattern first (padding).
struct CopyOperation {
  std::vector<std::int64_t> extents, src_strides, dst_strides;
  std::int64_t src_offset = 0, dst_offset = 0;
  std::uint8_t flip = 0;
  std::optional<std::vector<std::uint8_t>> fill;  ///< one element's bytes
};

/// The high and the low bytes of words apart. Inputs: x. Outputs: both, in its layout.
struct SplitOperation {};

/// Float convolution, or transposed one, through oneDNN. Inputs: activation.
struct FloatConvOperation {
  kernels::ConvShape shape;
  bool transposed = false;  ///< weights are [in_channels, out_channels / groups, d, h, w] then
  std::array<std::int64_t, 3> pad_end = {0, 0, 0};
  Tensor weights;  ///< [out_channels, in_channels / groups, d, h, w], f32
  Tensor bias;     ///< [out_channels] or undefined
  float lower = -__builtin_inff(), upper = __builtin_inff();
};

/// Float matrix product through oneDNN: [batch] x (M x K) x (K x N). Inputs: a, b (both f32 plain).
struct FloatMatMulOperation {
  Shape a, b, out;  ///< broadcast batch dimensions, equal ranks
  bool transpose_a = false, transpose_b = false;
  Tensor bias;  ///< [N] or undefined
  float alpha = 1;
  float lower = -__builtin_inff(), upper = __builtin_inff();
};

/// Products of float matrices, one per matrix of the output. Inputs: a, b, which may be constant.
struct FloatProductOperation {
  std::int64_t rows = 0, columns = 0, depth = 0;
  Matrices a, b, dst;  ///< one per matrix of the output each; dst.column is 1

  /// What happens to the products before they are stored: a softmax of their rows, and the product
  /// of these with another matrix, which is then dst. Inputs: a, b, that matrix [, the addend of
  /// `rows`].
  struct Attention {
    RowOperation rows;
    Shape shape;  ///< of the first product
    std::int64_t columns = 0;
    Matrices b, dst;
  };
  std::optional<Attention> attention;
};

/// Float pooling through oneDNN. Inputs: x.
struct FloatPoolOperation {
  bool average = false, count_include_pad = false;
  kernels::ConvShape shape;
  std::array<std::int64_t, 3> pad_end = {0, 0, 0};
};

/// Interpolation (kernels::ResizeArgs); bytes or floats on either side, as the stored tensors say.
/// Inputs: x.
struct ResizeOperation {
  struct Axis {
    std::int64_t in = 1, out = 1, taps = 1;
    std::vector<std::int32_t> index;
    std::vector<float> weight;
    std::vector<std::uint8_t> outside;  ///< empty when no position is
  };
  std::int64_t batch = 1, channels = 1;
  std::array<Axis, 3> axis;
  float extrapolation = 0;
  FloatChain chain;  ///< behind floats
};

/// LSTM, GRU or RNN with constant weights, in float, or LSTM with a state that every step rounds to
/// bytes. Inputs: x [steps, batch, input], or what inputs and biases give, [steps, batch,
/// directions][4][pitch]; [, first h] [, first c]. Outputs: y, last h, and of LSTM last c, some of
/// which may be absent (ONNX, layout 0).
struct RecurrentOperation {
  // Packed as kernels/recurrent/recurrent.hpp says.
  struct Direction {
    Tensor weights, bias;  ///< f32; the bias of the state, which GRU may need, behind the others
  };
  struct ByteDirection {
    std::vector<std::int8_t> weights;
    std::vector<float> scale;
    std::vector<std::int32_t> sum, zero_point;  ///< no zero points: zeros
  };
  kernels::Cell cell = kernels::Cell::lstm;
  std::int64_t input = 0, hidden = 0;
  // One of the lists is empty. The second direction runs backwards.
  std::vector<Direction> directions;
  std::vector<ByteDirection> byte_directions;
  bool reverse = false;  ///< the only one runs backwards
  bool has_first_h = false, has_first_c = false;
};

/// A relation of two tensors of one type (bytes of one grid included). Inputs: a, b, both broadcast
/// to the output's shape.
struct CompareOperation {
  kernels::Relation relation = kernels::Relation::equal;
};

/// Inputs: condition, a, b, all broadcast to the output's shape; a, b and the output of one form.
struct SelectOperation {};

/// Conversion between element types (kernels::CastArgs). Inputs: x, of the output's layout.
struct CastOperation {};

/// Blocks of `inner` elements by position: [outer][extent][inner] to [outer][count][inner]. Inputs:
/// x [, the positions, s32 or s64, counted from either end].
struct GatherOperation {
  std::int64_t outer = 1, extent = 1, count = 1, inner = 1;
  std::vector<std::int64_t> index;  ///< from the front; empty: input 1
};

/// Position of an extreme of [outer][extent][inner], bytes or floats (kernels::ArgExtremeArgs).
struct ArgExtremeOperation {
  bool least = false, last = false;
  std::int64_t outer = 1, extent = 1, inner = 1;
};

/// The greatest or least bytes of rows (kernels::TopBytesArgs). Outputs: values, positions (s64),
/// one of which may be absent.
struct TopBytesOperation {
  bool least = false;
  std::int64_t rows = 1, length = 1, count = 1;
};

/// Reduction of floats (kernels::ReduceArgs). Inputs: x.
struct FloatReduceOperation {
  kernels::Reduction function = kernels::Reduction::sum;
  std::int64_t batch = 1, window = 1, channels = 1;
  double unit = 0;  ///< of a mean whose sum is exact (kernels::ExactSumArgs); 0: none
};

/// Means from such sums. Inputs: sums (f64).
struct MeanOperation {
  std::int64_t window = 1;
};

/// The reference evaluation of a node on plain tensors: any operator without a kernel.
struct ReferenceOperation {
  Node node;
  std::vector<int> operands;  ///< per node input: index into Operation::inputs, or -1 when absent
};

/// Operations that run as one step, because floats pass between them that stay in the cache of that
/// step: vectors, numbers per channel; or rows or lines of an image, when the parts take blocks of
/// them one behind the other (engine/row_blocks.hpp, engine/line_blocks.hpp). The operation's
/// inputs and outputs are what else they read and write.
struct Operation;
struct GroupOperation {
  std::vector<Operation> parts;  ///< execution order
};

using OperationKind =
    std::variant<ConvOperation, ActivationMatMulOperation, BlockedProductOperation, PoolOperation,
                 ByteBinaryOperation, ByteSumOperation, AffineOperation, TableOperation,
                 QuantizeOperation, DynamicQuantizeOperation, DequantizeOperation, CopyOperation,
                 SplitOperation, FloatConvOperation, FloatMatMulOperation, FloatProductOperation,
                 FloatPoolOperation, FloatBinaryOperation, FloatUnaryOperation, RowOperation,
                 ResizeOperation, RecurrentOperation, ChainOperation, CompareOperation,
                 SelectOperation, CastOperation, GatherOperation, ArgExtremeOperation,
                 TopBytesOperation, FloatReduceOperation, MeanOperation, GroupOperation,
                 ReferenceOperation>;

/// What an operation computes behind its own results; null for those that have no place for it.
const FloatChain* chain_of(const OperationKind& kind);
FloatChain* chain_of(OperationKind& kind);

enum class Precision : std::uint8_t { int8, floating, shape };

struct Operation {
  OperationKind kind;
  std::vector<TensorId> inputs, outputs;
  std::string name, op;
  std::vector<std::string> sources;
  Precision precision = Precision::int8;
  std::string reason;  ///< why it is not int8
  std::int64_t macs = 0;
};

struct Program {
  std::vector<StoredTensor> tensors;
  std::vector<Operation> operations;  ///< execution order
  std::vector<TensorId> inputs, outputs;
  std::vector<Removed> removed;

  StoredTensor& tensor(TensorId id) { return tensors[static_cast<std::size_t>(id)]; }
  const StoredTensor& tensor(TensorId id) const { return tensors[static_cast<std::size_t>(id)]; }
  /// The tensor whose memory `id` lives in.
  TensorId root(TensorId id) const;
};

}  // namespace intact

// Matrix products of two tensors of bytes. The second operand plays the part of the weights: each
// thread packs the columns that it multiplies into its own scratch memory, as the convolution
// kernels want them, so that no thread waits for another. Where a softmax or normalization follows,
// blocks of whole rows go through it while they are in the cache.
#include <algorithm>
#include <numeric>

#include "engine/steps/chain.hpp"
#include "engine/steps/row_stage.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

/// Columns packed at a time: few enough to stay in the second-level cache, fewer where threads
/// would have no share.
constexpr std::int64_t most_columns = 256, least_columns = 64;
/// Rows that go through a row operation at a time: as many floats as leave room for the packed
/// columns in the first-level cache.
constexpr std::int64_t block_floats = 4096;

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Pieces of a thread's scratch memory, each on a cache line.
class Places {
 public:
  std::size_t take(std::size_t bytes) {
    const std::size_t at = end_;
    end_ += (bytes + 63) / 64 * 64;
    return at;
  }
  std::size_t end() const { return end_; }

 private:
  std::size_t end_ = 0;
};

class ActivationMatMulStep : public Step {
 public:
  ActivationMatMulStep(const kernels::ConvKernel& chosen, StepContext& context,
                       const Operation& operation, ActivationMatMulOperation& matmul)
      : multiply_(chosen),
        matmul_(std::move(matmul)),
        a_(operation.inputs[0]),
        b_(operation.inputs[1]),
        dst_(operation.outputs[0]) {
    const std::int64_t columns = matmul_.product.shape.out_channels;
    place_matrices(context.program);
    if (matmul_.rows)
      rows_.emplace(context, *matmul_.rows, context.program.tensor(dst_).shape,
                    std::vector(operation.inputs.begin() + 2, operation.inputs.end()), dst_);
    const kernels::ConvShape widest =
        part_of(rows(), rows_ ? columns : std::min(most_columns, columns));
    Places places;
    packed_at_ = places.take(multiply_.packed_bytes(widest));
    kernel_at_ = places.take(multiply_.scratch_bytes(widest));
    if (rows_) {
      const std::int64_t grain = multiply_.row_grain;
      const std::int64_t fit = std::max(block_floats / columns / grain * grain, grain);
      block_rows_ = std::min(rows(), fit);
      block_pitch_ = round_up(columns, 16);
      rows_at_ = places.take(static_cast<std::size_t>(rows_->scratch()) * sizeof(float));
      block_at_ = places.take(static_cast<std::size_t>(block_rows_ * block_pitch_) * sizeof(float));
    }
    if (const FloatChain& chain = matmul_.product.chain; !chain.links.empty()) {
      chain_.emplace(context, chain);
      chain_at_ = places.take(chain_->scratch_bytes());
    }
    scratch_bytes = places.end();
    kernel = multiply_.name;
    isa = multiply_.isa;
  }

  void run(const Frame& frame, Part part) const override {
    if (rows_)
      run_rows(frame, part);
    else
      run_columns(frame, part);
  }

 private:
  std::int64_t rows() const { return matmul_.product.shape.out_pixels(); }
  std::int64_t matrices() const { return static_cast<std::int64_t>(matmul_.matrix_b.size()); }

  /// Of the matrices that lie where matrix_a and matrix_b say.
  void place_matrices(const Program& program) {
    const std::int64_t depth = matmul_.product.shape.in_channels;
    const std::int64_t columns = matmul_.product.shape.out_channels;
    const auto place = [](std::optional<Matrices>& at, const std::vector<std::int64_t>& which,
                          std::int64_t rows, std::ptrdiff_t pitch, bool transposed) {
      if (at) return;
      at.emplace(Matrices{which, transposed ? 1 : pitch, transposed ? pitch : 1});
      for (std::int64_t& first : at->first) first *= rows * pitch;
    };
    std::vector<std::int64_t> every(matmul_.matrix_b.size());
    std::iota(every.begin(), every.end(), std::int64_t{0});
    place(matmul_.a, matmul_.matrix_a, rows(), program.tensor(a_).pitch(), false);
    place(matmul_.b, matmul_.matrix_b, matmul_.transpose_b ? columns : depth,
          program.tensor(b_).pitch(), matmul_.transpose_b);
    place(matmul_.dst, every, rows(), program.tensor(dst_).pitch(), false);
  }
  static std::ptrdiff_t at(const std::optional<Matrices>& matrices, std::int64_t matrix,
                           std::int64_t row = 0) {
    return matrices->first[static_cast<std::size_t>(matrix)] + row * matrices->row;
  }
  /// The product of some rows with some columns.
  kernels::ConvShape part_of(std::int64_t rows, std::int64_t columns) const {
    kernels::ConvShape shape = matmul_.product.shape;
    shape.in = shape.out = {1, 1, rows};
    shape.out_channels = columns;
    return shape;
  }

  /// Divides blocks of columns, and within a block the matrices of the output.
  void run_columns(const Frame& frame, Part part) const {
    const std::int64_t columns = matmul_.product.shape.out_channels;
    std::int64_t width = most_columns;
    const auto blocks = [&] { return (columns + width - 1) / width; };
    while (width > least_columns && matrices() * blocks() < part.count) width /= 2;
    std::byte* const scratch = frame.scratch_of(part);
    const std::ptrdiff_t element = matmul_.product.stage.output == kernels::Output::f32 ? 4 : 1;
    const Range share = split(matrices() * blocks(), part);
    for (std::int64_t item = share.begin; item < share.end; ++item) {
      const std::int64_t matrix = item % matrices(), column = item / matrices() * width;
      const kernels::ConvShape shape = part_of(rows(), std::min(width, columns - column));
      if (item == share.begin || matrix == 0 || !same_columns(matrix, matrix - 1))
        pack(frame, matrix, column, shape, scratch);
      std::byte* const dst =
          frame.at<std::byte>(dst_) + (at(matmul_.dst, matrix) + column) * element;
      std::optional<BoundChain> chain;
      if (chain_) chain.emplace(*chain_, frame, scratch + chain_at_, matrix * rows(), column);
      multiply(frame, matrix, 0, shape, scratch, dst, matmul_.dst->row, chain ? &*chain : nullptr);
    }
  }

  /// Divides the matrices of the output, and the rows of each where there are too few.
  void run_rows(const Frame& frame, Part part) const {
    const std::int64_t pieces = (part.count + matrices() - 1) / matrices();
    const std::int64_t piece = (rows() + pieces - 1) / pieces;
    std::byte* const scratch = frame.scratch_of(part);
    const Range share = split(matrices() * pieces, part);
    for (std::int64_t item = share.begin; item < share.end; ++item) {
      const std::int64_t matrix = item / pieces;
      const std::int64_t begin = item % pieces * piece, end = std::min(begin + piece, rows());
      const kernels::ConvShape whole = part_of(rows(), matmul_.product.shape.out_channels);
      if (item == share.begin || !same_columns(matrix, (item - 1) / pieces))
        pack(frame, matrix, 0, whole, scratch);
      for (std::int64_t row = begin; row < end; row += block_rows_)
        run_block(frame, matrix, row, std::min(block_rows_, end - row), scratch);
    }
  }

  void run_block(const Frame& frame, std::int64_t matrix, std::int64_t row, std::int64_t count,
                 std::byte* scratch) const {
    auto* const block = reinterpret_cast<float*>(scratch + block_at_);
    const kernels::ConvShape shape = part_of(count, matmul_.product.shape.out_channels);
    multiply(frame, matrix, row, shape, scratch, block, block_pitch_);
    kernels::RowArgs args = rows_->bind(frame, matrix * rows() + row, count);
    args.input = kernels::Element::f32;
    args.src = block;
    args.src_pitch = block_pitch_;
    args.scratch = reinterpret_cast<float*>(scratch + rows_at_);
    rows_->run(args, Part{0, 1});
  }

  bool same_columns(std::int64_t matrix, std::int64_t other) const {
    return matmul_.matrix_b[static_cast<std::size_t>(matrix)] ==
           matmul_.matrix_b[static_cast<std::size_t>(other)];
  }

  void pack(const Frame& frame, std::int64_t matrix, std::int64_t column,
            const kernels::ConvShape& shape, std::byte* scratch) const {
    const ConvOperation& product = matmul_.product;
    kernels::ConvMatrix columns;
    columns.k_stride = matmul_.b->row;
    columns.column_stride = matmul_.b->column;
    columns.data =
        frame.at<std::uint8_t>(b_) + at(matmul_.b, matrix) + column * columns.column_stride;
    kernels::ConvWeights form;
    form.matrix = &columns;
    form.bias = product.bias.data() + column;
    form.multiplier = product.multiplier.data() + column;
    form.float_bias = product.float_bias.empty() ? nullptr : product.float_bias.data() + column;
    form.zero_point = product.weight_zero_point.data() + column;
    form.src_zero_point = product.src_zero_point;
    multiply_.pack(shape, form, scratch + packed_at_);
  }

  /// Rows of one matrix, from `row` on, with the packed columns.
  void multiply(const Frame& frame, std::int64_t matrix, std::int64_t row,
                const kernels::ConvShape& shape, std::byte* scratch, void* dst,
                std::ptrdiff_t dst_pitch, const kernels::TileStage* tiles = nullptr) const {
    kernels::ConvArgs args;
    args.src = frame.at<std::uint8_t>(a_) + at(matmul_.a, matrix, row);
    args.src_pitch = matmul_.a->row;
    args.weights = scratch + packed_at_;
    args.dst = dst;
    args.dst_pitch = dst_pitch;
    args.scratch = scratch + kernel_at_;
    args.epilogue = epilogue_of(matmul_.product.stage);
    args.epilogue.tiles = tiles;
    multiply_.run(shape, args, Part{0, 1});
  }

  const kernels::ConvKernel& multiply_;
  ActivationMatMulOperation matmul_;
  std::optional<RowStage> rows_;
  std::optional<TileChain> chain_;
  TensorId a_, b_, dst_;
  std::int64_t block_rows_ = 0, block_pitch_ = 0;
  std::size_t packed_at_ = 0, kernel_at_ = 0, rows_at_ = 0, block_at_ = 0, chain_at_ = 0;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           ActivationMatMulOperation& matmul) {
  const kernels::ConvKernel& kernel =
      select_kernel(kernels::conv_kernels(), context.isa, [&](const kernels::ConvKernel& kernel) {
        return kernel.refuses(matmul.product.shape, {}) == nullptr;
      });
  return std::make_unique<ActivationMatMulStep>(kernel, context, operation, matmul);
}

}  // namespace intact

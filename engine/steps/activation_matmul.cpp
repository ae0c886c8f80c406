// Matrix products of two tensors of bytes. The second operand plays the part of the weights: each
// thread packs the columns that it multiplies into its own scratch memory, as the convolution
// kernels want them, so that no thread waits for another.
#include <algorithm>

#include "engine/steps/chain.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

/// Columns packed at a time: few enough to stay in the second-level cache, fewer where threads
/// would have no share.
constexpr std::int64_t most_columns = 256, least_columns = 64;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

std::int8_t lowered(std::uint8_t byte) {
  return static_cast<std::int8_t>(byte ^ 0x80);
}

/// [k][columns] with `pitch` bytes from row to row, to [columns][k] lowered by 128; square by
/// square, so that neither side leaves the cache.
void transpose_lowered(const std::uint8_t* from, std::ptrdiff_t pitch, std::int64_t k,
                       std::int64_t columns, std::int8_t* to) {
  constexpr std::int64_t side = 32;
  for (std::int64_t i0 = 0; i0 < k; i0 += side)
    for (std::int64_t j0 = 0; j0 < columns; j0 += side) {
      const std::int64_t i1 = std::min(i0 + side, k), j1 = std::min(j0 + side, columns);
      for (std::int64_t j = j0; j < j1; ++j)
        for (std::int64_t i = i0; i < i1; ++i) to[j * k + i] = lowered(from[i * pitch + j]);
    }
}

class ActivationMatMulStep : public Step {
 public:
  ActivationMatMulStep(const kernels::ConvKernel& chosen, StepContext& context,
                       const Operation& operation, ActivationMatMulOperation& matmul)
      : ActivationMatMulStep(chosen, context.program, operation, matmul) {
    const FloatChain& chain = matmul_.product.chain;
    if (chain.links.empty()) return;
    chain_.emplace(context, chain, operation);
    chain_at_ = aligned(scratch_bytes);
    scratch_bytes = chain_at_ + chain_->scratch_bytes();
  }

  /// Divides blocks of columns, and within a block the matrices of the output.
  void run(const Frame& frame, Part part) const override {
    const std::int64_t columns = matmul_.product.shape.out_channels;
    const auto matrices = static_cast<std::int64_t>(matmul_.matrix_b.size());
    std::int64_t width = most_columns;
    const auto blocks = [&] { return (columns + width - 1) / width; };
    while (width > least_columns && matrices * blocks() < part.count) width /= 2;
    std::byte* const scratch = frame.scratch_of(part);
    const Range share = split(matrices * blocks(), part);
    for (std::int64_t item = share.begin; item < share.end; ++item) {
      const auto matrix = static_cast<std::size_t>(item % matrices);
      const std::int64_t column = item / matrices * width;
      const kernels::ConvShape shape = shape_of(std::min(width, columns - column));
      const bool packed = item > share.begin && matrix > 0 &&
                          matmul_.matrix_b[matrix] == matmul_.matrix_b[matrix - 1];
      if (!packed) pack(frame, matmul_.matrix_b[matrix], column, shape, scratch);
      multiply(frame, matrix, column, shape, scratch);
    }
  }

 private:
  ActivationMatMulStep(const kernels::ConvKernel& chosen, const Program& program,
                       const Operation& operation, ActivationMatMulOperation& matmul)
      : multiply_(chosen),
        matmul_(std::move(matmul)),
        a_(operation.inputs[0]),
        b_(operation.inputs[1]),
        dst_(operation.outputs[0]),
        a_pitch_(program.tensor(a_).pitch()),
        b_pitch_(program.tensor(b_).pitch()),
        dst_pitch_(program.tensor(dst_).pitch()) {
    const kernels::ConvShape widest =
        shape_of(std::min(most_columns, matmul_.product.shape.out_channels));
    packed_bytes_ = aligned(multiply_.packed_bytes(widest));
    kernel_bytes_ = aligned(multiply_.scratch_bytes(widest));
    scratch_bytes = packed_bytes_ + kernel_bytes_ +
                    static_cast<std::size_t>(widest.in_channels * widest.out_channels);
    kernel = multiply_.name;
    isa = multiply_.isa;
  }

  kernels::ConvShape shape_of(std::int64_t columns) const {
    kernels::ConvShape shape = matmul_.product.shape;
    shape.out_channels = columns;
    return shape;
  }

  void pack(const Frame& frame, std::int64_t matrix, std::int64_t column,
            const kernels::ConvShape& shape, std::byte* scratch) const {
    const ConvOperation& product = matmul_.product;
    const std::int64_t k = shape.in_channels, n = product.shape.out_channels;
    auto* const weights = reinterpret_cast<std::int8_t*>(scratch + packed_bytes_ + kernel_bytes_);
    const std::int64_t matrix_rows = matmul_.transpose_b ? n : k;
    const std::uint8_t* const b = frame.at<std::uint8_t>(b_) + matrix * matrix_rows * b_pitch_;
    if (matmul_.transpose_b) {
      for (std::int64_t j = 0; j < shape.out_channels; ++j)
        std::transform(b + (column + j) * b_pitch_, b + (column + j) * b_pitch_ + k,
                       weights + j * k, lowered);
    } else {
      transpose_lowered(b + column, b_pitch_, k, shape.out_channels, weights);
    }
    kernels::ConvWeights form;
    form.data = weights;
    form.bias = product.bias.data() + column;
    form.multiplier = product.multiplier.data() + column;
    form.float_bias = product.float_bias.empty() ? nullptr : product.float_bias.data() + column;
    form.zero_point = product.weight_zero_point.data() + column;
    form.src_zero_point = product.src_zero_point;
    multiply_.pack(shape, form, scratch);
  }

  void multiply(const Frame& frame, std::size_t matrix, std::int64_t column,
                const kernels::ConvShape& shape, std::byte* scratch) const {
    const std::int64_t rows = shape.out_pixels();
    const OutputStage& stage = matmul_.product.stage;
    const std::ptrdiff_t element = stage.output == kernels::Output::f32 ? 4 : 1;
    kernels::ConvArgs args;
    args.src = frame.at<std::uint8_t>(a_) + matmul_.matrix_a[matrix] * rows * a_pitch_;
    args.src_pitch = a_pitch_;
    args.weights = scratch;
    args.dst = frame.at<std::byte>(dst_) +
               (static_cast<std::int64_t>(matrix) * rows * dst_pitch_ + column) * element;
    args.dst_pitch = dst_pitch_;
    args.scratch = scratch + packed_bytes_;
    args.epilogue = epilogue_of(stage);
    std::optional<BoundChain> bound;
    if (chain_)
      args.epilogue.tiles = &bound.emplace(*chain_, frame, scratch + chain_at_,
                                           static_cast<std::int64_t>(matrix) * rows, column);
    multiply_.run(shape, args, Part{0, 1});
  }

  const kernels::ConvKernel& multiply_;
  ActivationMatMulOperation matmul_;
  TensorId a_, b_, dst_;
  std::ptrdiff_t a_pitch_, b_pitch_, dst_pitch_;
  std::size_t packed_bytes_ = 0, kernel_bytes_ = 0;
  std::optional<TileChain> chain_;
  std::size_t chain_at_ = 0;
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

// Matrix products in blocks of terms. A tile of the output stays in the thread's scratch memory
// while the products of the blocks, of an ordinary integer kernel that writes floats, are added up
// in order; then it is rounded. Tiles depend on nothing but the shape: neither do the sums.
#include <algorithm>

#include "engine/steps/steps.hpp"
#include "kernels/quantize/quantize.hpp"

namespace intact {
namespace {

constexpr std::int64_t tile_rows = 48, tile_columns = 64;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

struct BlockedKernels {
  const kernels::ConvKernel& multiply;
  const kernels::FloatBinaryKernel& add;
  const kernels::FloatUnaryKernel& clip;
  const kernels::QuantizeKernel& quantize;
};

kernels::ConvShape tile_shape(const ConvOperation& block, std::int64_t rows, std::int64_t columns) {
  kernels::ConvShape shape = block.shape;
  shape.in = shape.out = {1, 1, rows};
  shape.batch = 1;
  shape.out_channels = columns;
  return shape;
}

/// Columns [begin, begin + count) of a block, whose weights are [columns][terms of the block], as
/// the kernel wants them.
void pack_columns(const kernels::ConvKernel& kernel, const ConvOperation& block,
                  const ProductWeights::Values& values, std::int64_t begin, std::int64_t count,
                  void* packed) {
  kernels::ConvWeights weights;
  weights.data = values.data() + begin * block.shape.in_channels;
  weights.bias = block.bias.data() + begin;
  weights.multiplier = block.multiplier.data() + begin;
  weights.float_bias = block.float_bias.empty() ? nullptr : block.float_bias.data() + begin;
  weights.zero_point = block.weight_zero_point.data() + begin;
  weights.src_zero_point = block.src_zero_point;
  kernel.pack(tile_shape(block, tile_rows, count), weights, packed);
}

class BlockedProductStep : public Step {
 public:
  BlockedProductStep(const BlockedKernels& chosen, StepContext& context, const Operation& operation,
                     BlockedProductOperation& product)
      : kernels_(chosen),
        stage_(std::move(product.stage)),
        scale_(product.scale),
        src_(operation.inputs[0]),
        dst_(operation.outputs[0]),
        src_pitch_(context.program.tensor(src_).pitch()),
        dst_pitch_(context.program.tensor(dst_).pitch()),
        rows_(product.blocks[0].shape.out_pixels()),
        columns_(product.blocks[0].shape.out_channels) {
    kernel = chosen.multiply.name;
    isa = chosen.multiply.isa;
    place_weights(product.blocks);
    weights_ = context.weights.get(packed_key(product), packed_bytes_, [&](void* target) {
      pack_all(product, static_cast<std::byte*>(target));
    });
    for (const ConvOperation& block : product.blocks)
      kernel_scratch_ =
          std::max(kernel_scratch_,
                   chosen.multiply.scratch_bytes(tile_shape(block, tile_rows, tile_columns)));
    blocks_ = std::move(product.blocks);
    kernel_scratch_ = aligned(kernel_scratch_);
    scratch_bytes =
        kernel_scratch_ + static_cast<std::size_t>(2 * tile_rows * tile_columns) * sizeof(float);
  }

  void run(const Frame& frame, Part part) const override {
    const std::int64_t tiles = (rows_ + tile_rows - 1) / tile_rows;
    const Range range = split(tiles * column_tiles_, part);
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t row = i / column_tiles_ * tile_rows;
      run_tile(frame, row, std::min(tile_rows, rows_ - row), i % column_tiles_,
               frame.scratch_of(part));
    }
  }

 private:
  std::int64_t width_at(std::int64_t begin) const {
    return std::min(tile_columns, columns_ - begin);
  }
  std::size_t offset_of(std::size_t block, std::int64_t column_tile) const {
    return offsets_[block * static_cast<std::size_t>(column_tiles_) +
                    static_cast<std::size_t>(column_tile)];
  }

  void place_weights(const std::vector<ConvOperation>& blocks) {
    column_tiles_ = (columns_ + tile_columns - 1) / tile_columns;
    std::ptrdiff_t column = 0;
    for (const ConvOperation& block : blocks) {
      src_offsets_.push_back(column);
      column += block.shape.in_channels;
      for (std::int64_t begin = 0; begin < columns_; begin += tile_columns) {
        offsets_.push_back(packed_bytes_);
        packed_bytes_ +=
            aligned(kernels_.multiply.packed_bytes(tile_shape(block, tile_rows, width_at(begin))));
      }
    }
  }

  /// Names all that the packed weights depend on.
  std::string packed_key(const BlockedProductOperation& product) const {
    std::string key = product.weights.identity();
    extend_key(key, fmt::format("blocks {} {}", kernel, columns_));
    for (const ConvOperation& block : product.blocks) {
      extend_key(key,
                 fmt::format("{} zero point {}", block.shape.in_channels, block.src_zero_point));
      extend_key(key, block.multiplier);
      extend_key(key, block.float_bias);
      extend_key(key, block.weight_zero_point);
    }
    return key;
  }

  void pack_all(const BlockedProductOperation& product, std::byte* packed) const {
    const ProductWeights::Values all = product.weights.values();
    const std::int64_t terms = static_cast<std::int64_t>(all.size()) / columns_;
    for (std::size_t b = 0; b < product.blocks.size(); ++b) {
      const ConvOperation& block = product.blocks[b];
      ProductWeights::Values values;
      for (std::int64_t n = 0; n < columns_; ++n) {
        const auto from = all.begin() + n * terms + src_offsets_[b];
        values.insert(values.end(), from, from + block.shape.in_channels);
      }
      for (std::int64_t begin = 0; begin < columns_; begin += tile_columns)
        pack_columns(kernels_.multiply, block, values, begin, width_at(begin),
                     packed + offset_of(b, begin / tile_columns));
    }
  }

  void run_tile(const Frame& frame, std::int64_t row, std::int64_t rows, std::int64_t column_tile,
                std::byte* scratch) const {
    const std::int64_t begin = column_tile * tile_columns, columns = width_at(begin);
    auto* const sums = reinterpret_cast<float*>(scratch + kernel_scratch_);
    float* const terms = sums + tile_rows * tile_columns;
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      kernels::ConvArgs args;
      args.src = frame.at<std::uint8_t>(src_) + row * src_pitch_ + src_offsets_[b];
      args.src_pitch = src_pitch_;
      args.weights = weights_.get() + offset_of(b, column_tile);
      args.dst = b == 0 ? sums : terms;
      args.dst_pitch = tile_columns;
      args.scratch = scratch;
      args.epilogue.output = kernels::Output::f32;
      kernels_.multiply.run(tile_shape(blocks_[b], rows, columns), args, Part{});
      if (b == 0) continue;
      kernels::FloatBinaryArgs add;
      add.rows = rows;
      add.channels = columns;
      add.a = {sums, tile_columns, 1};
      add.b = {terms, tile_columns, 1};
      add.dst = sums;
      add.dst_pitch = tile_columns;
      kernels_.add.run(add, Part{});
    }
    if (stage_.output == kernels::Output::f32)
      write_reals(frame.at<float>(dst_) + row * dst_pitch_ + begin, sums, rows, columns);
    else
      write_bytes(frame.at<std::uint8_t>(dst_) + row * dst_pitch_ + begin, sums, rows, columns);
  }

  void write_reals(float* dst, const float* sums, std::int64_t rows, std::int64_t columns) const {
    kernels::FloatUnaryArgs args;
    args.function = kernels::FloatUnary::clip;
    args.rows = rows;
    args.channels = columns;
    args.src = sums;
    args.src_pitch = tile_columns;
    args.dst = dst;
    args.dst_pitch = dst_pitch_;
    args.alpha = stage_.float_lower;
    args.beta = stage_.float_upper;
    kernels_.clip.run(args, Part{});
  }

  void write_bytes(std::uint8_t* dst, const float* sums, std::int64_t rows,
                   std::int64_t columns) const {
    kernels::QuantizeArgs args;
    args.channels = columns;
    args.pixels = rows;
    args.src = sums;
    args.src_strides[1] = 1;
    args.src_strides[2] = tile_columns;
    args.scale = scale_;
    args.zero_point = stage_.zero_point;
    args.lower = stage_.lower;
    args.upper = stage_.upper;
    args.dst = dst;
    args.dst_pitch = dst_pitch_;
    kernels_.quantize.run(args, Part{});
  }

  BlockedKernels kernels_;
  OutputStage stage_;
  float scale_;
  TensorId src_, dst_;
  std::ptrdiff_t src_pitch_, dst_pitch_;
  std::int64_t rows_, columns_, column_tiles_ = 0;
  std::vector<ConvOperation> blocks_;        ///< their shapes
  std::vector<std::ptrdiff_t> src_offsets_;  ///< per block: its first column of the activation
  std::vector<std::size_t> offsets_;         ///< per block and column tile, into the weights
  std::size_t packed_bytes_ = 0, kernel_scratch_ = 0;
  WeightCache::Block weights_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           BlockedProductOperation& product) {
  const kernels::ConvKernel& multiply =
      select_kernel(kernels::conv_kernels(), context.isa, [&](const kernels::ConvKernel& kernel) {
        return std::all_of(product.blocks.begin(), product.blocks.end(), [&](const auto& block) {
          return kernel.refuses(block.shape, {}) == nullptr;
        });
      });
  const BlockedKernels chosen{multiply, select_kernel(kernels::float_binary_kernels(), context.isa),
                              select_kernel(kernels::float_unary_kernels(), context.isa),
                              select_kernel(kernels::quantize_kernels(), context.isa)};
  return std::make_unique<BlockedProductStep>(chosen, context, operation, product);
}

}  // namespace intact

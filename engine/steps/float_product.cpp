// Products of float matrices, neither of them weights. The columns of the second are packed by each
// thread into its own scratch memory, as the kernel wants them. In attention, blocks of rows go
// through the softmax and into the second product while they are in the first-level cache.
#include "kernels/float_product/float_product.hpp"

#include <algorithm>

#include "engine/steps/row_stage.hpp"
#include "engine/steps/steps.hpp"
#include "kernels/layout/layout.hpp"

namespace intact {
namespace {

/// Columns packed at a time, where no row operation needs whole rows.
constexpr std::int64_t most_columns = 256;
/// Floats of the rows that go through a softmax at a time.
constexpr std::int64_t block_floats = 4096;

/// The operands of one product.
struct Operands {
  const float* a = nullptr;
  std::ptrdiff_t a_row = 0, a_step = 1;
  float* dst = nullptr;
  std::ptrdiff_t dst_pitch = 0;
};

class FloatProductStep : public Step {
 public:
  FloatProductStep(StepContext& context, const Operation& operation, FloatProductOperation& product)
      : multiply_(select_kernel(kernels::float_product_kernels(), context.isa)),
        copy_(select_kernel(kernels::copy_kernels(), context.isa)),
        product_(std::move(product)),
        a_(operation.inputs[0]),
        b_(operation.inputs[1]),
        dst_(operation.outputs[0]) {
    kernel = multiply_.name;
    isa = multiply_.isa;
    if (!product_.attention) {
      if (const StoredTensor& b = context.program.tensor(b_);
          b.constant.defined() && matrices() == 1)
        pack_constant(context, b.constant);
      else
        scratch_bytes = packed_bytes(std::min(product_.columns, most_columns), product_.depth);
      return;
    }
    const FloatProductOperation::Attention& attention = *product_.attention;
    second_ = operation.inputs[2];
    rows_.emplace(context, attention.rows, attention.shape,
                  std::vector(operation.inputs.begin() + 3, operation.inputs.end()), no_tensor);
    const std::int64_t fitting = block_floats / std::max<std::int64_t>(product_.columns, 1);
    block_rows_ =
        std::max(fitting / kernels::product_rows, std::int64_t{1}) * kernels::product_rows;
    values_at_ = packed_bytes(product_.columns, product_.depth);
    block_at_ = values_at_ + packed_bytes(attention.columns, product_.columns);
    rows_at_ = block_at_ + static_cast<std::size_t>(block_rows_ * block_pitch()) * sizeof(float);
    scratch_bytes = rows_at_ + static_cast<std::size_t>(rows_->scratch()) * sizeof(float);
  }

  void run(const Frame& frame, Part part) const override {
    if (rows_)
      run_attention(frame, part);
    else
      run_product(frame, part);
  }

 private:
  static std::size_t packed_bytes(std::int64_t columns, std::int64_t depth) {
    return static_cast<std::size_t>(kernels::product_columns(columns) * depth) * sizeof(float);
  }
  std::int64_t matrices() const { return static_cast<std::int64_t>(product_.dst.first.size()); }
  std::int64_t block_pitch() const { return kernels::product_columns(product_.columns); }
  float* scratch_at(const Frame& frame, Part part, std::size_t at) const {
    return reinterpret_cast<float*>(frame.scratch_of(part) + at);
  }

  /// body(matrix, block, begin, end) for this part's share: blocks of the matrices' columns, and
  /// rows [begin, end) where there are fewer blocks than threads.
  template <class Body>
  void divide(std::int64_t blocks, Part part, const Body& body) const {
    const std::int64_t all = matrices() * blocks;
    const std::int64_t pieces = all == 0 ? 1 : (part.count + all - 1) / all;
    const std::int64_t piece = (product_.rows + pieces - 1) / pieces;
    const Range share = split(all * pieces, part);
    for (std::int64_t item = share.begin; item < share.end; ++item) {
      const std::int64_t begin = item % pieces * piece;
      body(item / pieces / blocks, item / pieces % blocks, begin,
           std::min(begin + piece, product_.rows));
    }
  }

  void run_product(const Frame& frame, Part part) const {
    const std::int64_t blocks = (product_.columns + most_columns - 1) / most_columns;
    divide(blocks, part,
           [&](std::int64_t matrix, std::int64_t block, std::int64_t begin, std::int64_t end) {
             const std::int64_t column = block * most_columns;
             const std::int64_t columns = std::min(product_.columns - column, most_columns);
             const float* const packed = packed_block(frame, part, matrix, column, columns);
             Operands operands = operands_of(frame, matrix, begin);
             operands.dst = frame.at<float>(dst_) + at(product_.dst, matrix, begin) + column;
             operands.dst_pitch = product_.dst.row;
             multiply(operands, end - begin, columns, product_.depth, packed);
           });
  }

  /// All blocks of a constant matrix, once.
  void pack_constant(StepContext& context, const Tensor& constant) {
    std::string key = context.weights.identity(constant);
    extend_key(key, fmt::format("float panels {} {} {} {}", product_.columns, product_.depth,
                                product_.b.row, product_.b.column));
    constant_ =
        context.weights.get(key, packed_bytes(product_.columns, product_.depth), [&](void* to) {
          for (std::int64_t column = 0; column < product_.columns; column += most_columns)
            pack(constant.data<float>().data(), product_.b, 0, column,
                 std::min(product_.columns - column, most_columns), product_.depth,
                 static_cast<float*>(to) + column * product_.depth);
        });
  }

  /// Columns [column, column + columns) of the second operand as panels.
  const float* packed_block(const Frame& frame, Part part, std::int64_t matrix, std::int64_t column,
                            std::int64_t columns) const {
    if (constant_) return reinterpret_cast<const float*>(constant_.get()) + column * product_.depth;
    float* const packed = scratch_at(frame, part, 0);
    pack(frame.at<float>(b_), product_.b, matrix, column, columns, product_.depth, packed);
    return packed;
  }

  void run_attention(const Frame& frame, Part part) const {
    const FloatProductOperation::Attention& attention = *product_.attention;
    float* const keys = scratch_at(frame, part, 0);
    float* const values = scratch_at(frame, part, values_at_);
    divide(1, part, [&](std::int64_t matrix, std::int64_t, std::int64_t begin, std::int64_t end) {
      pack(frame.at<float>(b_), product_.b, matrix, 0, product_.columns, product_.depth, keys);
      pack(frame.at<float>(second_), attention.b, matrix, 0, attention.columns, product_.columns,
           values);
      for (std::int64_t row = begin; row < end; row += block_rows_) {
        const std::int64_t count = std::min(block_rows_, end - row);
        Operands operands = operands_of(frame, matrix, row);
        operands.dst = scratch_at(frame, part, block_at_);
        operands.dst_pitch = block_pitch();
        multiply(operands, count, product_.columns, product_.depth, keys);
        kernels::RowArgs args = rows_->bind(frame, matrix * product_.rows + row, count);
        args.input = kernels::Element::f32;
        args.src = args.dst = operands.dst;
        args.src_pitch = args.dst_pitch = operands.dst_pitch;
        args.scratch = scratch_at(frame, part, rows_at_);
        rows_->run(args, Part{});
        multiply({operands.dst, operands.dst_pitch, 1,
                  frame.at<float>(dst_) + at(attention.dst, matrix, row), attention.dst.row},
                 count, attention.columns, product_.columns, values);
      }
    });
  }

  static std::ptrdiff_t at(const Matrices& matrices, std::int64_t matrix, std::int64_t row) {
    return matrices.first[static_cast<std::size_t>(matrix)] + row * matrices.row;
  }
  Operands operands_of(const Frame& frame, std::int64_t matrix, std::int64_t row) const {
    Operands operands;
    operands.a = frame.at<float>(a_) + at(product_.a, matrix, row);
    operands.a_row = product_.a.row;
    operands.a_step = product_.a.column;
    return operands;
  }

  /// Columns [column, column + columns) of a matrix of `depth` rows, as panels.
  void pack(const float* b, const Matrices& matrices, std::int64_t matrix, std::int64_t column,
            std::int64_t columns, std::int64_t depth, float* to) const {
    const float* const from = b + at(matrices, matrix, 0) + column * matrices.column;
    for (std::int64_t begin = 0; begin < columns; begin += kernels::product_panel) {
      const std::int64_t width = kernels::panel_width(columns, begin);
      const std::int64_t count = std::min(columns - begin, width);
      float* const panel = to + begin * depth;
      if (count < width) std::fill_n(panel, width * depth, 0.0f);
      kernels::CopyArgs copy;
      copy.rank = 2;
      copy.extents = {depth, count};
      copy.src_strides = {matrices.row, matrices.column};
      copy.dst_strides = {width, 1};
      copy.element_bytes = sizeof(float);
      copy.src = from + begin * matrices.column;
      copy.dst = panel;
      copy_.run(copy, Part{});
    }
  }

  void multiply(const Operands& operands, std::int64_t rows, std::int64_t columns,
                std::int64_t depth, const float* packed) const {
    if (rows <= 0) return;
    multiply_.run({rows, columns, depth, operands.a, operands.a_row, operands.a_step, packed,
                   operands.dst, operands.dst_pitch});
  }

  const kernels::FloatProductKernel& multiply_;
  const kernels::CopyKernel& copy_;
  FloatProductOperation product_;
  std::optional<RowStage> rows_;
  WeightCache::Block constant_;  ///< the second operand, packed
  TensorId a_, b_, dst_, second_ = no_tensor;
  std::int64_t block_rows_ = 0;
  std::size_t values_at_ = 0, block_at_ = 0, rows_at_ = 0;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           FloatProductOperation& product) {
  return std::make_unique<FloatProductStep>(context, operation, product);
}

}  // namespace intact

// The row kernels' view of a RowOperation: what its step and that of a product with rows behind it
// share.
#pragma once

#include "engine/step.hpp"
#include "kernels/rows/rows.hpp"

namespace intact {

/// A RowOperation, prepared once for tensors of one shape.
class RowStage {
 public:
  /// `operands`: gamma, beta and the addend, as many as there are; `shape`: of the operand;
  /// `dst`: no_tensor for dense rows of floats, whose place the caller sets.
  RowStage(StepContext& context, const RowOperation& row, const Shape& shape,
           std::vector<TensorId> operands, TensorId dst);

  /// Floats of scratch per thread.
  std::int64_t scratch() const { return kernels::row_scratch(args_.length); }
  const char* kernel() const { return kernel_.name; }
  Isa isa() const { return kernel_.isa; }

  /// With everything but the source and scratch, for the rows [first, first + count) of the output.
  kernels::RowArgs bind(const Frame& frame, std::int64_t first, std::int64_t count) const;
  std::int64_t rows() const { return args_.rows; }
  void run(const kernels::RowArgs& args, Part part) const { kernel_.run(args, part); }

  /// From row to row of a tensor; rows that are not those of the tensor lie densely.
  static std::int64_t pitch_of(const StoredTensor& tensor, const RowOperation& row) {
    return tensor.channels() == row.length ? tensor.pitch() : row.length;
  }

 private:
  const kernels::RowKernel& kernel_;
  kernels::RowArgs args_;
  std::ptrdiff_t element_bytes_ = 0;  ///< of the output
  std::vector<float> table_;
  std::vector<std::int64_t> addend_row_;
  TensorId gamma_ = no_tensor, beta_ = no_tensor, addend_ = no_tensor, dst_;
};

}  // namespace intact

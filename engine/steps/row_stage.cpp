// Arguments of the row kernels.
#include "engine/steps/row_stage.hpp"

#include "engine/steps/real_form.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

/// Where the elements begin that are added to each row: `addend` is broadcast along all axes but
/// the last.
std::vector<std::int64_t> addend_rows(const Shape& addend, const Shape& shape) {
  std::vector<std::int64_t> rows = {0};
  std::int64_t stride = addend.back();
  const std::size_t missing = shape.size() - addend.size();
  for (std::size_t axis = shape.size() - 1; axis-- > 0;) {
    const std::int64_t extent = axis < missing ? 1 : addend[axis - missing];
    const std::vector<std::int64_t> inner = std::move(rows);
    rows.clear();
    rows.reserve(inner.size() * static_cast<std::size_t>(shape[axis]));
    for (std::int64_t i = 0; i < shape[axis]; ++i)
      for (const std::int64_t row : inner) rows.push_back(row + (extent == 1 ? 0 : i * stride));
    stride *= extent;
  }
  return rows;
}

}  // namespace

RowStage::RowStage(StepContext& context, const RowOperation& row, const Shape& shape,
                   std::vector<TensorId> operands, TensorId dst)
    : kernel_(select_kernel(kernels::rows_kernels(), context.isa)), table_(row.table), dst_(dst) {
  args_.function = row.function;
  args_.epsilon = row.epsilon;
  args_.response = row.response;
  args_.rows = row.rows;
  args_.length = row.length;
  args_.period = row.period;
  args_.repeat = row.repeat;
  args_.scale = row.scale;
  args_.factor = row.factor;
  args_.addend_use = row.addend_use;
  args_.replacement = row.replacement;
  args_.output = kernels::Element::f32;
  args_.dst_pitch = row.length;
  if (dst != no_tensor) {
    const StoredTensor& out = context.program.tensor(dst);
    element_bytes_ = static_cast<std::ptrdiff_t>(element_size(out.type));
    args_.dst_pitch = pitch_of(out, row);
    args_.output = real_form(out, args_.dst_scale, args_.dst_zero_point);
  }
  if (row.has_addend) {
    addend_ = operands.back();
    operands.pop_back();
    addend_row_ = addend_rows(context.program.tensor(addend_).shape, shape);
  }
  if (!operands.empty()) gamma_ = operands[0];
  if (operands.size() > 1) beta_ = operands[1];
}

kernels::RowArgs RowStage::bind(const Frame& frame, std::int64_t first, std::int64_t count) const {
  kernels::RowArgs args = args_;
  args.rows = count;
  args.first_row = first;
  if (dst_ != no_tensor)
    args.dst = frame.at<std::byte>(dst_) + first * args.dst_pitch * element_bytes_;
  if (!table_.empty()) args.table = table_.data();
  if (gamma_ != no_tensor) args.gamma = frame.at<float>(gamma_);
  if (beta_ != no_tensor) args.beta = frame.at<float>(beta_);
  if (addend_ != no_tensor) {
    args.addend = frame.at<float>(addend_);
    args.addend_row = addend_row_.data() + first;
  }
  return args;
}

}  // namespace intact

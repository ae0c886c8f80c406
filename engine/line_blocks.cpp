// Which operations follow the lines of an image.
#include "engine/line_blocks.hpp"

#include <algorithm>

#include "engine/row_blocks.hpp"

namespace intact {
namespace {

/// An image of so many pixels whose channels are innermost, or one pixel for all.
bool has_pixels(const StoredTensor& tensor, std::int64_t pixels) {
  return tensor.rows() == 1 || (tensor.rows() == pixels && tensor.shape.size() >= 3 &&
                                tensor.layout == Layout::channels_last);
}

/// All operands from number `first` on have so many pixels, and are none of `others`, whose lines
/// are other ones.
bool reads_pixels(const Program& program, const Operation& operation,
                  const std::vector<TensorId>& others, std::size_t first, std::int64_t pixels) {
  return std::all_of(operation.inputs.begin() + static_cast<std::ptrdiff_t>(first),
                     operation.inputs.end(), [&](TensorId id) {
                       const StoredTensor& tensor = program.tensor(id);
                       return has_pixels(tensor, pixels) &&
                              (tensor.rows() == 1 || !contains(others, id));
                     });
}

}  // namespace

bool writes_lines(const Program& program, const Operation& convolution) {
  const auto* conv = std::get_if<ConvOperation>(&convolution.kind);
  if (conv == nullptr || conv->stage.output != kernels::Output::f32 || conv->residual ||
      conv->round || !conv->second.empty() || conv->zero_point_at_run_time ||
      conv->scale_at_run_time || !conv->chain.sums.empty())
    return false;
  const kernels::ConvShape& shape = conv->shape;
  const StoredTensor& x = program.tensor(convolution.inputs[0]);
  const auto has_results = [&](TensorId id) {
    const StoredTensor& out = program.tensor(id);
    return out.rows() == shape.out_pixels() && has_pixels(out, shape.out_pixels());
  };
  return shape.in[0] == 1 && shape.out[0] == 1 && shape.kernel[0] == 1 &&
         x.rows() == shape.in_pixels() && has_pixels(x, shape.in_pixels()) &&
         std::all_of(convolution.outputs.begin(), convolution.outputs.end(), has_results) &&
         reads_pixels(program, convolution, {convolution.inputs[0]}, 1, shape.out_pixels());
}

bool takes_lines(const Program& program, const Operation& convolution,
                 const Operation& interpolation) {
  const auto* resize = std::get_if<ResizeOperation>(&interpolation.kind);
  if (resize == nullptr || convolution.outputs.size() != 1 ||
      convolution.outputs[0] != interpolation.inputs[0])
    return false;
  const kernels::ConvShape& shape = std::get<ConvOperation>(convolution.kind).shape;
  const auto& axis = resize->axis;
  const std::int64_t results = shape.batch * axis[1].out * axis[2].out;
  return axis[0].in == 1 && axis[0].out == 1 && resize->batch == shape.batch &&
         axis[1].in == shape.out[1] && axis[2].in == shape.out[2] &&
         resize->channels == shape.out_channels &&
         has_pixels(program.tensor(interpolation.outputs[0]), results) &&
         reads_pixels(program, interpolation, convolution.inputs, 1, results);
}

bool follows_lines(const Program& program, const Operation& convolution, const Operation& before,
                   const Operation& follower) {
  const std::int64_t pixels = program.tensor(before.outputs[0]).rows();
  const std::vector<TensorId> x = {convolution.inputs[0]};
  return !std::holds_alternative<ConvOperation>(follower.kind) &&
         runs_by_rows(program, follower, pixels) &&
         has_pixels(program.tensor(follower.outputs[0]), pixels) &&
         reads_pixels(program, follower, &before == &convolution ? x : convolution.inputs, 0,
                      pixels);
}

std::optional<LineBlocks> line_blocks(const Program& program, const Operation& operation) {
  const auto* group = std::get_if<GroupOperation>(&operation.kind);
  if (group == nullptr || group->parts.size() < 2 || !writes_lines(program, group->parts[0]))
    return std::nullopt;
  LineBlocks blocks;
  const Operation& convolution = group->parts[0];
  blocks.interpolates = takes_lines(program, convolution, group->parts[1]);
  const std::size_t before = blocks.interpolates ? 1 : 0;
  for (std::size_t i = 0; i < group->parts.size(); ++i) {
    const Operation& part = group->parts[i];
    if (i > before && !follows_lines(program, convolution, group->parts[before], part))
      return std::nullopt;
    for (const TensorId id : part.outputs)
      if (id != no_tensor && !contains(operation.outputs, id)) blocks.inner.push_back(id);
  }
  const bool keeps_lines =
      !blocks.inner.empty() && contains(convolution.outputs, blocks.inner.front());
  return keeps_lines ? std::optional(blocks) : std::nullopt;
}

}  // namespace intact

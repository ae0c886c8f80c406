// Groups that run a block of rows, or of lines of an image, at a time.
#include <algorithm>

#include "engine/line_blocks.hpp"
#include "engine/row_blocks.hpp"
#include "engine/steps/block.hpp"
#include "kernels/conv/by_lines.hpp"

namespace intact {
namespace {

std::ptrdiff_t row_bytes(const StoredTensor& tensor) {
  return tensor.pitch() * static_cast<std::ptrdiff_t>(element_size(tensor.type));
}

std::string kernel_name(Isa isa) {
  return fmt::format("blocks_{}", isa == Isa::scalar ? "reference" : isa_name(isa));
}

/// Restricts an operation to the first `rows` rows.
void restrict_rows(OperationKind& kind, std::int64_t rows) {
  if (auto* row = std::get_if<RowOperation>(&kind)) row->rows = rows;
  if (auto* reduce = std::get_if<FloatReduceOperation>(&kind)) reduce->batch = rows;
  if (auto* pool = std::get_if<PoolOperation>(&kind)) pool->shape.batch = rows;
  if (auto* conv = std::get_if<ConvOperation>(&kind)) {
    conv->shape.batch = 1;
    conv->shape.in = conv->shape.out = {1, 1, rows};
  }
}

class RowBlockStep : public Step {
 public:
  RowBlockStep(StepContext& context, const GroupOperation& group, const RowBlocks& blocks)
      : rows_(blocks.rows) {
    std::int64_t floats = 0;  // of one row
    for (const TensorId id : blocks.inner) floats += context.program.tensor(id).channels();
    const std::int64_t most = std::max<std::int64_t>(most_block_floats / floats, 1);
    const std::int64_t count = (rows_ + most - 1) / most;
    block_rows_ = (rows_ + count - 1) / count;
    for (const std::int64_t rows : {block_rows_, rows_ % block_rows_}) {
      if (rows == 0) continue;
      std::vector<Operation> parts = group.parts;
      for (Operation& part : parts) restrict_rows(part.kind, rows);
      blocks_.push_back(std::make_unique<Block>(context, std::move(parts), [&](TensorId id) {
        return place(context.program.tensor(id), contains(blocks.inner, id), rows);
      }));
      scratch_bytes = std::max(scratch_bytes, blocks_.back()->scratch_bytes());
    }
    isa = blocks_[0]->isa();
    kernel = kernel_name(isa);
  }

  void run(const Frame& frame, Part part) const override {
    const Range share = split((rows_ + block_rows_ - 1) / block_rows_, part);
    for (std::int64_t i = share.begin; i < share.end; ++i) {
      const std::int64_t row = i * block_rows_;
      const bool whole = row + block_rows_ <= rows_;
      blocks_[whole ? 0 : blocks_.size() - 1]->run(frame, frame.scratch_of(part), row);
    }
  }

 private:
  /// The tensor as `rows` rows.
  Block::Place place(const StoredTensor& whole, bool inner, std::int64_t rows) const {
    const bool repeats = whole.rows() != rows_;
    Block::Place place{whole, inner, 0, repeats ? 0 : row_bytes(whole)};
    place.tensor.shape = repeats ? Shape{whole.channels()} : Shape{rows, whole.channels()};
    place.tensor.layout = Layout::plain;
    return place;
  }

  std::int64_t rows_, block_rows_ = 1;
  std::vector<std::unique_ptr<Block>> blocks_;  ///< all rows but the last few, and those
};

/// A convolution, perhaps an interpolation of its lines, and what follows pixel by pixel.
class LineBlockStep : public Step {
 public:
  LineBlockStep(StepContext& context, const GroupOperation& group, const LineBlocks& blocks)
      : inner_(blocks.inner) {
    const Source source(group, blocks.interpolates);
    for (std::int64_t image = 0; image < source.shape.batch; ++image)
      for (std::int64_t line = 0; line < source.out[1];) {
        const std::int64_t count = source.fitting(line);
        add_block(context, source, image, {line, line + count});
        line += count;
      }
    isa = blocks_[0]->isa();
    kernel = kernel_name(isa);
  }

  void run(const Frame& frame, Part part) const override {
    const Range share = split(static_cast<std::int64_t>(blocks_.size()), part);
    for (std::int64_t i = share.begin; i < share.end; ++i)
      blocks_[static_cast<std::size_t>(i)]->run(frame, frame.scratch_of(part));
  }

 private:
  /// The whole group.
  struct Source {
    Source(const GroupOperation& group, bool interpolates)
        : parts(group.parts), shape(std::get<ConvOperation>(parts[0].kind).shape), out(shape.out) {
      if (!interpolates) return;
      resize = &std::get<ResizeOperation>(parts[1].kind);
      out = {1, resize->axis[1].out, resize->axis[2].out};
    }

    /// The lines of the convolution that these lines of the result need.
    Range below(Range lines) const {
      if (resize == nullptr) return lines;
      const auto& axis = resize->axis[1];
      const auto [least, most] = std::minmax_element(axis.index.begin() + lines.begin * axis.taps,
                                                     axis.index.begin() + lines.end * axis.taps);
      return {*least, *most + 1};
    }

    /// How many lines, from `first` on, one block has.
    std::int64_t fitting(std::int64_t first) const {
      std::int64_t count = 1;
      for (; first + count < out[1]; ++count) {
        const Range needed = below({first, first + count + 1});
        const std::int64_t pixels =
            (needed.end - needed.begin) * shape.out[2] + (count + 1) * out[2];
        if (pixels * shape.out_channels > most_block_floats) break;
      }
      return count;
    }

    const std::vector<Operation>& parts;
    const kernels::ConvShape& shape;
    const ResizeOperation* resize = nullptr;
    std::array<std::int64_t, 3> out;  ///< of the last result
  };

  void add_block(StepContext& context, const Source& source, std::int64_t image, Range lines) {
    const Range below = source.below(lines);
    std::vector<Operation> parts = source.parts;
    auto& conv = std::get<ConvOperation>(parts[0].kind);
    conv.shape.batch = 1;
    const std::int64_t first =
        kernels::restrict_axis(conv.shape, 1, below.begin, below.end - below.begin);
    const Range read{first, first + conv.shape.in[1]};
    if (source.resize != nullptr)
      restrict_lines(std::get<ResizeOperation>(parts[1].kind), lines, below);
    for (std::size_t i = 1; i < parts.size(); ++i)
      restrict_rows(parts[i].kind, (lines.end - lines.begin) * source.out[2]);
    const TensorId input = parts[0].inputs[0];
    std::vector<TensorId> convolved = parts[0].inputs;
    convolved.insert(convolved.end(), parts[0].outputs.begin(), parts[0].outputs.end());
    convolved.push_back(conv.chain.like);  // of results inside of the chain
    blocks_.push_back(std::make_unique<Block>(context, std::move(parts), [&](TensorId id) {
      const StoredTensor& whole = context.program.tensor(id);
      const bool inner = contains(inner_, id);
      if (id == input) return place(whole, inner, image, read, source.shape.in);
      if (contains(convolved, id)) return place(whole, inner, image, below, source.shape.out);
      return place(whole, inner, image, lines, source.out);
    }));
    scratch_bytes = std::max(scratch_bytes, blocks_.back()->scratch_bytes());
  }

  static void restrict_lines(ResizeOperation& resize, Range lines, Range below) {
    ResizeOperation::Axis& axis = resize.axis[1];
    const auto cut = [&](auto& list, std::int64_t each) {
      if (!list.empty())
        list = {list.begin() + lines.begin * each, list.begin() + lines.end * each};
    };
    cut(axis.index, axis.taps);
    cut(axis.weight, axis.taps);
    cut(axis.outside, 1);
    for (std::int32_t& index : axis.index) index -= static_cast<std::int32_t>(below.begin);
    axis.in = below.end - below.begin;
    axis.out = lines.end - lines.begin;
    resize.batch = 1;
  }

  /// Some lines of an image.
  static Block::Place place(const StoredTensor& whole, bool inner, std::int64_t image, Range lines,
                            const std::array<std::int64_t, 3>& extents) {
    Block::Place place{whole, inner, 0, 0};
    place.tensor.layout = Layout::channels_last;
    const bool repeats = whole.rows() == 1;
    const std::int64_t height = repeats ? 1 : lines.end - lines.begin;
    place.tensor.shape = {1, whole.channels(), height, repeats ? 1 : extents[2]};
    if (!repeats && !inner)
      place.offset = (image * extents[1] + lines.begin) * extents[2] * row_bytes(whole);
    return place;
  }

  std::vector<TensorId> inner_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace

std::unique_ptr<Step> make_blocks(StepContext& context, const Operation& operation) {
  const auto& group = std::get<GroupOperation>(operation.kind);
  if (const auto rows = row_blocks(context.program, operation))
    return std::make_unique<RowBlockStep>(context, group, *rows);
  if (const auto lines = line_blocks(context.program, operation))
    return std::make_unique<LineBlockStep>(context, group, *lines);
  return nullptr;
}

}  // namespace intact

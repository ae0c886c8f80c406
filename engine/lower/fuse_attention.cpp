// Around products of matrices: a Transpose in front of or behind a product becomes its
// strides, and the softmax between two products of floats joins them into one step, in which the
// scores of a few rows never leave the cache. Each output keeps its order of summation, so no bit
// changes.
#include <algorithm>
#include <optional>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

using Strides = std::vector<std::int64_t>;

/// Takes offsets into one side of a copy, a whole dense tensor, to the other side.
class Redirection {
 public:
  static std::optional<Redirection> through(const CopyOperation& copy, const StoredTensor& whole,
                                            const Strides& from, const Strides& to,
                                            std::int64_t offset) {
    Redirection result;
    result.offset_ = offset;
    for (std::size_t i = 0; i < from.size(); ++i)
      if (copy.extents[i] != 1) result.axes_.push_back({from[i], to[i]});
    std::sort(result.axes_.begin(), result.axes_.end(),
              [](const Axis& a, const Axis& b) { return a.from > b.from; });
    const std::int64_t elements = element_count(copy.extents);
    if (elements != element_count(whole.shape)) return std::nullopt;  // a Slice
    std::int64_t stride = 1;
    for (std::size_t i = result.axes_.size(); i-- > 0;) {
      if (result.axes_[i].from != stride) return std::nullopt;
      stride = i == 0 ? elements : result.axes_[i - 1].from;
    }
    return copy.fill || copy.flip != 0 ? std::nullopt : std::optional(result);
  }

  std::int64_t operator()(std::int64_t from) const {
    std::int64_t to = offset_;
    for (const Axis& axis : axes_) {
      to += from / axis.from * axis.to;
      from %= axis.from;
    }
    return to;
  }

  /// Nothing where rows or columns have no equal distances on the other side.
  std::optional<Matrices> operator()(const Matrices& matrices, std::int64_t rows,
                                     std::int64_t columns) const {
    Matrices result = matrices;
    for (std::int64_t& first : result.first) first = (*this)(first);
    const auto restride = [&](std::int64_t& stride, std::int64_t count) {
      const auto offset = [&](std::int64_t i) {
        return (*this)(matrices.first[0] + i * stride) - result.first[0];
      };
      const std::int64_t step = count > 1 ? offset(1) : stride;
      for (std::int64_t i = 2; i < count; ++i)
        if (offset(i) != i * step) return false;
      stride = step;
      return true;
    };
    if (!restride(result.row, rows) || !restride(result.column, columns)) return std::nullopt;
    return result;
  }

 private:
  struct Axis {
    std::int64_t from, to;
  };
  std::vector<Axis> axes_;
  std::int64_t offset_ = 0;
};

class Fusion {
 public:
  explicit Fusion(Program& program) : program_(program), uses_(program) {}

  void run() {
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      if (FloatProductOperation* product = product_at(i)) take_transposes(i, *product);
      if (auto* matmul = std::get_if<ActivationMatMulOperation>(&at(i).kind))
        take_transposes(i, *matmul);
    }
    for (std::size_t i = 0; i < program_.operations.size(); ++i)
      if (std::holds_alternative<RowOperation>(program_.operations[i].kind)) join(i);
    erase_empty(program_);
  }

 private:
  Operation& at(std::size_t i) { return program_.operations[i]; }
  FloatProductOperation* product_at(std::size_t i) {
    return std::get_if<FloatProductOperation>(&at(i).kind);
  }
  /// The only reader of a tensor that operation `i` alone writes; -1: none.
  int only_reader(std::size_t i) const {
    const std::vector<TensorId>& outputs = program_.operations[i].outputs;
    if (outputs.size() != 1 || uses_.writer_of_single_use(outputs[0]) < 0) return -1;
    return uses_.readers[static_cast<std::size_t>(outputs[0])][0];
  }

  /// Moves what `before` or `behind` did into operation `i`.
  void take(std::size_t i, std::size_t other, bool before) {
    Operation& here = at(i);
    Operation& gone = at(other);
    here.sources.insert(before ? here.sources.begin() : here.sources.end(), gone.sources.begin(),
                        gone.sources.end());
    here.op = before ? gone.op + "+" + here.op : here.op + "+" + gone.op;
    gone.inputs.clear();
    gone.outputs.clear();
  }

  void take_transposes(std::size_t i, FloatProductOperation& product) {
    if (product.dst.first.empty()) return;
    const auto any = [](const Matrices&) { return true; };
    if (auto a = behind_copies(i, 0, product.a, product.rows, product.depth, any))
      product.a = std::move(*a);
    if (auto b = behind_copies(i, 1, product.b, product.depth, product.columns, any))
      product.b = std::move(*b);
    if (auto dst = in_front_of_copy(i, product.dst, product.rows, product.columns))
      product.dst = std::move(*dst);
  }

  void take_transposes(std::size_t i, ActivationMatMulOperation& matmul) {
    const kernels::ConvShape& shape = matmul.product.shape;
    const std::int64_t rows = shape.out_pixels(), depth = shape.in_channels,
                       columns = shape.out_channels;
    if (matmul.matrix_a.empty()) return;
    Matrices a{matmul.matrix_a, depth, 1}, b{matmul.matrix_b, columns, 1}, dst{{}, columns, 1};
    for (std::int64_t& first : a.first) first *= rows * depth;
    for (std::int64_t& first : b.first) first *= depth * columns;
    if (matmul.transpose_b) b.row = 1, b.column = depth;
    for (std::size_t m = 0; m < a.first.size(); ++m)
      dst.first.push_back(static_cast<std::int64_t>(m) * rows * columns);
    matmul.a = behind_copies(i, 0, a, rows, depth, [](const Matrices& x) { return x.column == 1; });
    matmul.b = behind_copies(i, 1, b, depth, columns,
                             [](const Matrices& x) { return x.row == 1 || x.column == 1; });
    if (!matmul.rows && matmul.product.stage.output == kernels::Output::u8)
      matmul.dst = in_front_of_copy(i, dst, rows, columns);
  }

  /// Where the matrices of an operand lie in front of the copies that write them (Transpose, or
  /// Expand of heads that several share); the operation then reads them there. Nothing if there are
  /// none, or `accepts` refuses.
  template <class Accepts>
  std::optional<Matrices> behind_copies(std::size_t i, std::size_t input, const Matrices& matrices,
                                        std::int64_t rows, std::int64_t columns,
                                        const Accepts& accepts) {
    auto result = behind_copy(i, input, matrices, rows, columns, accepts);
    for (auto next = result; next; next = behind_copy(i, input, *next, rows, columns, accepts))
      result = next;
    return result;
  }

  template <class Accepts>
  std::optional<Matrices> behind_copy(std::size_t i, std::size_t input, const Matrices& matrices,
                                      std::int64_t rows, std::int64_t columns,
                                      const Accepts& accepts) {
    const int writer = uses_.writer_of_single_use(at(i).inputs[input]);
    if (writer < 0) return std::nullopt;
    const auto other = static_cast<std::size_t>(writer);
    const auto* copy = std::get_if<CopyOperation>(&at(other).kind);
    if (copy == nullptr || copy->dst_offset != 0) return std::nullopt;
    const auto redirect =
        Redirection::through(*copy, program_.tensor(at(other).outputs[0]), copy->dst_strides,
                             copy->src_strides, copy->src_offset);
    auto redirected = redirect ? (*redirect)(matrices, rows, columns) : std::nullopt;
    if (!redirected || !accepts(*redirected)) return std::nullopt;
    const TensorId source = at(other).inputs[0];
    uses_.remove(program_, i);
    uses_.remove(program_, other);
    at(i).inputs[input] = source;
    take(i, other, true);
    uses_.add(program_, i);
    return redirected;
  }

  /// Where they lie behind the copy that alone reads the result; likewise.
  std::optional<Matrices> in_front_of_copy(std::size_t i, const Matrices& matrices,
                                           std::int64_t rows, std::int64_t columns) {
    const int reader = only_reader(i);
    if (reader < 0) return std::nullopt;
    const auto other = static_cast<std::size_t>(reader);
    const auto* copy = std::get_if<CopyOperation>(&at(other).kind);
    if (copy == nullptr || copy->src_offset != 0 || at(other).outputs.size() != 1)
      return std::nullopt;
    const auto redirect =
        Redirection::through(*copy, program_.tensor(at(other).inputs[0]), copy->src_strides,
                             copy->dst_strides, copy->dst_offset);
    auto redirected = redirect ? (*redirect)(matrices, rows, columns) : std::nullopt;
    if (!redirected || redirected->column != 1) return std::nullopt;
    uses_.remove(program_, i);
    uses_.remove(program_, other);
    at(i).outputs = at(other).outputs;
    take(i, other, false);
    uses_.add(program_, i);
    return redirected;
  }

  /// Matrices of `rows` rows one behind the other, without gaps.
  static bool is_dense(const Matrices& matrices, std::int64_t rows, std::int64_t columns) {
    for (std::size_t m = 0; m < matrices.first.size(); ++m)
      if (matrices.first[m] != static_cast<std::int64_t>(m) * rows * columns) return false;
    return (rows == 1 || matrices.row == columns) && (columns == 1 || matrices.column == 1);
  }

  /// Softmax `i` and the products on either side of it.
  void join(std::size_t i) {
    const auto& row = std::get<RowOperation>(at(i).kind);
    if (row.function != kernels::RowFunction::softmax || !row.table.empty() ||
        !row.chain.links.empty())
      return;
    const int before = uses_.writer_of_single_use(at(i).inputs[0]), behind = only_reader(i);
    if (before < 0 || behind < 0) return;
    const auto first = static_cast<std::size_t>(before), last = static_cast<std::size_t>(behind);
    FloatProductOperation* scores = product_at(first);
    FloatProductOperation* result = product_at(last);
    const bool fits =
        scores && result && !scores->attention && !result->attention &&
        row.length == scores->columns && scores->rows == result->rows &&
        scores->columns == result->depth && scores->dst.first.size() == result->dst.first.size() &&
        at(last).inputs[0] == at(i).outputs[0] && at(last).inputs[1] != at(i).outputs[0] &&
        is_dense(scores->dst, scores->rows, scores->columns) &&
        is_dense(result->a, result->rows, result->depth);
    if (!fits) return;
    Operation& here = at(last);
    FloatProductOperation whole = std::move(*scores);
    whole.attention.emplace(
        FloatProductOperation::Attention{row, program_.tensor(at(i).outputs[0]).shape,
                                         result->columns, std::move(result->b), result->dst});
    whole.dst = whole.attention->dst;
    std::vector<TensorId> inputs = at(first).inputs;
    inputs.push_back(here.inputs[1]);
    inputs.insert(inputs.end(), at(i).inputs.begin() + 1, at(i).inputs.end());
    here.macs += at(first).macs;
    for (const std::size_t gone : {first, i, last}) uses_.remove(program_, gone);
    take(last, i, true);
    take(last, first, true);
    here.kind = std::move(whole);
    here.inputs = std::move(inputs);
    uses_.add(program_, last);
  }

  Program& program_;
  Uses uses_;
};

}  // namespace

void fuse_attention(Program& program) {
  Fusion(program).run();
}

}  // namespace intact

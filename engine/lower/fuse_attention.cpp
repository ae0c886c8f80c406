// Around products of float matrices: a Transpose in front of or behind a product becomes its
// strides, and the softmax between two products joins them into one step, in which the scores of a
// few rows never leave the cache. Each output keeps its order of summation, so no bit changes.
#include <algorithm>
#include <numeric>
#include <optional>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

using Matrices = FloatProductOperation::Matrices;
using Strides = std::vector<std::int64_t>;

/// Takes offsets into one side of a copy, which is dense, to the other side.
class Redirection {
 public:
  static std::optional<Redirection> through(const CopyOperation& copy, const Strides& from,
                                            const Strides& to, std::int64_t offset) {
    Redirection result;
    result.offset_ = offset;
    for (std::size_t i = 0; i < from.size(); ++i)
      if (copy.extents[i] != 1) result.axes_.push_back({from[i], to[i]});
    std::sort(result.axes_.begin(), result.axes_.end(),
              [](const Axis& a, const Axis& b) { return a.from > b.from; });
    const std::int64_t elements = std::accumulate(copy.extents.begin(), copy.extents.end(),
                                                  std::int64_t{1}, std::multiplies<>());
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
    for (std::size_t i = 0; i < program_.operations.size(); ++i)
      if (FloatProductOperation* product = product_at(i); product && !product->dst.first.empty()) {
        take_operand(i, 0, product->a, product->rows, product->depth);
        take_operand(i, 1, product->b, product->depth, product->columns);
        take_result(i, *product);
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

  void take_operand(std::size_t i, std::size_t input, Matrices& matrices, std::int64_t rows,
                    std::int64_t columns) {
    const TensorId read = at(i).inputs[input];
    const int writer = uses_.writer_of_single_use(read);
    if (writer < 0) return;
    const auto* copy = std::get_if<CopyOperation>(&at(static_cast<std::size_t>(writer)).kind);
    if (copy == nullptr || copy->dst_offset != 0) return;
    const auto redirect =
        Redirection::through(*copy, copy->dst_strides, copy->src_strides, copy->src_offset);
    if (!redirect) return;
    auto redirected = (*redirect)(matrices, rows, columns);
    if (!redirected) return;
    matrices = std::move(*redirected);
    const auto other = static_cast<std::size_t>(writer);
    const TensorId source = at(other).inputs[0];
    uses_.remove(program_, i);
    uses_.remove(program_, other);
    at(i).inputs[input] = source;
    take(i, other, true);
    uses_.add(program_, i);
  }

  void take_result(std::size_t i, FloatProductOperation& product) {
    const int reader = only_reader(i);
    if (reader < 0) return;
    const auto other = static_cast<std::size_t>(reader);
    const auto* copy = std::get_if<CopyOperation>(&at(other).kind);
    if (copy == nullptr || copy->src_offset != 0 || at(other).outputs.size() != 1) return;
    const auto redirect =
        Redirection::through(*copy, copy->src_strides, copy->dst_strides, copy->dst_offset);
    if (!redirect) return;
    auto redirected = (*redirect)(product.dst, product.rows, product.columns);
    if (!redirected || redirected->column != 1) return;
    product.dst = std::move(*redirected);
    uses_.remove(program_, i);
    uses_.remove(program_, other);
    at(i).outputs = at(other).outputs;
    take(i, other, false);
    uses_.add(program_, i);
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

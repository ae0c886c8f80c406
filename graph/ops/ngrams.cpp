// TfIdfVectorizer: how often each n-gram of a pool occurs in a sequence of integers.
#include <algorithm>
#include <map>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

/// The attributes, checked.
struct Vectorizer {
  std::int64_t shortest = 1, longest = 1, most_skipped = 0;
  bool counts = true, weighs = false;  ///< modes TF: counts; IDF: weighs; TFIDF: both
  std::map<std::vector<std::int64_t>, std::size_t> pool;  ///< n-gram -> its number
  std::vector<std::int64_t> column;                       ///< of the output, by number
  std::vector<float> weight;                              ///< by number; empty: all 1
  std::int64_t columns = 0;
};

void read_mode(const Node& node, Vectorizer& result) {
  const std::string mode = node.attributes.text("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    refuse(node, "the mode is '{}'; it must be TF, IDF or TFIDF", mode);
  result.counts = mode != "IDF";
  result.weighs = mode != "TF";
}

/// `ngram_counts`[n - 1] is where the n-grams of length n begin in the pool.
void read_pool(const Node& node, Vectorizer& result) {
  const std::vector<std::int64_t> items = node.attributes.integers("pool_int64s");
  const std::vector<std::int64_t> begins = node.attributes.integers("ngram_counts");
  if (node.attributes.has("pool_strings"))
    refuse_unsupported(node, "a pool of strings is not supported, only one of integers");
  const auto size = static_cast<std::int64_t>(items.size());
  for (std::size_t n = 1; n <= begins.size(); ++n) {
    const std::int64_t begin = begins[n - 1], end = n < begins.size() ? begins[n] : size;
    const auto length = static_cast<std::int64_t>(n);
    if (begin < 0 || end > size || begin > end || (end - begin) % length != 0)
      refuse(node, "the pool of {} items does not hold n-grams of length {} from {} to {}", size, n,
             begin, end);
    for (std::int64_t i = begin; i < end; i += length)
      result.pool.emplace(std::vector(items.begin() + i, items.begin() + i + length),
                          result.pool.size());
  }
}

Vectorizer read(const Node& node) {
  Vectorizer result;
  read_mode(node, result);
  read_pool(node, result);
  result.shortest = node.attributes.integer("min_gram_length", 1);
  result.longest = node.attributes.integer("max_gram_length", 1);
  result.most_skipped = node.attributes.integer("max_skip_count", 0);
  const auto lengths = static_cast<std::int64_t>(node.attributes.integers("ngram_counts").size());
  if (result.shortest < 1 || result.longest < result.shortest || result.longest > lengths)
    refuse(node,
           "n-grams of lengths {} to {} are wanted, but the pool has those of lengths 1 to {}",
           result.shortest, result.longest, lengths);
  if (result.most_skipped < 0) refuse(node, "max_skip_count is {}", result.most_skipped);
  result.column = node.attributes.integers("ngram_indexes");
  result.weight = node.attributes.numbers("weights");
  if (result.column.size() != result.pool.size() || result.column.empty())
    refuse(node, "ngram_indexes has {} entries for {} different n-grams", result.column.size(),
           result.pool.size());
  if (!result.weight.empty() && result.weight.size() != result.column.size())
    refuse(node, "weights has {} entries for {} n-grams", result.weight.size(),
           result.column.size());
  for (const std::int64_t column : result.column) {
    if (column < 0) refuse(node, "ngram_indexes contains {}", column);
    result.columns = std::max(result.columns, column + 1);
  }
  return result;
}

std::vector<TensorType> infer(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  check_type(context, 0, {ElementType::s32, ElementType::s64});
  const Vectorizer vectorizer = read(node);
  if (!context.inputs[0].shape) return {{ElementType::f32, std::nullopt}};
  Shape shape = *context.inputs[0].shape;
  if (shape.empty() || shape.size() > 2)
    refuse(node, "the input has shape {}; it must be [items] or [batch, items]", to_string(shape));
  shape.back() = vectorizer.columns;
  return {sized(node, ElementType::f32, std::move(shape))};
}

/// Counts the n-grams that begin anywhere in `row` and whose items lie `skipped` + 1 apart.
void count(const Vectorizer& v, std::span<const std::int64_t> row, std::int64_t skipped,
           std::vector<double>& found) {
  const auto step = static_cast<std::size_t>(skipped + 1);
  for (std::size_t begin = 0; begin < row.size(); ++begin) {
    std::vector<std::int64_t> gram;
    for (std::size_t at = begin; at < row.size(); at += step) {
      gram.push_back(row[at]);
      const auto length = static_cast<std::int64_t>(gram.size());
      if (length > v.longest) break;
      // Single items are no different for being skipped.
      if (length < v.shortest || (length == 1 && skipped > 0)) continue;
      if (const auto known = v.pool.find(gram); known != v.pool.end()) ++found[known->second];
    }
  }
}

std::vector<Tensor> evaluate(const EvalContext& context) {
  const TensorType type = output_types(context, infer)[0];
  const Vectorizer v = read(context.node);
  const Tensor items = convert(context.inputs[0], ElementType::s64);
  const auto length = static_cast<std::size_t>(items.shape().back());
  Tensor result = allocate(context.node, type);
  const std::size_t rows = items.rank() == 2 ? static_cast<std::size_t>(items.shape()[0]) : 1;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto row = items.data<std::int64_t>().subspan(r * length, length);
    std::vector<double> found(v.column.size());
    // Further apart than the row is long there are only single items.
    const std::int64_t most = std::min(v.most_skipped, items.shape().back());
    for (std::int64_t skipped = 0; skipped <= most; ++skipped) count(v, row, skipped, found);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i] == 0) continue;
      const double weight = v.weighs && !v.weight.empty() ? v.weight[i] : 1;
      const std::size_t column =
          r * static_cast<std::size_t>(v.columns) + static_cast<std::size_t>(v.column[i]);
      result.data<float>()[column] = static_cast<float>((v.counts ? found[i] : 1) * weight);
    }
  }
  return {result};
}

}  // namespace

std::span<const Definition> ngram_definitions() {
  static const std::vector<Definition> definitions = {
      {.op = "TfIdfVectorizer", .first = 9, .infer = infer, .evaluate = evaluate},
  };
  return definitions;
}

}  // namespace intact

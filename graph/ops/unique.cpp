// Unique: the different elements, or slices along an axis, of a tensor.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/dispatch.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {
namespace {

std::vector<TensorType> infer_unique(const InferContext& context) {
  check_operands(context.node, 1, 1);
  return {{context.inputs[0].type, std::nullopt},
          {ElementType::s64, std::nullopt},
          {ElementType::s64, std::nullopt},
          {ElementType::s64, std::nullopt}};
}

/// NaN is equal to itself and greater than any number.
template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(b) ? !std::isnan(a) : a < b;
  return a < b;
}

/// The tensor as slices: elements `outer * pitch + slice * inner + i` belong together.
struct Slices {
  std::int64_t outer = 1, count = 0, inner = 1;

  template <class T>
  bool before(std::span<const T> data, std::int64_t a, std::int64_t b) const {
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        const T x = data[static_cast<std::size_t>((o * count + a) * inner + i)];
        const T y = data[static_cast<std::size_t>((o * count + b) * inner + i)];
        if (less(x, y)) return true;
        if (less(y, x)) return false;
      }
    return false;
  }
};

struct Groups {
  std::vector<std::int64_t> first, inverse, counts;
};

/// Equal slices found by sorting; groups in sorted order, or in the order of their first slices.
template <class T>
Groups group(std::span<const T> data, const Slices& slices, bool sorted) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(slices.count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return slices.before(data, a, b); });
  std::vector<std::vector<std::int64_t>> groups;
  for (const std::int64_t slice : order) {
    if (groups.empty() || slices.before(data, groups.back().front(), slice)) groups.emplace_back();
    groups.back().push_back(slice);
  }
  if (!sorted)
    std::sort(groups.begin(), groups.end(),
              [](const auto& a, const auto& b) { return a.front() < b.front(); });
  Groups result;
  result.inverse.resize(order.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    result.first.push_back(groups[g].front());
    result.counts.push_back(std::ssize(groups[g]));
    for (const std::int64_t slice : groups[g])
      result.inverse[static_cast<std::size_t>(slice)] = static_cast<std::int64_t>(g);
  }
  return result;
}

Tensor list(const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>({std::ssize(values)}, values);
}

std::vector<Tensor> evaluate_unique(const EvalContext& context) {
  const Node& node = context.node;
  check_operands(node, 1, 1);
  const Tensor& given = context.inputs[0];
  const bool half = given.type() == ElementType::f16 || given.type() == ElementType::bf16;
  const Tensor data = half ? convert(given, ElementType::f32) : given;
  Slices slices{1, data.size(), 1};
  Shape shape = {0};
  std::size_t place = 0;
  if (node.attributes.has("axis")) {
    place = static_cast<std::size_t>(
        normalize_axis(node, node.attributes.integer("axis", 0), data.rank()));
    shape = data.shape();
    slices = {extent_product(shape, 0, place), shape[place],
              extent_product(shape, place + 1, shape.size())};
  }
  const bool sorted = node.attributes.integer("sorted", 1) != 0;
  return visit_element(data.type(), [&](auto type) -> std::vector<Tensor> {
    using T = decltype(type);
    const std::span<const T> source(static_cast<const T*>(data.raw()),
                                    static_cast<std::size_t>(data.size()));
    const Groups groups = group<T>(source, slices, sorted);
    const std::int64_t kept = std::ssize(groups.first);
    shape[place] = kept;
    Tensor unique = allocate(node, {data.type(), shape});
    auto* out = static_cast<T*>(unique.raw());
    for (std::int64_t o = 0; o < slices.outer; ++o)
      for (const std::int64_t slice : groups.first)
        for (std::int64_t i = 0; i < slices.inner; ++i)
          *out++ = source[static_cast<std::size_t>((o * slices.count + slice) * slices.inner + i)];
    return {half ? convert(unique, given.type()) : unique, list(groups.first), list(groups.inverse),
            list(groups.counts)};
  });
}

}  // namespace

std::span<const Definition> unique_definitions() {
  static const Definition definitions[] = {
      {.op = "Unique",
       .infer = infer_unique,
       .evaluate = evaluate_unique,
       .selects_by_value = true},
  };
  return definitions;
}

}  // namespace intact

// Einsum as Transpose, Reshape and MatMul: equations that sum over labels which both of two
// operands have are batched products, without summed labels element-wise ones; of one operand they
// are ReduceSum and Transpose. Diagonals, more operands and sums over an ellipsis stay as they are.
#include <algorithm>

#include "graph/onnx/expand/families.hpp"
#include "graph/ops/equation.hpp"

namespace intact {
namespace {

/// Stand for axes that no label of the equation has: one row, one column, joined columns.
constexpr char one_row = '-', one_column = '|', joined = '*';

bool has(const std::string& labels, char label) {
  return labels.find(label) != std::string::npos;
}

/// The labels of `from` that `wanted` accepts, in their order.
template <class Wanted>
std::string select(const std::string& from, const Wanted& wanted) {
  std::string result;
  std::copy_if(from.begin(), from.end(), std::back_inserter(result), wanted);
  return result;
}

/// A tensor whose axes have labels.
struct Labelled {
  ValueId id;
  std::string labels;

  std::vector<std::int64_t> axes(const std::string& wanted) const {
    std::vector<std::int64_t> result;
    for (const char label : wanted) result.push_back(static_cast<std::int64_t>(labels.find(label)));
    return result;
  }
};

Labelled transposed(Expansion& e, const Labelled& x, const std::string& order) {
  if (x.labels == order) return x;
  return {e.add("Transpose", {x.id}, attributes_of({{"perm", x.axes(order)}})), order};
}

/// Without the labels that nobody else has.
Labelled summed(Expansion& e, const Labelled& x, const std::string& others) {
  const std::string gone = select(x.labels, [&](char label) { return !has(others, label); });
  if (gone.empty()) return x;
  const ValueId sum = e.add("ReduceSum", {x.id, e.integers(x.axes(gone))},
                            attributes_of({{"keepdims", std::int64_t{0}}}));
  return {sum, select(x.labels, [&](char label) { return has(others, label); })};
}

/// With axes of extent 1 for the labels of `stacked` and `last` that are missing; broadcasting adds
/// those in front of the first one of `stacked`. The labels of `x` are in this order.
Labelled spread(Expansion& e, const Labelled& x, const std::string& stacked,
                const std::string& last) {
  std::string labels = stacked;
  while (!labels.empty() && !has(x.labels, labels[0])) labels.erase(0, 1);
  labels += last;
  std::vector<std::int64_t> missing;
  for (std::size_t axis = 0; axis < labels.size(); ++axis)
    if (!has(x.labels, labels[axis])) missing.push_back(static_cast<std::int64_t>(axis));
  if (missing.empty()) return x;
  return {e.add("Unsqueeze", {x.id, e.integers(missing)}), labels};
}

/// The extents of axes, as the operand of a Reshape.
ValueId extents(Expansion& e, const Labelled& x, const std::string& labels) {
  return e.add("Gather", {e.add("Shape", {x.id}), e.integers(x.axes(labels))});
}

/// The first `kept` axes stay; `others` are the extents of those that take the place of the rest.
ValueId reshaped(Expansion& e, ValueId x, std::size_t kept, ValueId others) {
  if (kept > 0)
    others = e.add("Concat", {e.integers(std::vector<std::int64_t>(kept, 0)), others},
                   attributes_of({{"axis", std::int64_t{0}}}));
  return e.add("Reshape", {x, others});
}

/// Joins the axes behind the first `kept` ones to one, called `name`.
Labelled joined_behind(Expansion& e, const Labelled& x, std::size_t kept, char name) {
  if (x.labels.size() == kept + 1) return {x.id, x.labels.substr(0, kept) + name};
  const ValueId extent = e.add("ReduceProd", {extents(e, x, x.labels.substr(kept))});
  return {reshaped(e, x.id, kept, extent), x.labels.substr(0, kept) + name};
}

/// Labels of a product of two operands, in the order of the result. Rows but for the last label are
/// further axes of a batch. So are columns, unless they are joined to one: where there is no batch
/// otherwise, or where nothing has to be moved for it.
struct Roles {
  std::string batch, rows, columns, summed;
  bool joins_columns;

  Roles(const Labelled& a, const Labelled& b, const std::string& result) {
    batch = select(result, [&](char c) { return has(a.labels, c) && has(b.labels, c); });
    rows = select(result, [&](char c) { return !has(b.labels, c); });
    columns = select(result, [&](char c) { return !has(a.labels, c); });
    summed = select(a.labels, [&](char c) { return !has(result, c); });
    joins_columns = columns.size() > 1 && (batch.empty() || result.ends_with(columns));
  }
  char row() const { return rows.empty() ? one_row : rows.back(); }
  char column() const {
    return columns.empty() ? one_column : joins_columns ? joined : columns.back();
  }
  /// The leading axes of the product.
  std::string stacked(const std::string& result) const {
    return select(result, [&](char c) {
      return has(batch, c) || (has(rows, c) && c != rows.back()) ||
             (has(columns, c) && !joins_columns && c != columns.back());
    });
  }
};

/// [stacked, row, summed labels as one]
Labelled left_matrix(Expansion& e, const Labelled& a, const Roles& roles,
                     const std::string& stacked) {
  std::string order = select(stacked, [&](char c) { return has(a.labels, c); });
  if (!roles.rows.empty()) order += roles.row();
  const char depth = roles.summed[0];
  const Labelled matrix =
      joined_behind(e, transposed(e, a, order + roles.summed), order.size(), depth);
  return spread(e, matrix, stacked, {roles.row(), depth});
}

/// [stacked, summed labels as one, column]
Labelled right_matrix(Expansion& e, const Labelled& b, const Roles& roles,
                      const std::string& stacked) {
  const std::string order = select(stacked, [&](char c) { return has(b.labels, c); });
  const std::string columns = select(roles.columns, [&](char c) { return !has(order, c); });
  const char depth = roles.summed[0];
  Labelled matrix = b;
  if (roles.summed.size() > 1)
    matrix = joined_behind(e, transposed(e, b, order + columns + roles.summed),
                           order.size() + columns.size(), depth);
  matrix = transposed(e, matrix, order + depth + columns);
  if (columns.size() > 1) matrix = joined_behind(e, matrix, order.size() + 1, joined);
  return spread(e, matrix, stacked, {depth, roles.column()});
}

Labelled matrix_product(Expansion& e, const Labelled& a, const Labelled& b,
                        const std::string& result) {
  const Roles roles(a, b, result);
  const std::string stacked = roles.stacked(result);
  const ValueId left = left_matrix(e, a, roles, stacked).id,
                right = right_matrix(e, b, roles, stacked).id;
  Labelled product{e.main(e.add("MatMul", {left, right})), stacked + roles.row() + roles.column()};
  const std::string ones =
      select(product.labels, [](char c) { return c == one_row || c == one_column; });
  if (!ones.empty())
    product = {e.add("Squeeze", {product.id, e.integers(product.axes(ones))}),
               select(product.labels, [&](char c) { return !has(ones, c); })};
  if (!roles.joins_columns) return product;
  const std::size_t kept = product.labels.size() - 1;
  return {reshaped(e, product.id, kept, extents(e, b, roles.columns)),
          product.labels.substr(0, kept) + roles.columns};
}

Labelled elementwise_product(Expansion& e, const Labelled& a, const Labelled& b,
                             const std::string& result) {
  const auto aligned = [&](const Labelled& x) {
    const std::string own = select(result, [&](char c) { return has(x.labels, c); });
    return spread(e, transposed(e, x, own), result, "").id;
  };
  return {e.main(e.add("Mul", {aligned(a), aligned(b)})), result};
}

/// The operand with the first label of the result that only one of them has is the left one;
/// weights are right.
bool is_swapped(Expansion& e, const Labelled& a, const Labelled& b, const std::string& result) {
  const bool constant = e.walk().is_constant(a.id);
  if (constant != e.walk().is_constant(b.id)) return constant;
  for (const char label : result)
    if (has(a.labels, label) != has(b.labels, label)) return has(b.labels, label);
  return false;
}

/// A label twice in a term is a diagonal; the axes of an ellipsis may differ, so that no matrix
/// product can sum over them.
bool is_product(const Equation& equation) {
  for (const std::string& term : equation.operands)
    for (const char label : term)
      if (std::ranges::count(term, label) != 1 || (label <= '9' && !has(equation.result, label)))
        return false;
  return std::ranges::all_of(equation.result, [&](char label) {
    return std::ranges::count(equation.result, label) == 1 &&
           std::ranges::any_of(equation.operands,
                               [&](const std::string& term) { return has(term, label); });
  });
}

}  // namespace

void expand_einsum(Expansion& e) {
  std::vector<std::optional<int>> ranks;
  for (const ValueId id : e.node().inputs) ranks.push_back(e.rank(id));
  if (ranks.empty() || ranks.size() > 2) return e.keep();
  const std::optional<Equation> equation = parse_equation(e.node(), ranks);
  if (!equation || !is_product(*equation)) return e.keep();
  const std::string& result = equation->result;
  Labelled a{e.operand(0), equation->operands[0]};
  if (ranks.size() == 1) {
    const Labelled y = transposed(e, summed(e, a, result), result);
    return e.give(0, y.id);
  }
  Labelled b{e.operand(1), equation->operands[1]};
  const std::string labels = a.labels;
  a = summed(e, a, b.labels + result);
  b = summed(e, b, labels + result);
  if (is_swapped(e, a, b, result)) std::swap(a, b);
  const bool sums = std::ranges::any_of(a.labels, [&](char c) { return !has(result, c); });
  const Labelled y = sums ? matrix_product(e, a, b, result) : elementwise_product(e, a, b, result);
  e.give(0, transposed(e, y, result).id);
}

}  // namespace intact

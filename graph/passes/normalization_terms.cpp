// Reading means, roots and quotients backwards.
#include "graph/passes/normalization_terms.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/definition.hpp"

namespace intact {
namespace {

/// The axes of a reduction that keeps them; nothing when they are computed.
std::optional<std::vector<std::int64_t>> kept_axes(Pattern& pattern, const Node& node) {
  const std::optional<Shape>& shape = pattern.shape(node.inputs[0]);
  if (!shape || node.attributes.integer("keepdims", 1) == 0) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(shape->size());
  std::vector<std::int64_t> axes = node.attributes.integers("axes");
  if (node.has_input(1)) {
    const Value& given = pattern.graph().value(node.inputs[1]);
    if (!given.is_constant() || given.constant.type() != ElementType::s64) return std::nullopt;
    const auto values = given.constant.data<std::int64_t>();
    axes.assign(values.begin(), values.end());
  }
  if (axes.empty()) {
    if (node.attributes.integer("noop_with_empty_axes", 0) != 0) return std::nullopt;
    axes.resize(shape->size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  return axes;
}

/// A reduction `op` of `id`; `factor` makes means of sums.
std::optional<Mean> take_reduction(Pattern& pattern, ValueId id, std::string_view op) {
  const Node* node = pattern.take(id, op);
  if (node == nullptr) return std::nullopt;
  const ValueId x = node->inputs[0];
  Mean mean{x};
  if (op == "GlobalAveragePool") {
    if (!pattern.shape(x)) return std::nullopt;
    mean.axes.resize(pattern.shape(x)->size() - 2);
    std::iota(mean.axes.begin(), mean.axes.end(), 2);
    return mean;
  }
  const auto axes = kept_axes(pattern, *node);
  if (!axes) return std::nullopt;
  mean.axes = *axes;
  if (op != "ReduceMean")
    for (const std::int64_t axis : mean.axes)
      mean.factor *= static_cast<double>((*pattern.shape(x))[static_cast<std::size_t>(axis)]);
  return mean;
}

/// `id` is a number times a tensor, or a tensor divided by a number: that tensor, else `id` itself.
ValueId strip_number(Pattern& pattern, ValueId id, double& number) {
  ValueId x = id;
  const auto divides = [&] {
    const Node* quotient = pattern.take(id, "Div");
    const auto divisor = quotient ? pattern.number(quotient->inputs[1]) : std::nullopt;
    if (!divisor || *divisor == 0) return false;
    number /= *divisor;
    x = quotient->inputs[0];
    return true;
  };
  const auto multiplies = [&] {
    const Node* product = pattern.take(id, "Mul");
    return product != nullptr && pattern.either_order(*product, [&](ValueId a, ValueId b) {
      const auto factor = pattern.number(b);
      if (!factor) return false;
      number *= *factor;
      x = a;
      return true;
    });
  };
  if (!pattern.attempt(divides)) pattern.attempt(multiplies);
  return x;
}

bool is_mean_of(const std::optional<Mean>& mean, ValueId x) {
  return mean && mean->of == x && nearly(mean->factor, 1);
}

/// The tensor of which `id` is the square: x * x, x ^ 2, or the product of two tensors that are
/// both x - mean(x), the first of which is given.
ValueId take_square(Pattern& pattern, ValueId id) {
  Pattern::Product square;
  if (!pattern.take_product(id, square) || square.number != 1 || square.factors.size() != 2)
    return no_value;
  if (square.factors[0] == square.factors[1]) return square.factors[0];
  const auto a = take_centered(pattern, square.factors[0]),
             b = take_centered(pattern, square.factors[1]);
  return a && b && a->of == b->of && a->axes == b->axes ? square.factors[0] : no_value;
}

/// mean(x * x) - mean(x) * mean(x), kept from becoming negative or not.
std::optional<Mean> take_difference_of_squares(Pattern& pattern, ValueId id) {
  if (const Node* relu = pattern.take(id, "Relu")) id = relu->inputs[0];
  if (const Node* most = pattern.take(id, "Max"))
    for (const std::size_t i : {0u, 1u})
      if (most->inputs.size() == 2 && pattern.number(most->inputs[i]) == 0)
        id = most->inputs[1 - i];
  const Node* difference = pattern.take(id, "Sub");
  if (difference == nullptr) return std::nullopt;
  const auto square = take_mean_square(pattern, difference->inputs[0]);
  if (!square || !nearly(square->factor, 1)) return std::nullopt;
  const ValueId of = take_square(pattern, difference->inputs[1]);
  const auto mean = of == no_value ? std::nullopt : take_mean(pattern, of);
  return is_mean_of(mean, square->of) && mean->axes == square->axes ? mean : std::nullopt;
}

/// What stands below a root.
std::optional<Root> take_radicand(Pattern& pattern, ValueId id) {
  Root root;
  ValueId square = id, inner = no_value;
  if (pattern.take_sum(id, inner, root.epsilon)) square = inner;
  if (!std::isfinite(root.epsilon) || root.epsilon < 0) return std::nullopt;
  const auto plain = [&] {
    const auto mean = take_mean_square(pattern, square);
    if (mean) root.square = *mean;
    return mean.has_value();
  };
  const auto about_mean = [&] {
    const auto mean = take_difference_of_squares(pattern, square);
    if (mean) root.square = *mean;
    return root.centered = mean.has_value();
  };
  if (!pattern.attempt(plain) && !pattern.attempt(about_mean)) return std::nullopt;
  return root.square.factor > 0 ? std::optional(root) : std::nullopt;
}

/// x ^ `exponent`; gives x.
ValueId take_power(Pattern& pattern, ValueId id, double exponent) {
  ValueId base = no_value;
  pattern.attempt([&] {
    const Node* power = pattern.take(id, "Pow");
    if (power == nullptr || pattern.number(power->inputs[1]) != exponent) return false;
    base = power->inputs[0];
    return true;
  });
  return base;
}

/// 1 / root.
std::optional<Root> take_inverse_root(Pattern& pattern, ValueId id) {
  if (const ValueId radicand = take_power(pattern, id, -0.5); radicand != no_value)
    return take_radicand(pattern, radicand);
  const ValueId root = take_reciprocal(pattern, id);
  return root == no_value ? std::nullopt : take_root(pattern, root);
}

bool take_factor(Pattern& pattern, ValueId id, Quotient& quotient);

/// `id` divides the quotient.
bool take_divisor(Pattern& pattern, ValueId id, Quotient& quotient) {
  if (const auto number = pattern.number(id); number && *number != 0) {
    quotient.number /= *number;
    return true;
  }
  if (quotient.root) return false;
  quotient.root = take_root(pattern, id);
  return quotient.root.has_value();
}

/// The factors of a product or quotient.
bool take_factors(Pattern& pattern, ValueId id, Quotient& quotient) {
  if (const Node* product = pattern.take(id, "Mul"))
    return take_factor(pattern, product->inputs[0], quotient) &&
           take_factor(pattern, product->inputs[1], quotient);
  const Node* division = pattern.take(id, "Div");
  return division != nullptr && take_factor(pattern, division->inputs[0], quotient) &&
         take_divisor(pattern, division->inputs[1], quotient);
}

bool take_factor(Pattern& pattern, ValueId id, Quotient& quotient) {
  if (const auto number = pattern.number(id)) {
    quotient.number *= *number;
    return true;
  }
  if (pattern.graph().is_constant(id)) {
    if (quotient.gamma != no_value) return false;
    quotient.gamma = id;
    return true;
  }
  const auto takes_root = [&] {
    if (!quotient.root) quotient.root = take_inverse_root(pattern, id);
    return quotient.root.has_value();
  };
  if (!quotient.root && pattern.attempt(takes_root)) return true;
  const Quotient before = quotient;
  if (pattern.is_inside(id) && pattern.attempt([&] { return take_factors(pattern, id, quotient); }))
    return true;
  quotient = before;
  if (quotient.y != no_value) return false;
  quotient.y = id;
  return true;
}

}  // namespace

std::optional<Mean> take_mean(Pattern& pattern, ValueId id) {
  std::optional<Mean> mean;
  for (const char* op : {"ReduceMean", "ReduceSum", "GlobalAveragePool"}) {
    const auto reduces = [&] {
      double number = 1;
      mean = take_reduction(pattern, strip_number(pattern, id, number), op);
      if (mean) mean->factor *= number;
      return mean.has_value();
    };
    if (pattern.attempt(reduces)) return mean;
  }
  return std::nullopt;
}

std::optional<Mean> take_mean_square(Pattern& pattern, ValueId id) {
  std::optional<Mean> mean;
  const auto sum_of_squares = [&] {
    double number = 1;
    mean = take_reduction(pattern, strip_number(pattern, id, number), "ReduceSumSquare");
    if (mean) mean->factor *= number;
    return mean.has_value();
  };
  if (pattern.attempt(sum_of_squares)) return mean;
  mean = take_mean(pattern, id);
  if (!mean) return std::nullopt;
  mean->of = take_square(pattern, mean->of);
  return mean->of == no_value ? std::nullopt : mean;
}

std::optional<Mean> take_centered(Pattern& pattern, ValueId id) {
  std::optional<Mean> mean;
  pattern.attempt([&] {
    const Node* difference = pattern.take(id, "Sub");
    if (difference == nullptr) return false;
    mean = take_mean(pattern, difference->inputs[1]);
    if (!is_mean_of(mean, difference->inputs[0])) mean.reset();
    return mean.has_value();
  });
  return mean;
}

ValueId take_reciprocal(Pattern& pattern, ValueId id) {
  if (const Node* reciprocal = pattern.take(id, "Reciprocal")) return reciprocal->inputs[0];
  const Node* quotient = pattern.take(id, "Div");
  if (quotient == nullptr || pattern.number(quotient->inputs[0]) != 1) return no_value;
  return quotient->inputs[1];
}

std::optional<Root> take_root(Pattern& pattern, ValueId id) {
  if (const ValueId radicand = take_power(pattern, id, 0.5); radicand != no_value)
    return take_radicand(pattern, radicand);
  if (const Node* root = pattern.take(id, "Sqrt")) return take_radicand(pattern, root->inputs[0]);
  const auto norm = take_reduction(pattern, id, "ReduceL2");
  return norm ? std::optional(Root{*norm}) : std::nullopt;
}

bool take_quotient(Pattern& pattern, ValueId id, Quotient& quotient) {
  return take_factors(pattern, id, quotient) && quotient.root;
}

ValueId constant_along(Pattern& pattern, ValueId id, ValueId like, std::size_t first,
                       std::size_t last, double number) {
  Graph& graph = pattern.graph();
  const Shape& x = *pattern.shape(like);
  Shape shape(x.size(), 1);
  Tensor given = Tensor::scalar(1.0f);
  if (id != no_value) {
    const Value& constant = graph.value(id);
    const Shape& own = constant.constant.shape();
    if (own.size() > x.size() || constant.type != ElementType::f32) return no_value;
    std::copy(own.begin(), own.end(), shape.end() - static_cast<std::ptrdiff_t>(own.size()));
    for (std::size_t axis = 0; axis < x.size(); ++axis)
      if (shape[axis] != 1 && (axis < first || axis > last || shape[axis] != x[axis]))
        return no_value;
    given = real_constant(constant);
  }
  Shape wanted(shape.begin() + static_cast<std::ptrdiff_t>(first),
               shape.begin() + static_cast<std::ptrdiff_t>(last) + 1);
  if (first == last) wanted[0] = x[first];
  if (id != no_value && number == 1 && graph.value(id).constant.shape() == wanted) return id;
  Tensor result(ElementType::f32, wanted);
  const auto from = given.data<float>();
  const auto to = result.data<float>();
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<float>(static_cast<double>(from[from.size() == 1 ? 0 : i]) * number);
  const std::string name = graph.value(id == no_value ? like : id).name;
  const ValueId made = graph.add_constant(pattern.names.get(name + "/factors"), std::move(result));
  graph.value(made).shape = wanted;
  return made;
}

}  // namespace intact

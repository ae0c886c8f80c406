// Encoders: attention with grids where exporters and quantizers put them, activations and
// normalizations that a file spells out.
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using U = std::uint8_t;
using S = std::int8_t;

template <class T>
struct GridOf {
  float scale;
  T zero_point;
};

/// Attention of `heads` heads: softmax(q k' * scale + mask) v, with a grid behind each of its parts
/// or not.
template <class T>
struct Attention {
  std::int64_t batch = 2, heads = 3, rows = 10, columns = 10, depth = 16;
  GridOf<T> q, k, v, probabilities, result;
  std::string scale = "Div";  ///< "", "Mul" or "Div"; "roots": of both operands
  Shape mask = {2, 1, 1, 10};
  bool mask_is_expanded = false;
  /// Instead of adding the mask, Where puts this number in the place of what it hides.
  std::optional<float> replacement = {};
  bool mask_is_constant = false, mask_hides = true;
  bool transposed_keys = true;  ///< k comes as [.., columns, depth]
  bool grid_on_product = false, grid_on_scaled = false, grid_on_masked = false;
};

template <class T>
ValueId operand(ModelBuilder& b, const std::string& name, const Shape& shape, GridOf<T> grid,
                FoldModel& model, unsigned seed) {
  model.inputs.push_back(random_integers<T>(shape, seed));
  return b.dequantize(name + ".dq", b.input(name, element_type_of<T>(), shape), grid.scale,
                      grid.zero_point);
}

Tensor mask_of(const Shape& shape) {
  Tensor mask = random_floats(shape, 11, -0.5f, 0.5f);
  for (std::size_t i = 0; i < static_cast<std::size_t>(mask.size()); i += 3)
    mask.data<float>()[i] = -10000.0f;
  return mask;
}

/// Which scores are hidden, or which are not.
Tensor condition_of(const Shape& shape, bool hides) {
  const Tensor mask = mask_of(shape);
  Tensor condition(ElementType::boolean, shape);
  for (std::size_t i = 0; i < static_cast<std::size_t>(mask.size()); ++i)
    condition.data<bool>()[i] = (mask.data<float>()[i] < -1000) == hides;
  return condition;
}

template <class T>
ValueId replaced(ModelBuilder& b, const Attention<T>& a, ValueId x, FoldModel& model) {
  const Tensor condition = condition_of(a.mask, a.mask_hides);
  if (!a.mask_is_constant) model.inputs.push_back(condition);
  const ValueId hidden = a.mask_is_constant ? b.constant("mask", condition)
                                            : b.input("mask", ElementType::boolean, a.mask);
  const ValueId number = b.scalar("replacement", *a.replacement);
  return b.node("Where", "masked",
                a.mask_hides ? std::vector{hidden, number, x} : std::vector{hidden, x, number});
}

template <class T>
ValueId scores(ModelBuilder& b, const Attention<T>& a, FoldModel& model) {
  ValueId q = operand(b, "q", {a.batch, a.heads, a.rows, a.depth}, a.q, model, 3), k = no_value;
  if (a.transposed_keys) {
    k = operand(b, "k", {a.batch, a.heads, a.columns, a.depth}, a.k, model, 4);
    k = b.node("Transpose", "kt", {k}, {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
  } else {
    k = operand(b, "k", {a.batch, a.heads, a.depth, a.columns}, a.k, model, 4);
  }
  if (a.scale == "roots") {
    q = b.node("Mul", "q.scaled", {q, b.scalar("q.root", 0.48f)});
    k = b.node("Mul", "k.scaled", {k, b.scalar("k.root", 0.48f)});
  }
  ValueId x = b.node("MatMul", "scores", {q, k});
  if (a.grid_on_product) x = b.round("product", x, 0.051f, T(a.q.zero_point));
  const float factor = a.scale == "Mul" ? 0.23f : 4.3f;
  if (!a.scale.empty() && a.scale != "roots")
    x = b.node(a.scale, "scale", {x, b.scalar("factor", factor)});
  if (a.grid_on_scaled) x = b.round("scaled", x, 0.037f, T(a.k.zero_point));
  if (a.replacement) {
    x = replaced(b, a, x, model);
  } else if (!a.mask.empty()) {
    ValueId mask = b.input("mask", ElementType::f32, a.mask);
    model.inputs.push_back(mask_of(a.mask));
    if (a.mask_is_expanded)
      mask = b.node("Expand", "expand",
                    {mask, b.vector<std::int64_t>("full", {a.batch, a.heads, a.rows, a.columns})});
    if (a.grid_on_masked) mask = b.round("m", mask, 0.04f, T(a.v.zero_point));
    x = b.node("Add", "masked", {x, mask});
  }
  if (a.grid_on_masked) x = b.round("sum", x, 0.045f, T(a.k.zero_point));
  return x;
}

template <class T>
FoldCase attention(const std::string& name, const Attention<T>& a) {
  return {
      name, [=](ModelBuilder& b) {
        FoldModel model;
        const ValueId x = scores(b, a, model);
        const ValueId p =
            b.round("p", b.node("Softmax", "softmax", {x}, {{"axis", std::int64_t{-1}}}),
                    a.probabilities.scale, a.probabilities.zero_point);
        const ValueId v = operand(b, "v", {a.batch, a.heads, a.columns, a.depth}, a.v, model, 5);
        const ValueId y = b.node("MatMul", "context", {p, v});
        model.outputs = {b.round("y", y, a.result.scale, a.result.zero_point)};
        return model;
      }};
}

template <class T>
Attention<T> typical();
template <>
Attention<U> typical<U>() {
  Attention<U> a;
  a.q = {0.017f, 131};
  a.k = {0.019f, 119};
  a.v = {0.021f, 127};
  a.probabilities = {1.0f / 255, 0};
  a.result = {0.013f, 125};
  return a;
}
template <>
Attention<S> typical<S>() {
  Attention<S> a;
  a.q = {0.017f, 3};
  a.k = {0.019f, -7};
  a.v = {0.021f, 1};
  a.probabilities = {1.0f / 255, -128};
  a.result = {0.013f, -3};
  return a;
}

template <class T, class Change>
FoldCase changed(const std::string& name, const Change& change) {
  Attention<T> a = typical<T>();
  change(a);
  return attention(name, a);
}

/// Nothing reads the probabilities as bytes: the row operation writes floats, the graph output.
FoldModel probabilities_are_output(ModelBuilder& b) {
  FoldModel model;
  const ValueId x = scores(b, typical<U>(), model);
  model.outputs = {b.node("Softmax", "softmax", {x}, {{"axis", std::int64_t{-1}}})};
  return model;
}

/// Bytes for one reader, the same bytes for another.
FoldModel probabilities_have_two_readers(ModelBuilder& b) {
  FoldModel model;
  const ValueId x = scores(b, typical<U>(), model);
  const ValueId p = b.round("p", b.node("Softmax", "softmax", {x}, {{"axis", std::int64_t{-1}}}),
                            1.0f / 255, U{0});
  const ValueId v = operand(b, "v", {2, 3, 10, 16}, typical<U>().v, model, 5);
  const ValueId w = operand(b, "w", {2, 3, 10, 20}, typical<U>().k, model, 6);
  model.outputs = {b.round("y", b.node("MatMul", "a", {p, v}), 0.013f, U{125}),
                   b.round("z", b.node("MatMul", "b", {p, w}), 0.011f, U{130})};
  return model;
}

/// The residual sum of a normalization is float where the file rounds only behind it.
FoldModel layer_norm_behind_product(ModelBuilder& b) {
  FoldModel model;
  const ValueId x = operand(b, "x", {2, 7, 24}, GridOf<U>{0.02f, 120}, model, 3);
  const ValueId y = operand(b, "y", {2, 24, 40}, GridOf<U>{0.03f, 131}, model, 4);
  const ValueId product = b.node("MatMul", "product", {x, y});
  const ValueId n = b.node("LayerNormalization", "norm",
                           {product, b.constant("gamma", random_floats({40}, 5, 0.4f, 1.9f)),
                            b.constant("beta", random_floats({40}, 6))});
  model.outputs = {b.round("n", n, 0.03f, U{128})};
  return model;
}

/// Tools that quantize Add too give the bias of a MatMul a grid of its own.
template <class T>
FoldCase bias_on_a_grid(const std::string& name, GridOf<T> product, GridOf<T> bias) {
  return {name, [=](ModelBuilder& b) {
            FoldModel model;
            const ValueId x = operand(b, "x", {2, 7, 24}, GridOf<T>{0.02f, T(1)}, model, 3);
            const ValueId y =
                b.round("p", b.node("MatMul", "matmul", {x, grid_weights(b, "w", {24, 70})}),
                        product.scale, product.zero_point);
            const ValueId c = b.dequantize("c.dq", b.constant("c", random_integers<T>({70}, 5)),
                                           bias.scale, bias.zero_point);
            const ValueId z = b.node("Add", "bias", {c, y});
            model.outputs = {b.round("z", z, 0.23f, product.zero_point)};
            return model;
          }};
}

// --- operators that a file spells out

template <class T>
ValueId row(ModelBuilder& b, GridOf<T> grid, FoldModel& model, const Shape& shape = {3, 5, 32}) {
  return operand(b, "x", shape, grid, model, 7);
}

ValueId gelu(ModelBuilder& b, ValueId x) {
  const ValueId erf =
      b.node("Erf", "erf", {b.node("Div", "div", {x, b.scalar("root", std::sqrt(2.0f))})});
  const ValueId gate = b.node("Add", "add", {erf, b.scalar("one", 1.0f)});
  return b.node("Mul", "half", {b.node("Mul", "mul", {x, gate}), b.scalar("c", 0.5f)});
}

ValueId gelu_by_tanh(ModelBuilder& b, ValueId x) {
  const ValueId cube = b.node("Pow", "cube", {x, b.scalar("three", 3.0f)});
  const ValueId inner =
      b.node("Add", "inner", {x, b.node("Mul", "small", {cube, b.scalar("k", 0.044715f)})});
  const auto slope = static_cast<float>(std::sqrt(2 / std::numbers::pi));
  const ValueId tanh =
      b.node("Tanh", "tanh", {b.node("Mul", "slope", {inner, b.scalar("s", slope)})});
  const ValueId gate = b.node("Add", "add", {tanh, b.scalar("one", 1.0f)});
  return b.node("Mul", "mul", {b.node("Mul", "half", {x, b.scalar("c", 0.5f)}), gate});
}

ValueId silu(ModelBuilder& b, ValueId x) {
  return b.node("Mul", "mul", {x, b.node("Sigmoid", "sigmoid", {x})});
}

ValueId mish(ModelBuilder& b, ValueId x) {
  return b.node("Mul", "mul", {x, b.node("Tanh", "tanh", {b.node("Softplus", "softplus", {x})})});
}

ValueId hard_swish(ModelBuilder& b, ValueId x) {
  const ValueId clip = b.node("Clip", "clip",
                              {b.node("Add", "add", {x, b.scalar("three", 3.0f)}),
                               b.scalar("zero", 0.0f), b.scalar("six", 6.0f)});
  return b.node("Div", "div", {b.node("Mul", "mul", {x, clip}), b.scalar("d", 6.0f)});
}

/// `norm` with everything that `gelu` and the like have: x on a grid, a Round behind.
ValueId layer_norm(ModelBuilder& b, ValueId x) {
  const AttributeList last = {{"axes", std::vector<std::int64_t>{-1}}};
  const ValueId d = b.node("Sub", "d", {x, b.node("ReduceMean", "mean", {x}, last)});
  const ValueId square = b.node("Pow", "square", {d, b.scalar("two", 2.0f)});
  const ValueId variance = b.node("ReduceMean", "variance", {square}, last);
  const ValueId sum = b.node("Add", "eps", {variance, b.scalar("e", 1e-5f)});
  const ValueId y = b.node("Div", "div", {d, b.node("Sqrt", "sqrt", {sum})});
  const ValueId scaled =
      b.node("Mul", "scaled", {y, b.constant("gamma", random_floats({32}, 5, 0.4f, 1.9f))});
  return b.node("Add", "shifted", {scaled, b.constant("beta", random_floats({32}, 6))});
}

using Spelled = ValueId (*)(ModelBuilder&, ValueId);

template <class T>
FoldCase spelled(const std::string& name, Spelled write, GridOf<T> in, GridOf<T> out) {
  return {
      name,
      [=](ModelBuilder& b) {
        FoldModel model;
        model.outputs = {b.round("y", write(b, row<T>(b, in, model)), out.scale, out.zero_point)};
        return model;
      },
      13};
}

/// The inner Round is kept: three tables or byte kernels instead of one operator.
FoldModel gelu_with_a_grid_inside(ModelBuilder& b) {
  FoldModel model;
  const ValueId x = row<U>(b, {0.03f, 120}, model);
  const ValueId erf =
      b.node("Erf", "erf", {b.node("Div", "div", {x, b.scalar("root", std::sqrt(2.0f))})});
  const ValueId gate =
      b.round("g", b.node("Add", "add", {erf, b.scalar("one", 1.0f)}), 0.008f, U{1});
  const ValueId product = b.round("m", b.node("Mul", "mul", {x, gate}), 0.034f, U{9});
  const ValueId y = b.node("Mul", "half", {product, b.scalar("c", 0.5f)});
  model.outputs = {b.round("y", y, 0.017f, U{9})};
  return model;
}

}  // namespace

std::vector<FoldCase> transformer_cases() {
  using AU = Attention<U>;
  using AS = Attention<S>;
  return {
      changed<U>("attention_u8", [](AU&) {}),
      changed<S>("attention_s8", [](AS&) {}),
      changed<U>("attention_mul_scale", [](AU& a) { a.scale = "Mul"; }),
      changed<U>("attention_without_scale", [](AU& a) { a.scale = ""; }),
      changed<U>("attention_roots_of_scale_u8", [](AU& a) { a.scale = "roots"; }),
      changed<S>("attention_roots_of_scale_s8", [](AS& a) { a.scale = "roots"; }),
      changed<U>("attention_roots_of_scale_without_mask",
                 [](AU& a) {
                   a.scale = "roots";
                   a.mask = {};
                 }),
      changed<U>("attention_where_infinite",
                 [](AU& a) {
                   a.replacement = -std::numeric_limits<float>::infinity();
                   a.mask = {1, 1, 10, 10};
                   a.mask_is_constant = true;
                 }),
      changed<S>("attention_where_finite",
                 [](AS& a) {
                   a.replacement = -1e4f;
                   a.mask = {2, 1, 1, 10};
                 }),
      changed<U>("attention_where_not_hidden",
                 [](AU& a) {
                   a.replacement = -0.7f;
                   a.mask = {10, 10};
                   a.mask_hides = false;
                   a.scale = "roots";
                 }),
      changed<U>("attention_where_grids",
                 [](AU& a) {
                   a.replacement = -3.0f;
                   a.grid_on_product = a.grid_on_scaled = true;
                   a.mask_is_constant = true;
                 }),
      changed<U>("attention_expanded_mask", [](AU& a) { a.mask_is_expanded = true; }),
      changed<U>("attention_without_mask", [](AU& a) { a.mask = {}; }),
      changed<S>("attention_without_scale_and_mask", [](AS& a) { a.scale = "", a.mask = {}; }),
      changed<U>("attention_causal_mask",
                 [](AU& a) {
                   a.mask = {10, 10};
                 }),
      changed<U>("attention_mask_per_head",
                 [](AU& a) {
                   a.mask = {1, 3, 10, 10};
                 }),
      changed<S>("attention_full_mask",
                 [](AS& a) {
                   a.mask = {2, 3, 10, 10};
                 }),
      changed<U>("attention_mask_of_one_row", [](AU& a) { a.mask = {10}; }),
      changed<U>("attention_keys_as_columns", [](AU& a) { a.transposed_keys = false; }),
      changed<U>("attention_odd_sizes",
                 [](AU& a) {
                   a.rows = 37, a.columns = 71, a.depth = 19;
                   a.mask = {2, 1, 37, 71};
                 }),
      changed<U>("attention_one_query",
                 [](AU& a) {
                   a.rows = 1, a.mask = {2, 1, 1, 10};
                 }),
      changed<U>("attention_long_rows",
                 [](AU& a) {
                   a.batch = a.heads = 1, a.rows = 9, a.columns = 700;
                   a.mask = {1, 1, 1, 700};
                 }),
      changed<U>("attention_grid_on_product", [](AU& a) { a.grid_on_product = true; }),
      changed<S>("attention_grid_on_product_s8", [](AS& a) { a.grid_on_product = true; }),
      changed<U>("attention_grids_on_product_and_scaled",
                 [](AU& a) { a.grid_on_product = a.grid_on_scaled = true; }),
      changed<U>("attention_grids_everywhere",
                 [](AU& a) { a.grid_on_product = a.grid_on_scaled = a.grid_on_masked = true; }),
      changed<S>("attention_grids_everywhere_s8",
                 [](AS& a) { a.grid_on_product = a.grid_on_scaled = a.grid_on_masked = true; }),
      {"attention_probabilities_are_output", probabilities_are_output},
      {"attention_probabilities_have_two_readers", probabilities_have_two_readers},
      {"layer_norm_behind_product", layer_norm_behind_product},
      bias_on_a_grid<U>("bias_on_a_grid_u8", {0.19f, 125}, {0.011f, 3}),
      bias_on_a_grid<S>("bias_on_a_grid_s8", {0.19f, -5}, {0.011f, 100}),
      spelled<U>("spelled_gelu_u8", gelu, {0.03f, 120}, {0.017f, 9}),
      spelled<S>("spelled_gelu_s8", gelu, {0.03f, -8}, {0.017f, -119}),
      spelled<U>("spelled_gelu_by_tanh", gelu_by_tanh, {0.03f, 120}, {0.017f, 9}),
      spelled<U>("spelled_silu", silu, {0.04f, 131}, {0.021f, 14}),
      spelled<S>("spelled_mish", mish, {0.04f, 3}, {0.021f, -114}),
      spelled<U>("spelled_hard_swish", hard_swish, {0.05f, 131}, {0.023f, 17}),
      spelled<U>("spelled_layer_norm_u8", layer_norm, {0.05f, 131}, {0.031f, 127}),
      spelled<S>("spelled_layer_norm_s8", layer_norm, {0.05f, 3}, {0.031f, -1}),
      {"spelled_gelu_with_a_grid_inside", gelu_with_a_grid_inside},
  };
}

}  // namespace intact::testing

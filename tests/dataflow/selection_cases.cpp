// Operators that choose elements: Where, ArgMax, TopK, Scatter, Trilu, Pad of every mode, maxima
// before the Round. Bytes all the way.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

template <class T>
ValueId grid_input(ModelBuilder& b, const std::string& name, const Shape& shape, float scale,
                   T zero_point) {
  return b.dequantize(name + ".dq", b.input(name, element_type_of<T>(), shape), scale, zero_point);
}

template <class T>
constexpr T odd = static_cast<T>(std::is_signed_v<T> ? -9 : 117);

Tensor condition_of(const Shape& shape) {
  Tensor tensor(ElementType::boolean, shape);
  const Tensor random = random_integers<std::uint8_t>(shape, 11);
  for (std::size_t i = 0; i < random.data<std::uint8_t>().size(); ++i)
    tensor.data<bool>()[i] = random.data<std::uint8_t>()[i] % 3 != 0;
  return tensor;
}

/// Where(condition, a, b): grids equal or not, the condition constant or an input.
template <class T>
FoldModel where(ModelBuilder& b, bool constant, const Shape& other, float scale) {
  const Shape shape = {2, 4, 5, 6};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f, odd<T>);
  const ValueId y = grid_input<T>(b, "y", other, scale, odd<T>);
  const Tensor condition = condition_of({5, 6});
  const ValueId c =
      constant ? b.constant("c", condition) : b.input("c", ElementType::boolean, {5, 6});
  std::vector<Tensor> inputs = {random_integers<T>(shape, 3), random_integers<T>(other, 4)};
  if (!constant) inputs.push_back(condition);
  return {{b.round("z", b.node("Where", "where", {c, x, y}), 0.0213f, odd<T>)}, inputs};
}

/// The attention mask: numbers beyond the grid saturate.
template <class T>
FoldModel masked(ModelBuilder& b, float number) {
  const Shape shape = {1, 2, 6, 6};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f, odd<T>);
  const ValueId c = b.constant("c", condition_of({1, 1, 6, 6}));
  const ValueId w = b.node("Where", "where", {c, x, b.scalar("low", number)});
  const ValueId z = b.round("z", w, 0.0313f, odd<T>);
  return {{b.round("p", b.node("Softmax", "softmax", {z}), 1.0f / 256,
                   static_cast<T>(std::is_signed_v<T> ? -128 : 0))},
          {random_integers<T>(shape, 3)}};
}

template <class T>
FoldModel concat_with_constant(ModelBuilder& b) {
  const ValueId x = grid_input<T>(b, "x", {1, 5, 8}, 0.0213f, odd<T>);
  const ValueId token = b.constant("token", random_floats({1, 1, 8}, 6));
  const ValueId y = b.node("Concat", "concat", {token, x}, {{"axis", std::int64_t{1}}});
  return {{b.round("y", y, 0.0217f, odd<T>)}, {random_integers<T>({1, 5, 8}, 3)}};
}

template <class T>
FoldModel arg(ModelBuilder& b, const std::string& op, const AttributeList& attributes) {
  const ValueId x = grid_input<T>(b, "x", {2, 8, 5, 6}, 0.0213f, odd<T>);
  const ValueId w = grid_weights(b, "w", {8, 8, 1, 1});
  const ValueId c = b.round("c", b.node("Conv", "conv", {x, w}), 0.061f, odd<T>);
  const ValueId y = b.node(op, "arg", {c}, attributes);
  b.graph().value(y).type = ElementType::s64;
  return {{y, c}, {random_integers<T>({2, 8, 5, 6}, 3)}};
}

template <class T>
FoldModel top_k(ModelBuilder& b, std::int64_t largest) {
  const ValueId x = grid_input<T>(b, "x", {3, 40}, 0.0213f, odd<T>);
  const ValueId k = b.vector<std::int64_t>("k", {7});
  const ValueId values =
      b.node("TopK", "top", {x, k}, {{"axis", std::int64_t{1}}, {"largest", largest}}, "", 2);
  b.graph().value(values + 1).type = ElementType::s64;
  return {{b.round("y", values, 0.0213f, odd<T>), values + 1}, {random_integers<T>({3, 40}, 3)}};
}

template <class T>
FoldModel trilu(ModelBuilder& b, std::int64_t upper, bool rounded) {
  ValueId x = grid_input<T>(b, "x", {2, 6, 7}, 0.0213f, odd<T>);
  const ValueId y =
      b.node("Trilu", "trilu", {x, b.scalar<std::int64_t>("k", 1)}, {{"upper", upper}});
  return {{b.round("y", y, rounded ? 0.0317f : 0.0213f, odd<T>)},
          {random_integers<T>({2, 6, 7}, 3)}};
}

template <class T>
FoldModel scatter(ModelBuilder& b, bool elements) {
  const ValueId x = grid_input<T>(b, "x", {5, 4}, 0.0213f, odd<T>);
  const Shape updates = {2, 4};
  const ValueId u = grid_input<T>(b, "u", updates, 0.0413f, odd<T>);
  const ValueId at =
      elements
          ? b.constant("at", Tensor::from<std::int64_t>({2, 4}, Integers{0, 1, 2, 3, 4, 2, 3, 0}))
          : b.constant("at", Tensor::from<std::int64_t>({2, 1}, Integers{3, 1}));
  const ValueId y = b.node(elements ? "ScatterElements" : "ScatterND", "scatter", {x, at, u});
  return {{b.round("y", y, 0.0213f, odd<T>)},
          {random_integers<T>({5, 4}, 3), random_integers<T>(updates, 4)}};
}

template <class T>
FoldModel gather(ModelBuilder& b, const std::string& op, const Tensor& at) {
  const ValueId x = grid_input<T>(b, "x", {4, 5, 6}, 0.0213f, odd<T>);
  const AttributeList axis =
      op == "GatherND" ? AttributeList{} : AttributeList{{"axis", std::int64_t{1}}};
  const ValueId y = b.node(op, "gather", {x, b.constant("at", at)}, axis);
  return {{b.round("y", y, 0.0213f, odd<T>)}, {random_integers<T>({4, 5, 6}, 3)}};
}

/// A table of embeddings on a grid, and positions as an input.
template <class T>
FoldModel embedding(ModelBuilder& b) {
  const ValueId table =
      b.dequantize("t.dq", b.constant("t", random_integers<T>({30, 16}, 7)), 0.0213f, odd<T>);
  const ValueId at = b.input("at", ElementType::s64, {2, 9});
  const ValueId y = b.node("Gather", "gather", {table, at});
  const ValueId product = b.node("MatMul", "product", {y, grid_weights(b, "w", {16, 8})});
  Tensor positions(ElementType::s64, {2, 9});
  for (std::size_t i = 0; i < 18; ++i)
    positions.data<std::int64_t>()[i] =
        static_cast<std::int64_t>(i * 7 % 30) - (i % 5 == 0 ? 30 : 0);
  return {{b.round("y", product, 0.0217f, odd<T>)}, {positions}};
}

enum class Scales { behind_gather, of_columns_behind, of_columns_before };

/// A table of bytes, with one scale or one per column, dequantized before or behind Gather, and
/// read by floats.
FoldModel float_embedding(ModelBuilder& b, Scales scales) {
  const ValueId table = b.constant("t", random_integers<std::int8_t>({30, 16}, 7));
  const ValueId at = b.input("at", ElementType::s64, {-1, 9});
  const bool columns = scales != Scales::behind_gather;
  const ValueId s = columns ? b.constant("s", random_floats({16}, 8, 0.01f, 0.03f))
                            : b.scalar<float>("s", 0.0213f);
  const ValueId z =
      columns ? b.constant("z", Tensor(ElementType::s8, {16})) : b.scalar<std::int8_t>("z", 3);
  const AttributeList axis = {{"axis", std::int64_t{-1}}};
  const auto dequantize = [&](ValueId x) {
    return b.node("DequantizeLinear", "dq", {x, s, z}, axis);
  };
  const auto look_up = [&](ValueId x) { return b.node("Gather", "gather", {x, at}); };
  const ValueId rows =
      scales == Scales::of_columns_before ? look_up(dequantize(table)) : dequantize(look_up(table));
  Tensor positions(ElementType::s64, {2, 9});
  for (std::size_t i = 0; i < 18; ++i)
    positions.data<std::int64_t>()[i] = static_cast<std::int64_t>(i * 7 % 30);
  return {{rows}, {positions}};
}

struct Padding {
  std::string name, mode;
  Integers pads;
  float value = 0;
  Integers axes = {};
};

template <class T>
FoldModel padded(ModelBuilder& b, const Padding& p) {
  const ValueId x = grid_input<T>(b, "x", {2, 8, 6, 5}, 0.0213f, odd<T>);
  const ValueId w = grid_weights(b, "w", {8, 8, 1, 1});
  const ValueId c = b.round("c", b.node("Conv", "conv", {x, w}), 0.25f, odd<T>);
  std::vector<ValueId> inputs = {c, b.vector<std::int64_t>("pads", p.pads)};
  if (p.value != 0 || !p.axes.empty()) inputs.push_back(b.scalar("value", p.value));
  if (!p.axes.empty()) inputs.push_back(b.vector<std::int64_t>("axes", p.axes));
  const ValueId y = b.node("Pad", "pad", inputs, {{"mode", p.mode}});
  const ValueId last = b.node("Conv", "last", {y, grid_weights(b, "v", {4, 8, 3, 3}, 2)});
  return {{b.round("y", last, 0.517f, odd<T>)}, {random_integers<T>({2, 8, 6, 5}, 3)}};
}

const Padding paddings[] = {
    {"reflect", "reflect", {0, 0, 2, 1, 0, 0, 1, 3}},
    {"edge", "edge", {0, 0, 1, 2, 0, 0, 1, 2}},
    {"wrap", "wrap", {0, 0, 1, 2, 0, 0, 3, 2}},
    {"value_on_grid", "constant", {0, 0, 1, 2, 0, 0, 1, 2}, -1.25f},
    {"axes", "constant", {1, 2, 2, 1}, 0.5f, {3, -2}},
};

/// The Round behind a maximum moves in front of it, into the convolution.
template <class T>
FoldModel maximum_before_round(ModelBuilder& b, const std::string& op,
                               const AttributeList& attributes) {
  const ValueId x = grid_input<T>(b, "x", {2, 8, 6, 5}, 0.0213f, odd<T>);
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId relu = b.node("Relu", "relu", {conv});
  const ValueId y = b.node(op, "max", {relu}, attributes);
  return {{b.round("y", y, 0.0317f, odd<T>)}, {random_integers<T>({2, 8, 6, 5}, 3)}};
}

template <class T>
void add_cases(std::vector<FoldCase>& cases, const std::string& type) {
  const auto add = [&](const std::string& name, std::function<FoldModel(ModelBuilder&)> build,
                       int opset = 18) {
    cases.push_back({"select_" + name + type, std::move(build), opset});
  };
  const Shape whole = {2, 4, 5, 6};
  for (const bool constant : {true, false}) {
    const std::string kind = constant ? "_constant" : "_computed";
    add("where" + kind, [=](auto& b) { return where<T>(b, constant, whole, 0.0213f); });
    add("where_scales" + kind, [=](auto& b) { return where<T>(b, constant, whole, 0.0391f); });
    add("where_broadcast" + kind, [=](auto& b) {
      return where<T>(b, constant, {4, 1, 6}, 0.0391f);
    });
  }
  add("where_mask", [](auto& b) { return masked<T>(b, -1e9f); });
  add("where_mask_infinite", [](auto& b) { return masked<T>(b, -__builtin_inff()); });
  add("concat_constant", [](auto& b) { return concat_with_constant<T>(b); });
  for (const std::string op : {"ArgMax", "ArgMin"}) {
    add(op + "_channels", [=](auto& b) { return arg<T>(b, op, {{"axis", std::int64_t{1}}}); });
    add(op + "_last_flat", [=](auto& b) {
      return arg<T>(b, op,
                    {{"axis", std::int64_t{-1}},
                     {"keepdims", std::int64_t{0}},
                     {"select_last_index", std::int64_t{1}}});
    });
  }
  add("top_k_largest", [](auto& b) { return top_k<T>(b, 1); });
  add("top_k_smallest", [](auto& b) { return top_k<T>(b, 0); });
  add("trilu_upper", [](auto& b) { return trilu<T>(b, 1, false); });
  add("trilu_lower_rounded", [](auto& b) { return trilu<T>(b, 0, true); });
  add("scatter_nd", [](auto& b) { return scatter<T>(b, false); });
  add("scatter_elements", [](auto& b) { return scatter<T>(b, true); });
  add("gather_elements", [](auto& b) {
    return gather<T>(b, "GatherElements",
                     Tensor::from<std::int64_t>({1, 3, 2}, Integers{4, 0, 1, 2, -1, 3}));
  });
  add("gather_nd", [](auto& b) {
    return gather<T>(b, "GatherND", Tensor::from<std::int64_t>({2, 2}, Integers{3, 4, 0, 2}));
  });
  add("embedding_table", [](auto& b) { return embedding<T>(b); });
  for (const Padding& p : paddings)
    add(
        "pad_" + p.name, [&p](auto& b) { return padded<T>(b, p); }, 19);
  add("max_pool_before_round", [](auto& b) {
    return maximum_before_round<T>(
        b, "MaxPool", {{"kernel_shape", Integers{2, 3}}, {"pads", Integers{0, 1, 1, 1}}});
  });
  add("global_max_pool_before_round",
      [](auto& b) { return maximum_before_round<T>(b, "GlobalMaxPool", {}); });
  add(
      "reduce_max_before_round",
      [](auto& b) {
        return maximum_before_round<T>(b, "ReduceMax", {{"axes", Integers{1}}});
      },
      13);
}

/// Rows of a table with a scale each, rounded to one grid for a product.
FoldModel embedding_with_row_scales(ModelBuilder& b) {
  const ValueId scale = b.constant("s", random_floats({50}, 6, 0.005f, 0.015f));
  const ValueId table = b.node("DequantizeLinear", "table",
                               {b.constant("t", random_integers<std::int8_t>({50, 24}, 5)), scale},
                               {{"axis", std::int64_t{0}}});
  const ValueId at = b.input("at", ElementType::s64, {2, 7});
  const ValueId x = b.node("Gather", "gather", {table, at});
  const ValueId y =
      b.node("MatMul", "product",
             {b.round("x", x, 0.0131f, std::uint8_t{127}), grid_weights(b, "w", {24, 16})});
  const Integers rows = {3, 0, 49, -1, 7, 7, 20, 31, 48, -50, 2, 5, 11, 13};
  return {{b.round("y", y, 0.021f, std::uint8_t{120})}, {Tensor::from<std::int64_t>({2, 7}, rows)}};
}

}  // namespace

std::vector<FoldCase> selection_cases() {
  std::vector<FoldCase> cases;
  add_cases<std::uint8_t>(cases, "_u8");
  add_cases<std::int8_t>(cases, "_s8");
  const auto add = [&](const char* name, Scales scales) {
    cases.push_back({name, [=](auto& b) { return float_embedding(b, scales); }});
  };
  add("embedding_dequantized_behind", Scales::behind_gather);
  add("embedding_columns_behind", Scales::of_columns_behind);
  add("embedding_columns_before", Scales::of_columns_before);
  cases.push_back({"selection_embedding_with_row_scales", embedding_with_row_scales, 17, 1, 1e-5,
                   false, "is a float constant; quantized with one scale"});
  return cases;
}

}  // namespace intact::testing

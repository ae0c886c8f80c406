// Arithmetic of two tensors, and functions of one: all broadcasts, signs and grids.
#include <cstdint>

#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

/// A graph input of bytes behind a DequantizeLinear.
template <class T>
ValueId grid_input(ModelBuilder& b, const std::string& name, const Shape& shape, float scale,
                   T zero_point) {
  return b.dequantize(name + ".dq", b.input(name, element_type_of<T>(), shape), scale, zero_point);
}

/// Two operands on grids of type T, the operator, and a Round.
template <class T>
FoldModel binary(ModelBuilder& b, const std::string& op, const Shape& shape_a, const Shape& shape_b,
                 bool equal_scales) {
  const T zero_a = static_cast<T>(std::is_signed_v<T> ? -9 : 117);
  const T zero_b = static_cast<T>(std::is_signed_v<T> ? 21 : 103);
  const ValueId x = grid_input(b, "a", shape_a, 0.0213f, zero_a);
  const ValueId y = grid_input(b, "b", shape_b, equal_scales ? 0.0213f : 0.0371f, zero_b);
  const ValueId z = b.node(op, "z", {x, y});
  return {{b.round("y", z, 0.0517f, zero_a)},
          {random_integers<T>(shape_a, 3), random_integers<T>(shape_b, 4)}};
}

template <class T>
FoldCase binary_case(const std::string& op, const std::string& name, const Shape& a, const Shape& b,
                     bool equal_scales = false) {
  return {"elementwise_" + op + "_" + (std::is_signed_v<T> ? "s8_" : "u8_") + name,
          [=](ModelBuilder& builder) { return binary<T>(builder, op, a, b, equal_scales); }};
}

/// A pooled image and a second operand: the layout of convolutions meets broadcasts.
FoldModel behind_pool(ModelBuilder& b, const std::string& op, const Shape& other) {
  const Shape shape = {2, 5, 8, 6};
  const ValueId x = grid_input<std::uint8_t>(b, "a", shape, 0.021f, 117);
  const ValueId pool = b.node("MaxPool", "pool", {x},
                              {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
                               {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const ValueId rounded = b.round("p", pool, 0.021f, std::uint8_t{117});
  const ValueId y = grid_input<std::uint8_t>(b, "b", other, 0.034f, 90);
  return {{b.round("y", b.node(op, "z", {rounded, y}), 0.057f, std::uint8_t{120})},
          {random_integers<std::uint8_t>(shape, 3), random_integers<std::uint8_t>(other, 4)}};
}

FoldModel constant_on_grid(ModelBuilder& b, const std::string& op, const Shape& shape) {
  const Shape image = {2, 6, 5, 7};
  const ValueId x = grid_input<std::uint8_t>(b, "a", image, 0.021f, 117);
  const ValueId y = b.dequantize("c.dq", b.constant("c", random_integers<std::int8_t>(shape, 8)),
                                 0.013f, std::int8_t{3});
  return {{b.round("y", b.node(op, "z", {x, y}), 0.057f, std::uint8_t{120})},
          {random_integers<std::uint8_t>(image, 3)}};
}

/// op(x, scalar) or op(scalar, x): a table.
FoldModel with_scalar(ModelBuilder& b, const std::string& op, bool first) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {3, 70}, 0.021f, 0);
  const ValueId c = b.scalar("c", 0.731f);
  const ValueId z = b.node(op, "z", first ? std::vector{c, x} : std::vector{x, c});
  return {{b.round("y", z, 0.0317f, std::uint8_t{20})},
          {random_integers<std::uint8_t>({3, 70}, 3)}};
}

FoldModel clamped(ModelBuilder& b, const std::string& op) {
  const ValueId x = grid_input<std::int8_t>(b, "a", {4, 33}, 0.021f, 5);
  const ValueId y = grid_input<std::int8_t>(b, "b", {4, 33}, 0.037f, -7);
  const ValueId z = b.node("Relu", "relu", {b.node(op, "z", {x, y})});
  return {{b.round("y", z, 0.0317f, std::int8_t{-100})},
          {random_integers<std::int8_t>({4, 33}, 3), random_integers<std::int8_t>({4, 33}, 4)}};
}

/// Without a Round the operator writes the graph's output in float.
FoldModel not_rounded(ModelBuilder& b, const std::string& op) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {2, 3, 9}, 0.021f, 117);
  const ValueId y = grid_input<std::uint8_t>(b, "b", {2, 1, 9}, 0.037f, 255);
  Tensor divisor = random_integers<std::uint8_t>({2, 1, 9}, 4);
  for (std::uint8_t& q : divisor.data<std::uint8_t>()) q = std::min<std::uint8_t>(q, 254);
  return {{b.node(op, "z", {x, y})}, {random_integers<std::uint8_t>({2, 3, 9}, 3), divisor}};
}

FoldModel several_consumers(ModelBuilder& b, const std::string& op) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {4, 33}, 0.021f, 117);
  const ValueId y = grid_input<std::uint8_t>(b, "b", {4, 33}, 0.037f, 103);
  const ValueId z = b.round("z", b.node(op, "op", {x, y}), 0.043f, std::uint8_t{99});
  const ValueId more = b.round("more", b.node("Max", "max", {z, x}), 0.041f, std::uint8_t{88});
  return {{z, more},
          {random_integers<std::uint8_t>({4, 33}, 3), random_integers<std::uint8_t>({4, 33}, 4)}};
}

FoldModel function(ModelBuilder& b, const std::string& op, const AttributeList& attributes) {
  const ValueId x = grid_input<std::int8_t>(b, "a", {3, 90}, 0.031f, 12);
  return {{b.round("y", b.node(op, "f", {x}, attributes), 0.0217f, std::int8_t{-31})},
          {random_integers<std::int8_t>({3, 90}, 3)}};
}

/// x * sigmoid(x), with a Round between the two or without.
FoldModel silu(ModelBuilder& b, bool rounded) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {3, 90}, 0.031f, 112);
  ValueId gate = b.node("Sigmoid", "sigmoid", {x});
  if (rounded) gate = b.round("gate", gate, 1.0f / 255, std::uint8_t{0});
  return {{b.round("y", b.node("Mul", "mul", {x, gate}), 0.0217f, std::uint8_t{13})},
          {random_integers<std::uint8_t>({3, 90}, 3)}};
}

FoldModel squeeze_and_excite(ModelBuilder& b) {
  const Shape shape = {2, 8, 6, 5};
  const ValueId x = grid_input<std::uint8_t>(b, "a", shape, 0.021f, 30);
  const ValueId mean =
      b.round("mean", b.node("GlobalAveragePool", "pool", {x}), 0.013f, std::uint8_t{40});
  const ValueId conv = b.node("Conv", "conv", {mean, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId gate =
      b.node("HardSigmoid", "gate", {b.round("c", conv, 0.02f, std::uint8_t{128})});
  const ValueId rounded = b.round("g", gate, 1.0f / 255, std::uint8_t{0});
  return {{b.round("y", b.node("Mul", "mul", {x, rounded}), 0.019f, std::uint8_t{31})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

/// x / 2 * (1 + erf(x / sqrt 2)), as exporters write it.
FoldModel gelu(ModelBuilder& b) {
  const ValueId x = grid_input<std::int8_t>(b, "a", {3, 90}, 0.031f, 12);
  const ValueId scaled = b.node("Div", "div", {x, b.scalar("root", 1.41421356f)});
  const ValueId sum = b.node("Add", "add", {b.node("Erf", "erf", {scaled}), b.scalar("one", 1.0f)});
  const ValueId product = b.node("Mul", "mul", {x, sum});
  const ValueId half = b.node("Mul", "halve", {product, b.scalar("half", 0.5f)});
  return {{b.round("y", half, 0.0217f, std::int8_t{-31})},
          {random_integers<std::int8_t>({3, 90}, 3)}};
}

FoldModel clip(ModelBuilder& b) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {3, 90}, 0.061f, 112);
  const ValueId y = b.node("Clip", "clip", {x, b.scalar("low", 0.0f), b.scalar("high", 6.0f)});
  return {{b.round("y", y, 0.0237f, std::uint8_t{0})}, {random_integers<std::uint8_t>({3, 90}, 3)}};
}

FoldModel power(ModelBuilder& b) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {3, 90}, 0.031f, 112);
  const ValueId y = b.node("Pow", "pow", {x, b.scalar("exponent", 2.0f)});
  return {{b.round("y", y, 0.0817f, std::uint8_t{3})}, {random_integers<std::uint8_t>({3, 90}, 3)}};
}

/// Two functions with a Round in between, behind an addition.
FoldModel chained(ModelBuilder& b) {
  const ValueId x = grid_input<std::uint8_t>(b, "a", {3, 90}, 0.031f, 112);
  const ValueId y = grid_input<std::uint8_t>(b, "b", {3, 1}, 0.027f, 98);
  const ValueId sum = b.round("s", b.node("Add", "add", {x, y}), 0.043f, std::uint8_t{101});
  const ValueId inner = b.round("i", b.node("Tanh", "tanh", {sum}), 0.008f, std::uint8_t{127});
  return {{b.round("y", b.node("HardSwish", "swish", {inner}), 0.0077f, std::uint8_t{60})},
          {random_integers<std::uint8_t>({3, 90}, 3), random_integers<std::uint8_t>({3, 1}, 4)}};
}

/// An operator of any number of operands, each on a grid of its own or all on one.
template <class T>
FoldCase variadic(const std::string& op, const std::vector<Shape>& shapes, bool one_grid) {
  const std::string name = "elementwise_" + op + "_of_" + std::to_string(shapes.size()) +
                           (one_grid ? "_on_one_grid" : "") + (std::is_signed_v<T> ? "_s8" : "_u8");
  return {
      name, [=](ModelBuilder& b) {
        FoldModel model;
        std::vector<ValueId> operands;
        for (std::size_t i = 0; i < shapes.size(); ++i) {
          const float scale = one_grid ? 0.021f : 0.021f + 0.004f * static_cast<float>(i);
          operands.push_back(grid_input<T>(b, "x" + std::to_string(i), shapes[i], scale, T{20}));
          model.inputs.push_back(random_integers<T>(shapes[i], static_cast<unsigned>(3 + i)));
        }
        model.outputs = {b.round("y", b.node(op, "z", operands), 0.0517f, T{25})};
        return model;
      }};
}

/// op(x, c) with float numbers that run along one axis, with a Round behind.
FoldCase with_vector(const std::string& op, const std::string& name, const Shape& shape,
                     const Shape& vector, bool first = false) {
  return {"elementwise_" + op + "_vector_" + name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = grid_input<std::uint8_t>(b, "a", shape, 0.021f, 117);
            const ValueId c = b.constant("c", random_floats(vector, 5, 0.4f, 1.7f));
            const ValueId z = b.node(op, "z", first ? std::vector{c, x} : std::vector{x, c});
            return {{b.round("y", z, 0.0317f, std::uint8_t{120})},
                    {random_integers<std::uint8_t>(shape, 3)}};
          }};
}

void add_vectors(std::vector<FoldCase>& cases) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
    cases.push_back(with_vector(op, "channels_of_sequence", {2, 6, 19}, {6, 1}));
    cases.push_back(with_vector(op, "heads", {2, 3, 7, 16}, {1, 3, 1, 1}));
    cases.push_back(with_vector(op, "rows", {2, 3, 7, 16}, {7, 1}));
    cases.push_back(with_vector(op, "matrix", {2, 3, 7, 16}, {7, 16}));
    cases.push_back(with_vector(op, "first", {2, 6, 19}, {6, 1}, true));
  }
}

void add_variadic(std::vector<FoldCase>& cases) {
  const Shape image = {2, 3, 5, 7};
  for (const char* op : {"Max", "Min", "Sum", "Mean"})
    for (const bool one_grid : {false, true}) {
      cases.push_back(variadic<std::uint8_t>(op, {image, image, image}, one_grid));
      cases.push_back(variadic<std::int8_t>(op, {image, {7}, image, {5, 7}}, one_grid));
      cases.push_back(variadic<std::uint8_t>(op, {image, image}, one_grid));
      cases.push_back(variadic<std::uint8_t>(op, {image}, one_grid));
    }
}

void add_broadcasts(std::vector<FoldCase>& cases) {
  const Shape image = {2, 3, 5, 7};
  const std::pair<const char*, std::pair<Shape, Shape>> broadcasts[] = {
      {"mask", {image, {2, 1, 5, 7}}},
      {"height", {image, {1, 5, 1}}},
      {"width", {image, {7}}},
      {"channel", {image, {1, 3, 1, 1}}},
      {"image", {image, {2, 1, 1, 1}}},
      {"token", {{2, 9, 33}, {2, 9, 1}}},
      {"outer_product", {{2, 9, 1}, {2, 1, 33}}},
      {"both", {{3, 1, 7}, {2, 1, 5, 1}}},
      {"one", {image, {1}}},
      {"first_is_smaller", {{3, 1, 1}, image}},
  };
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"})
    for (const auto& [name, shapes] : broadcasts)
      cases.push_back(binary_case<std::uint8_t>(op, name, shapes.first, shapes.second));
}

}  // namespace

std::vector<FoldCase> elementwise_cases() {
  std::vector<FoldCase> cases;
  const Shape shape = {2, 3, 67};
  for (const std::string op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
    cases.push_back(binary_case<std::uint8_t>(op, "equal_scales", shape, shape, true));
    cases.push_back(binary_case<std::uint8_t>(op, "different_scales", shape, shape));
    cases.push_back(binary_case<std::int8_t>(op, "different_scales", shape, shape));
    const std::string name = "elementwise_" + op;
    cases.push_back({name + "_then_relu", [=](auto& b) { return clamped(b, op); }});
    cases.push_back({name + "_float_output", [=](auto& b) { return not_rounded(b, op); }});
    cases.push_back({name + "_two_consumers", [=](auto& b) { return several_consumers(b, op); }});
    cases.push_back({name + "_pool_mask", [=](auto& b) {
                       return behind_pool(b, op, {2, 1, 8, 6});
                     }});
    cases.push_back({name + "_pool_rows", [=](auto& b) { return behind_pool(b, op, {8, 1}); }});
    cases.push_back({name + "_constant_map", [=](auto& b) {
                       return constant_on_grid(b, op, {6, 5, 7});
                     }});
    cases.push_back({name + "_constant_channel", [=](auto& b) {
                       return constant_on_grid(b, op, {6, 1, 1});
                     }});
  }
  for (const std::string op : {"Add", "Sub", "Mul", "Div"}) {
    cases.push_back(
        {"elementwise_" + op + "_scalar", [=](auto& b) { return with_scalar(b, op, false); }});
    cases.push_back(
        {"elementwise_" + op + "_scalar_first", [=](auto& b) { return with_scalar(b, op, true); }});
  }
  for (const std::string op : {"Sigmoid", "HardSwish", "Tanh", "Relu", "HardSigmoid"})
    cases.push_back({"elementwise_" + op, [=](auto& b) { return function(b, op, {}); }});
  cases.push_back({"elementwise_LeakyRelu", [](auto& b) {
                     return function(b, "LeakyRelu", {{"alpha", 0.13f}});
                   }});
  cases.push_back({"elementwise_silu", [](auto& b) { return silu(b, false); }});
  cases.push_back({"elementwise_silu_two_rounds", [](auto& b) { return silu(b, true); }});
  cases.push_back({"elementwise_squeeze_and_excite", squeeze_and_excite});
  cases.push_back({"elementwise_gelu_erf", gelu});
  cases.push_back({"elementwise_clip", clip});
  cases.push_back({"elementwise_pow", power});
  cases.push_back({"elementwise_chained", chained});
  add_broadcasts(cases);
  add_variadic(cases);
  add_vectors(cases);
  return cases;
}

}  // namespace intact::testing

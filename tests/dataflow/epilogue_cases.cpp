// What follows a product: activations without a Round in between, residual additions before the
// only Round, results that are read in several forms.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Following = std::function<ValueId(ModelBuilder&, ValueId)>;

/// A product of activations on a byte grid and constant weights; its result has 20 channels or
/// columns (24 for depthwise) and lies within about +-4.
struct Product {
  std::string name;
  Shape input;
  std::function<ValueId(ModelBuilder&, ValueId)> build;
};

ValueId float_bias(ModelBuilder& b, std::int64_t channels) {
  return b.constant("bias", random_floats({channels}, 77, -0.5f, 0.5f));
}

Product conv() {
  return {"conv", {1, 12, 7, 9}, [](ModelBuilder& b, ValueId x) {
            return b.node("Conv", "conv",
                          {x, grid_weights(b, "w", {20, 12, 3, 3}, 5, 0.004f), float_bias(b, 20)},
                          {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
          }};
}
Product pointwise() {
  return {"pointwise", {2, 30, 5, 6}, [](ModelBuilder& b, ValueId x) {
            return b.node("Conv", "conv", {x, grid_weights(b, "w", {20, 30, 1, 1}, 6, 0.006f)});
          }};
}
Product depthwise() {
  return {"depthwise", {1, 24, 11, 8}, [](ModelBuilder& b, ValueId x) {
            return b.node(
                "Conv", "conv",
                {x, grid_weights(b, "w", {24, 1, 3, 3}, 7, 0.012f), float_bias(b, 24)},
                {{"group", std::int64_t{24}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
          }};
}
Product matmul() {
  return {"matmul", {2, 9, 31}, [](ModelBuilder& b, ValueId x) {
            return b.node("MatMul", "matmul", {x, grid_weights(b, "w", {31, 20}, 8, 0.006f)});
          }};
}
Product attention() {
  return {"attention", {2, 3, 20, 18}, [](ModelBuilder& b, ValueId x) {
            const ValueId y = b.node("Transpose", "transpose", {x},
                                     {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
            return b.node("MatMul", "matmul", {x, y});
          }};
}

/// x on a grid, the product, and what follows it.
FoldCase case_of(const std::string& name, const Product& product, const Following& then,
                 bool with_s8 = false) {
  return {
      "epilogue_" + product.name + "_" + name, [=](ModelBuilder& b) -> FoldModel {
        if (with_s8) {
          const ValueId q = b.input("x", ElementType::s8, product.input);
          const ValueId x = b.dequantize("x.dq", q, 0.021f, std::int8_t{-9});
          return {{then(b, product.build(b, x))},
                  {random_integers<std::int8_t>(product.input, 11)}};
        }
        const ValueId q = b.input("x", ElementType::u8, product.input);
        const ValueId x = b.dequantize("x.dq", q, 0.021f, std::uint8_t{121});
        return {{then(b, product.build(b, x))}, {random_integers<std::uint8_t>(product.input, 11)}};
      }};
}

using Function = std::function<ValueId(ModelBuilder&, ValueId)>;

Function unary(const std::string& op, const AttributeList& attributes = {}) {
  return [=](ModelBuilder& b, ValueId x) { return b.node(op, "f", {x}, attributes); };
}
ValueId silu(ModelBuilder& b, ValueId x) {
  return b.node("Mul", "times", {x, b.node("Sigmoid", "sigmoid", {x})});
}
ValueId hard_swish_by_parts(ModelBuilder& b, ValueId x) {
  const ValueId raised = b.node("Add", "add3", {x, b.scalar("three", 3.0f)});
  const ValueId clipped =
      b.node("Clip", "relu6", {raised, b.scalar("zero", 0.0f), b.scalar("six", 6.0f)});
  return b.node("Div", "div6", {b.node("Mul", "times", {x, clipped}), b.scalar("by", 6.0f)});
}
ValueId clip_then_sigmoid(ModelBuilder& b, ValueId x) {
  const ValueId clipped =
      b.node("Clip", "clip", {x, b.scalar("low", -0.7f), b.scalar("high", 1.3f)});
  return b.node("Sigmoid", "sigmoid", {clipped});
}

struct NamedFunction {
  std::string name;
  Function apply;
  float scale;
  std::uint8_t zero_point;
};
std::vector<NamedFunction> functions() {
  return {
      {"silu", silu, 0.019f, 14},
      {"sigmoid", unary("Sigmoid"), 0.0039f, 0},
      {"tanh", unary("Tanh"), 0.0079f, 128},
      {"leaky_relu", unary("LeakyRelu", {{"alpha", 0.1f}}), 0.017f, 30},
      {"hard_sigmoid", unary("HardSigmoid", {{"alpha", 0.1667f}, {"beta", 0.5f}}), 0.0041f, 3},
      {"hard_swish", unary("HardSwish"), 0.018f, 21},
      {"hard_swish_by_parts", hard_swish_by_parts, 0.018f, 21},
      {"clip_then_sigmoid", clip_then_sigmoid, 0.0037f, 1},
      {"exp", unary("Exp"), 0.11f, 0},
  };
}

Following rounded(const Function& function, float scale, std::uint8_t zero_point) {
  return
      [=](ModelBuilder& b, ValueId x) { return b.round("y", function(b, x), scale, zero_point); };
}
Following rounded_s8(const Function& function, float scale, std::int8_t zero_point) {
  return
      [=](ModelBuilder& b, ValueId x) { return b.round("y", function(b, x), scale, zero_point); };
}

/// Every function behind every kind of product, u8 and s8.
std::vector<FoldCase> activations() {
  std::vector<FoldCase> cases;
  for (const NamedFunction& f : functions())
    for (const Product& product : {conv(), pointwise(), depthwise(), matmul(), attention()}) {
      const bool s8 = cases.size() % 2 == 1;
      cases.push_back(
          case_of(f.name + (s8 ? "_s8" : ""), product,
                  s8 ? rounded_s8(f.apply, f.scale, static_cast<std::int8_t>(f.zero_point - 128))
                     : rounded(f.apply, f.scale, f.zero_point),
                  s8));
    }
  return cases;
}

/// A function of the product is stored; the residual is then the only thing left to make float.
FoldModel function_stored_then_residual(ModelBuilder& b) {
  const Product product = matmul();
  const Shape sum_shape = {2, 9, 20};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, product.input), 0.021f, std::uint8_t{121});
  const ValueId r =
      b.dequantize("r.dq", b.input("r", ElementType::u8, sum_shape), 0.013f, std::uint8_t{140});
  const ValueId function = b.node("Sigmoid", "sigmoid", {product.build(b, x)});
  const ValueId sum = b.node("Add", "add", {function, r});
  return {{function, b.round("y", sum, 0.023f, std::uint8_t{33})},
          {random_integers<std::uint8_t>(product.input, 11),
           random_integers<std::uint8_t>(sum_shape, 12)}};
}

std::vector<FoldCase> stored_values() {
  return {{"epilogue_function_stored_then_residual", function_stored_then_residual}};
}

}  // namespace

std::vector<FoldCase> epilogue_cases() {
  std::vector<FoldCase> all;
  for (const auto list : {activations, stored_values})
    for (FoldCase& fold : list()) all.push_back(std::move(fold));
  return all;
}

}  // namespace intact::testing

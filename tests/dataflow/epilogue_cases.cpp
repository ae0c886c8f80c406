// What follows a product: activations without a Round in between, residual additions before the
// only Round, results that are read in several forms.
#include <optional>

#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Following = std::function<ValueId(ModelBuilder&, ValueId)>;

/// A product of activations on a byte grid and constant weights; its result has 20 channels or
/// columns (24 for depthwise) and lies within about +-4.
struct Product {
  std::string name;
  Shape input, output;
  std::function<ValueId(ModelBuilder&, ValueId)> build;
  bool image = true;  ///< stored channels last
};

ValueId float_bias(ModelBuilder& b, std::int64_t channels) {
  return b.constant("bias", random_floats({channels}, 77, -0.5f, 0.5f));
}

Product conv() {
  return {"conv", {1, 12, 7, 9}, {1, 20, 7, 9}, [](ModelBuilder& b, ValueId x) {
            return b.node("Conv", "conv",
                          {x, grid_weights(b, "w", {20, 12, 3, 3}, 5, 0.004f), float_bias(b, 20)},
                          {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
          }};
}
Product pointwise() {
  return {"pointwise", {2, 30, 5, 6}, {2, 20, 5, 6}, [](ModelBuilder& b, ValueId x) {
            return b.node("Conv", "conv", {x, grid_weights(b, "w", {20, 30, 1, 1}, 6, 0.006f)});
          }};
}
Product depthwise() {
  return {"depthwise", {1, 24, 11, 8}, {1, 24, 11, 8}, [](ModelBuilder& b, ValueId x) {
            return b.node(
                "Conv", "conv",
                {x, grid_weights(b, "w", {24, 1, 3, 3}, 7, 0.012f), float_bias(b, 24)},
                {{"group", std::int64_t{24}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
          }};
}
Product matmul() {
  return {"matmul",
          {2, 9, 31},
          {2, 9, 20},
          [](ModelBuilder& b, ValueId x) {
            return b.node("MatMul", "matmul", {x, grid_weights(b, "w", {31, 20}, 8, 0.006f)});
          },
          false};
}
Product attention() {
  return {"attention",
          {2, 3, 20, 18},
          {2, 3, 20, 20},
          [](ModelBuilder& b, ValueId x) {
            const ValueId y = b.node("Transpose", "transpose", {x},
                                     {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
            return b.node("MatMul", "matmul", {x, y});
          },
          false};
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
      {"elu", unary("Elu", {{"alpha", 0.8f}}), 0.017f, 50},
      {"selu", unary("Selu"), 0.019f, 90},
      {"mish", unary("Mish"), 0.017f, 19},
      {"gelu", unary("Gelu"), 0.018f, 10},
      {"gelu_tanh", unary("Gelu", {{"approximate", std::string("tanh")}}), 0.018f, 10},
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
      cases.back().opset = 20;
    }
  return cases;
}

ValueId relu(ModelBuilder& b, ValueId x) {
  return b.node("Relu", "relu", {x});
}
ValueId itself(ModelBuilder&, ValueId x) {
  return x;
}

/// Product + r -> function -> Round, with r a second input of bytes.
FoldCase residual_case(const std::string& name, const Product& product, bool r_first, bool s8,
                       const Function& function) {
  return {
      "epilogue_" + product.name + "_" + name, [=](ModelBuilder& b) -> FoldModel {
        const ValueId q = b.input("x", ElementType::u8, product.input);
        const ValueId x = b.dequantize("x.dq", q, 0.021f, std::uint8_t{121});
        const auto type = s8 ? ElementType::s8 : ElementType::u8;
        const ValueId other = b.input("r", type, product.output);
        const ValueId r = s8 ? b.dequantize("r.dq", other, 0.013f, std::int8_t{17})
                             : b.dequantize("r.dq", other, 0.013f, std::uint8_t{140});
        const ValueId y = product.build(b, x);
        const ValueId sum = b.node("Add", "add", r_first ? std::vector{r, y} : std::vector{y, r});
        const ValueId out = b.round("y", function(b, sum), 0.023f, std::uint8_t{33});
        return {{out},
                {random_integers<std::uint8_t>(product.input, 11),
                 s8 ? random_integers<std::int8_t>(product.output, 12)
                    : random_integers<std::uint8_t>(product.output, 12)}};
      }};
}

/// The residual is the rounded result of a convolution that comes later in the file.
FoldModel shortcut_comes_later(ModelBuilder& b) {
  const Shape shape = {1, 12, 7, 9};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.021f, std::uint8_t{121});
  const ValueId y = conv().build(b, x);
  const ValueId w = grid_weights(b, "w2", {20, 12, 1, 1}, 15, 0.006f);
  const ValueId r = b.round("r", b.node("Conv", "shortcut", {x, w}), 0.03f, std::uint8_t{128});
  const ValueId sum = relu(b, b.node("Add", "add", {y, r}));
  return {{b.round("y", sum, 0.023f, std::uint8_t{0})}, {random_integers<std::uint8_t>(shape, 11)}};
}

/// The sum is read by the next block as bytes and added there: x + conv(x), twice.
FoldModel two_blocks(ModelBuilder& b) {
  const Shape shape = {1, 16, 6, 7};
  ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.021f, std::uint8_t{121});
  for (const std::string& at : {std::string("1"), std::string("2")}) {
    const ValueId w = grid_weights(b, "w" + at, {16, 16, 3, 3}, 15, 0.004f);
    const ValueId y =
        b.node("Conv", "conv" + at, {x, w}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    const ValueId sum = b.node("Relu", "relu" + at, {b.node("Add", "add" + at, {y, x})});
    x = b.round("y" + at, sum, 0.023f, std::uint8_t{0});
  }
  return {{x}, {random_integers<std::uint8_t>(shape, 11)}};
}

/// A function of the product is stored; the residual is then the only thing left to make float.
FoldModel function_stored_then_residual(ModelBuilder& b) {
  const Product product = matmul();
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, product.input), 0.021f, std::uint8_t{121});
  const ValueId r = b.dequantize("r.dq", b.input("r", ElementType::u8, product.output), 0.013f,
                                 std::uint8_t{140});
  const ValueId function = b.node("Sigmoid", "sigmoid", {product.build(b, x)});
  const ValueId sum = b.node("Add", "add", {function, r});
  return {{function, b.round("y", sum, 0.023f, std::uint8_t{33})},
          {random_integers<std::uint8_t>(product.input, 11),
           random_integers<std::uint8_t>(product.output, 12)}};
}

/// Two products, one Round behind their sum.
FoldCase sum_case(const std::string& name, const Product& first, const Product& second,
                  const Function& function) {
  return {"epilogue_sum_of_" + name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, first.input),
                                           0.021f, std::uint8_t{121});
            const ValueId z = b.dequantize("z.dq", b.input("z", ElementType::u8, second.input),
                                           0.017f, std::uint8_t{113});
            const ValueId sum = b.node("Add", "add", {first.build(b, x), second.build(b, z)});
            return {{b.round("y", function(b, sum), 0.033f, std::uint8_t{40})},
                    {random_integers<std::uint8_t>(first.input, 11),
                     random_integers<std::uint8_t>(second.input, 12)}};
          }};
}

/// A convolution like another product's: of the same output.
Product shortcut(std::int64_t in, std::int64_t out, const Shape& input, const Shape& output,
                 std::int64_t stride) {
  return {"shortcut", input, output, [=](ModelBuilder& b, ValueId x) {
            return b.node("Conv", "shortcut",
                          {x, grid_weights(b, "w2", {out, in, 1, 1}, 16, 0.007f)},
                          {{"strides", std::vector<std::int64_t>{stride, stride}}});
          }};
}

std::vector<FoldCase> residuals() {
  const Product second_matmul = {
      "matmul", {2, 9, 17}, {2, 9, 20}, [](ModelBuilder& b, ValueId x) {
        return b.node("MatMul", "matmul2", {x, grid_weights(b, "w2", {17, 20}, 8, 0.006f)});
      }};
  std::vector<FoldCase> cases = {
      {"epilogue_shortcut_comes_later", shortcut_comes_later},
      {"epilogue_two_blocks", two_blocks},
      {"epilogue_function_stored_then_residual", function_stored_then_residual},
      sum_case("convolutions", conv(), shortcut(7, 20, {1, 7, 7, 9}, {1, 20, 7, 9}, 1), relu),
      sum_case("convolutions_of_two_strides", conv(),
               shortcut(9, 20, {1, 9, 14, 18}, {1, 20, 7, 9}, 2), silu),
      sum_case("batches", pointwise(), shortcut(12, 20, {2, 12, 5, 6}, {2, 20, 5, 6}, 1), itself),
      sum_case("depthwise_and_pointwise", depthwise(),
               shortcut(10, 24, {1, 10, 11, 8}, {1, 24, 11, 8}, 1), relu),
      sum_case("matrix_products", matmul(), second_matmul, itself)};
  for (const Product& product : {conv(), pointwise(), depthwise(), matmul(), attention()}) {
    cases.push_back(residual_case("residual_relu", product, false, false, relu));
    cases.push_back(residual_case("residual_first", product, true, true, itself));
    cases.push_back(residual_case("residual_silu", product, false, true, silu));
  }
  return cases;
}

/// Results that are read in several forms, and results without a Round.
using Reading = std::function<std::vector<ValueId>(ModelBuilder&, ValueId)>;
struct NamedReading {
  std::string name;
  Reading read;
};

FoldCase reading_case(const NamedReading& reading, const Product& product) {
  FoldCase fold = {"epilogue_" + product.name + "_" + reading.name,
                   [=](ModelBuilder& b) -> FoldModel {
                     const ValueId q = b.input("x", ElementType::u8, product.input);
                     const ValueId x = b.dequantize("x.dq", q, 0.021f, std::uint8_t{121});
                     return {reading.read(b, product.build(b, x)),
                             {random_integers<std::uint8_t>(product.input, 11)}};
                   }};
  // Floats that leave the model are copied from channels last to the order of the output.
  if (product.image && reading.name.ends_with("float")) fold.float_nodes = 1;
  return fold;
}

std::vector<NamedReading> readings() {
  return {
      {"two_rounds",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         return {b.round("y1", y, 0.031f, std::uint8_t{128}),
                 b.round("y2", y, 0.043f, std::int8_t{-5})};
       }},
      {"relu_two_rounds",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         const ValueId z = relu(b, y);
         return {b.round("y1", z, 0.017f, std::uint8_t{0}),
                 b.round("y2", z, 0.019f, std::int8_t{-128})};
       }},
      {"round_and_float",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         return {b.round("y1", y, 0.031f, std::uint8_t{128}), y};
       }},
      {"silu_rounded_and_itself_rounded",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         return {b.round("y1", silu(b, y), 0.017f, std::uint8_t{17}),
                 b.round("y2", y, 0.031f, std::uint8_t{129})};
       }},
      {"silu_rounded_and_float",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         const ValueId z = silu(b, y);
         return {b.round("y1", z, 0.017f, std::uint8_t{17}), z};
       }},
      {"sigmoid_float",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         return {b.node("Sigmoid", "f", {y})};
       }},
      {"silu_float",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> { return {silu(b, y)}; }},
      {"scaled_by_a_number",
       [](ModelBuilder& b, ValueId y) -> std::vector<ValueId> {
         const ValueId z = b.node("Mul", "scale", {y, b.scalar("factor", 0.7f)});
         return {b.round("y1", z, 0.023f, std::uint8_t{128})};
       }},
  };
}

std::vector<FoldCase> outputs() {
  std::vector<FoldCase> cases;
  for (const NamedReading& reading : readings())
    for (const Product& product : {conv(), pointwise(), depthwise(), matmul(), attention()})
      cases.push_back(reading_case(reading, product));
  return cases;
}

/// Functions behind a ConvTranspose, whose output positions come from several convolutions.
std::vector<FoldCase> transposed() {
  std::vector<FoldCase> cases;
  for (const std::int64_t stride : {1, 2, 3})
    for (const NamedFunction& f : functions()) {
      const Product product = {
          "conv_transpose_" + std::to_string(stride), {1, 10, 5, 6}, {}, [=](auto& b, ValueId x) {
            return b.node("ConvTranspose", "deconv",
                          {x, grid_weights(b, "w", {10, 9, 3, 3}, 5, 0.006f), float_bias(b, 9)},
                          {{"strides", std::vector<std::int64_t>{stride, stride}}});
          }};
      cases.push_back(case_of(f.name, product, rounded(f.apply, f.scale, f.zero_point)));
      cases.back().opset = 20;
      if (stride == 3) break;
    }
  return cases;
}

/// One constant per channel behind a convolution, or per column behind a matrix product.
std::vector<FoldCase> vectors() {
  std::vector<FoldCase> cases;
  for (const Product& product : {conv(), pointwise(), depthwise(), matmul()})
    for (const std::string op : {"Mul", "Add", "PRelu", "Max"}) {
      const bool columns = product.output.size() == 3;
      const std::int64_t count = columns ? product.output.back() : product.output[1];
      const Shape shape = columns ? Shape{count} : Shape{count, 1, 1};
      cases.push_back(case_of(
          op + "_per_channel", product,
          [=](ModelBuilder& b, ValueId y) {
            const ValueId v = b.constant("v", random_floats(shape, 21, -1, 1));
            const ValueId sum = b.node("Sigmoid", "s", {b.node(op, "f", {y, v})});
            return b.round("y", sum, 0.0041f, std::uint8_t{2});
          },
          cases.size() % 2 == 0));
    }
  return cases;
}

/// Gemm with constant weights, or with a second activation, in all its forms.
struct GemmForm {
  std::string name;
  bool transpose_a = false, transpose_b = false;
  float alpha = 1, beta = 1;
  std::optional<Shape> c = {};   ///< of a constant C
  bool c_is_activation = false;  ///< on a byte grid
  bool b_is_activation = false;
};

FoldCase gemm_case(const GemmForm& form) {
  return {"epilogue_gemm_" + form.name, [=](ModelBuilder& b) -> FoldModel {
            constexpr std::int64_t rows = 9, depth = 26, columns = 21;
            const Shape a = form.transpose_a ? Shape{depth, rows} : Shape{rows, depth};
            const Shape w = form.transpose_b ? Shape{columns, depth} : Shape{depth, columns};
            FoldModel model;
            const auto bytes = [&](const std::string& name, const Shape& shape, float scale,
                                   unsigned seed) {
              model.inputs.push_back(random_integers<std::uint8_t>(shape, seed));
              return b.dequantize(name + ".dq", b.input(name, ElementType::u8, shape), scale,
                                  std::uint8_t{121});
            };
            std::vector<ValueId> inputs = {bytes("a", a, 0.021f, 3)};
            inputs.push_back(form.b_is_activation ? bytes("b", w, 0.006f, 4)
                                                  : grid_weights(b, "w", w, 8, 0.006f));
            if (form.c_is_activation)
              inputs.push_back(bytes("c", *form.c, 0.013f, 5));
            else if (form.c)
              inputs.push_back(b.constant("c", random_floats(*form.c, 6)));
            const ValueId y = b.node("Gemm", "gemm", inputs,
                                     {{"transA", std::int64_t{form.transpose_a}},
                                      {"transB", std::int64_t{form.transpose_b}},
                                      {"alpha", form.alpha},
                                      {"beta", form.beta}});
            model.outputs = {b.round("y", relu(b, y), 0.023f, std::uint8_t{4})};
            return model;
          }};
}

std::vector<FoldCase> gemms() {
  std::vector<FoldCase> cases;
  for (const bool activation : {false, true}) {
    const std::string kind = activation ? "activation_" : "weights_";
    for (GemmForm form : {GemmForm{"plain"},
                          {"trans_a", true},
                          {"trans_b", false, true},
                          {"trans_both", true, true},
                          {"alpha", false, false, 0.37f},
                          {"negative_alpha", true, false, -0.37f},
                          {"alpha_and_bias", false, true, 0.37f, 1, Shape{21}},
                          {"beta_and_bias", false, false, 1, 0.3f, Shape{1, 21}},
                          {"beta_zero", false, false, 1, 0, Shape{21}},
                          {"beta_without_c", false, false, 1, 0.3f},
                          {"scalar_c", false, false, 1.5f, 0.3f, Shape{}},
                          {"one_c", false, false, 1, 1, Shape{1}},
                          {"column_c", false, false, 1, 1, Shape{9, 1}},
                          {"matrix_c", false, false, 0.8f, 0.9f, Shape{9, 21}},
                          {"bytes_c", false, true, 1, 1, Shape{9, 21}, true},
                          {"bytes_c_with_beta", true, false, 0.6f, 0.7f, Shape{9, 21}, true},
                          {"bytes_row_c", false, false, 1, 1, Shape{21}, true}}) {
      form.name = kind + form.name;
      form.b_is_activation = activation;
      cases.push_back(gemm_case(form));
    }
  }
  return cases;
}

/// A graph input of bytes.
ValueId bytes_input(ModelBuilder& b, FoldModel& model, const std::string& name, const Shape& shape,
                    unsigned seed) {
  model.inputs.push_back(random_integers<std::uint8_t>(shape, seed));
  return b.dequantize(name + ".dq", b.input(name, ElementType::u8, shape), 0.017f,
                      std::uint8_t{125});
}

/// Float operators of two tensors without a Round in between, behind no product.
FoldCase gate_case(const std::string& name, const Shape& a, const Shape& c,
                   const std::function<ValueId(ModelBuilder&, ValueId, ValueId)>& gate) {
  return {"epilogue_gate_" + name, [=](ModelBuilder& b) {
            FoldModel model;
            const ValueId x = bytes_input(b, model, "a", a, 3);
            const ValueId y = bytes_input(b, model, "b", c, 4);
            model.outputs = {b.round("y", gate(b, x, y), 0.013f, std::uint8_t{119})};
            return model;
          }};
}

/// One of the gate's operands is rounded right before it.
FoldModel gate_of_rounded_input(ModelBuilder& b) {
  const Shape shape = {2, 6, 37};
  FoldModel model;
  model.inputs.push_back(random_floats(shape, 5));
  const ValueId x = b.round("x", b.input("f", ElementType::f32, shape), 0.013f, std::uint8_t{121});
  const ValueId y = bytes_input(b, model, "b", shape, 4);
  model.outputs = {b.round("y", b.node("Mul", "gate", {silu(b, x), y}), 0.013f, std::uint8_t{119})};
  return model;
}

std::vector<FoldCase> gates() {
  const auto of = [](const Function& f, const std::string& op, const Function& g) {
    return [=](ModelBuilder& b, ValueId x, ValueId y) {
      return b.node(op, "gate", {f(b, x), g(b, y)});
    };
  };
  const auto named = [](const std::string& op, const std::string& name) -> Function {
    return [=](ModelBuilder& b, ValueId x) { return b.node(op, name, {x}); };
  };
  const Function sigmoid = named("Sigmoid", "sigmoid"), tanh = named("Tanh", "tanh");
  const auto then = [](const auto& gate, const std::string& op) {
    return
        [=](ModelBuilder& b, ValueId x, ValueId y) { return b.node(op, "then", {gate(b, x, y)}); };
  };
  const Shape image = {2, 12, 5, 7}, rows = {2, 6, 37};
  return {
      gate_case("swiglu", rows, rows, of(silu, "Mul", itself)),
      gate_case("tanh_sigmoid", rows, rows, of(tanh, "Mul", sigmoid)),
      gate_case("tanh_sigmoid_image", image, image, of(tanh, "Mul", sigmoid)),
      gate_case("squeeze_and_excite_by_rows", rows, {2, 1, 37}, of(itself, "Mul", sigmoid)),
      gate_case("spatial_attention", image, {2, 1, 5, 7}, of(itself, "Mul", itself)),
      gate_case("one_factor", rows, {1}, of(silu, "Mul", itself)),
      gate_case("sum_then_sigmoid", rows, rows, then(of(itself, "Add", itself), "Sigmoid")),
      gate_case("product_then_tanh", image, image, then(of(itself, "Mul", itself), "Tanh")),
      gate_case("difference_then_sigmoid", rows, {37}, then(of(itself, "Sub", itself), "Sigmoid")),
      gate_case("many_channels", {3, 5000}, {3, 5000}, of(tanh, "Mul", sigmoid)),
      gate_case("one_pixel", {1, 33}, {1, 33}, of(silu, "Sub", tanh)),
      {"epilogue_gate_of_rounded_input", gate_of_rounded_input},
  };
}

}  // namespace

std::vector<FoldCase> epilogue_cases() {
  std::vector<FoldCase> all;
  for (const auto list : {activations, residuals, outputs, vectors, gemms, gates, transposed})
    for (FoldCase& fold : list()) all.push_back(std::move(fold));
  return all;
}

}  // namespace intact::testing

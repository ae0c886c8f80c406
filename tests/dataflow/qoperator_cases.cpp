// QOperator files: QLinearConv, QLinearMatMul, QGemm and the QLinear operators of com.microsoft.
#include "fold_case.hpp"
#include "graph/convert.hpp"

namespace intact::testing {
namespace {

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8;
const char* const microsoft = "com.microsoft";

/// Integers with the operands that say what they stand for.
struct Quantized {
  ValueId integers;
  ElementType type;
  ValueId scale, zero_point;
};

Tensor integers(ElementType type, const Shape& shape, unsigned seed) {
  return type == u8 ? random_integers<std::uint8_t>(shape, seed)
                    : random_integers<std::int8_t>(shape, seed);
}

/// One QOperator graph on its way; names are counted.
class File {
 public:
  explicit File(ModelBuilder& builder) : b(builder) {}

  std::string name(const std::string& what) { return what + std::to_string(count_++); }
  ValueId number(float value) { return b.scalar(name("scale"), value); }
  ValueId zero(ElementType type, int value) {
    return type == u8 ? b.scalar(name("zero"), static_cast<std::uint8_t>(value))
                      : b.scalar(name("zero"), static_cast<std::int8_t>(value));
  }
  Quantized input(ElementType type, const Shape& shape, float scale, int zero_point) {
    tensors.push_back(integers(type, shape, 11 + count_));
    return {b.input(name("x"), type, shape), type, number(scale), zero(type, zero_point)};
  }
  Quantized constant(ElementType type, const Shape& shape, float scale, int zero_point) {
    return {b.constant(name("w"), integers(type, shape, 23 + count_)), type, number(scale),
            zero(type, zero_point)};
  }
  /// Weights with one scale, and one zero point, per channel.
  Quantized channels(ElementType type, const Shape& shape, std::size_t count, int zero_step = 0) {
    std::vector<float> scales;
    std::vector<double> zeros;
    for (std::size_t i = 0; i < count; ++i) {
      scales.push_back(0.006f + 0.001f * static_cast<float>(i % 7));
      zeros.push_back((type == u8 ? 128 : 0) + static_cast<int>(i % 5) * zero_step);
    }
    const Tensor zero = Tensor::from<double>({static_cast<std::int64_t>(count)}, zeros);
    return {b.constant(name("w"), integers(type, shape, 29 + count_)), type,
            b.vector(name("scale"), scales), b.constant(name("zero"), convert(zero, type))};
  }
  ValueId bias(std::int64_t count) {
    Tensor tensor(ElementType::s32, {count});
    for (std::int32_t i = 0; i < count; ++i)
      tensor.data<std::int32_t>()[static_cast<std::size_t>(i)] = (i * 7919) % 6000 - 3000;
    return b.constant(name("bias"), tensor);
  }
  /// The result of `op` on its grid.
  Quantized node(const std::string& op, std::vector<ValueId> operands, const Quantized& grid,
                 const AttributeList& attributes = {}) {
    const bool standard = op == "QLinearConv" || op == "QLinearMatMul";
    const ValueId y = b.node(op, name(op), std::move(operands), attributes,
                             standard && !attributes_need_microsoft(attributes) ? "" : microsoft);
    b.graph().value(y).type = grid.type;
    return {y, grid.type, grid.scale, grid.zero_point};
  }
  Quantized grid(ElementType type, float scale, int zero_point) {
    return {no_value, type, number(scale), zero(type, zero_point)};
  }
  /// `op` on operands in the order of the QLinear operators, then the grid of the result.
  Quantized linear(const std::string& op, const std::vector<Quantized>& operands,
                   const Quantized& grid, const AttributeList& attributes = {},
                   ValueId bias = no_value) {
    std::vector<ValueId> inputs;
    for (const Quantized& x : operands)
      inputs.insert(inputs.end(), {x.integers, x.scale, x.zero_point});
    inputs.insert(inputs.end(), {grid.scale, grid.zero_point});
    if (bias != no_value) inputs.push_back(bias);
    return node(op, inputs, grid, attributes);
  }
  ValueId real(const Quantized& x) {
    return b.node("DequantizeLinear", name("real"), {x.integers, x.scale, x.zero_point});
  }
  FoldModel outputs(const std::vector<ValueId>& ids) { return {ids, tensors}; }

  ModelBuilder& b;
  std::vector<Tensor> tensors;

 private:
  static bool attributes_need_microsoft(const AttributeList& attributes) {
    for (const auto& [key, value] : attributes)
      if (key == "channels_last") return true;
    return false;
  }
  unsigned count_ = 0;
};

using Ints = std::vector<std::int64_t>;

FoldCase file_case(const std::string& name, const std::function<FoldModel(File&)>& build,
                   int opset = 17) {
  return {name,
          [=](ModelBuilder& builder) {
            File file(builder);
            return build(file);
          },
          opset};
}

/// A convolution of x with weights of one scale, or of one per channel.
FoldCase conv_case(const std::string& name, ElementType x, ElementType w, const Shape& image,
                   const Shape& kernel, const AttributeList& attributes, bool per_channel,
                   bool biased = true, int opset = 17) {
  return file_case(
      name,
      [=](File& f) {
        const Quantized in = f.input(x, image, 0.02f, x == u8 ? 119 : -7);
        const auto outputs = static_cast<std::size_t>(kernel[0]);
        const Quantized weights = per_channel ? f.channels(w, kernel, outputs, w == u8 ? 3 : 0)
                                              : f.constant(w, kernel, 0.01f, w == u8 ? 131 : 0);
        const Quantized y =
            f.linear("QLinearConv", {in, weights}, f.grid(x, 0.31f, x == u8 ? 99 : 5), attributes,
                     biased ? f.bias(kernel[0]) : no_value);
        return f.outputs({y.integers});
      },
      opset);
}

std::vector<FoldCase> convolutions() {
  const AttributeList none, padded = {{"pads", Ints{1, 1, 1, 1}}};
  return {
      conv_case("qlinear_conv_u8_s8", u8, s8, {1, 3, 9, 8}, {8, 3, 3, 3}, padded, false),
      conv_case("qlinear_conv_u8_u8", u8, u8, {1, 3, 9, 8}, {8, 3, 3, 3}, padded, false),
      conv_case("qlinear_conv_s8_s8", s8, s8, {1, 3, 9, 8}, {8, 3, 3, 3}, padded, false),
      conv_case("qlinear_conv_s8_per_channel", s8, s8, {1, 3, 9, 8}, {8, 3, 3, 3}, padded, true),
      conv_case("qlinear_conv_u8_per_channel", u8, s8, {2, 5, 7, 8}, {9, 5, 3, 3}, padded, true),
      conv_case("qlinear_conv_zero_point_per_channel", u8, u8, {1, 4, 7, 8}, {9, 4, 3, 3}, padded,
                true),
      conv_case("qlinear_conv_no_bias", u8, s8, {1, 3, 9, 8}, {8, 3, 3, 3}, none, true, false),
      conv_case("qlinear_conv_opset_10", u8, u8, {1, 3, 9, 8}, {8, 3, 3, 3}, padded, false, true,
                10),
      conv_case("qlinear_conv_groups", u8, s8, {1, 8, 9, 8}, {12, 2, 3, 3},
                {{"group", std::int64_t{4}}, {"pads", Ints{0, 1, 2, 1}}}, true),
      conv_case("qlinear_conv_depthwise", u8, s8, {1, 16, 9, 8}, {16, 1, 3, 3},
                {{"group", std::int64_t{16}}, {"pads", Ints{1, 1, 1, 1}}}, true),
      conv_case("qlinear_conv_depthwise_s8", s8, s8, {1, 16, 9, 8}, {16, 1, 5, 5},
                {{"group", std::int64_t{16}}, {"strides", Ints{2, 2}}}, false),
      conv_case("qlinear_conv_same_upper", u8, s8, {1, 3, 9, 8}, {8, 3, 3, 3},
                {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}, false),
      conv_case("qlinear_conv_same_lower", u8, u8, {1, 3, 9, 8}, {8, 3, 4, 4},
                {{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 2}}}, false),
      conv_case("qlinear_conv_dilated", u8, s8, {1, 3, 9, 12}, {8, 3, 3, 3},
                {{"dilations", Ints{2, 3}}}, true),
      conv_case("qlinear_conv_1d", u8, s8, {2, 6, 31}, {8, 6, 5}, {{"pads", Ints{2, 2}}}, true),
      conv_case("qlinear_conv_3d", u8, s8, {1, 2, 5, 6, 7}, {4, 2, 3, 3, 3}, none, true),
      conv_case("qlinear_conv_pointwise", u8, s8, {1, 33, 5, 5}, {17, 33, 1, 1}, none, true),
      conv_case("qlinear_conv_channels_last", u8, s8, {1, 9, 8, 3}, {8, 3, 3, 3},
                {{"channels_last", std::int64_t{1}}, {"pads", Ints{1, 1, 1, 1}}}, true),
      conv_case("qlinear_conv_channels_last_s8", s8, s8, {2, 9, 8, 5}, {8, 5, 3, 3},
                {{"channels_last", std::int64_t{1}}}, false),
  };
}

FoldCase matmul_case(const std::string& name, ElementType a, ElementType c, const Shape& left,
                     const Shape& right, int opset = 17) {
  return file_case(
      name,
      [=](File& f) {
        const Quantized x = f.input(a, left, 0.021f, a == u8 ? 117 : 3);
        const Quantized y = f.input(c, right, 0.017f, c == u8 ? 131 : -5);
        return f.outputs(
            {f.linear("QLinearMatMul", {x, y}, f.grid(a, 0.31f, a == u8 ? 119 : -9)).integers});
      },
      opset);
}

FoldCase weights_case(const std::string& name, ElementType a, const Shape& left,
                      const std::function<Quantized(File&)>& weights, int opset = 17) {
  return file_case(
      name,
      [=](File& f) {
        const Quantized x = f.input(a, left, 0.021f, a == u8 ? 117 : 3);
        return f.outputs(
            {f.linear("QLinearMatMul", {x, weights(f)}, f.grid(a, 0.31f, a == u8 ? 119 : -9))
                 .integers});
      },
      opset);
}

std::vector<FoldCase> products() {
  return {
      matmul_case("qlinear_matmul_activations", u8, u8, {5, 32}, {32, 16}),
      matmul_case("qlinear_matmul_activations_s8", s8, s8, {5, 32}, {32, 16}),
      matmul_case("qlinear_matmul_mixed", u8, s8, {5, 32}, {32, 16}),
      matmul_case("qlinear_matmul_batch", u8, u8, {2, 3, 5, 32}, {2, 3, 32, 9}),
      matmul_case("qlinear_matmul_shared", u8, s8, {4, 5, 32}, {32, 9}, 21),
      matmul_case("qlinear_matmul_opset_10", u8, u8, {5, 32}, {32, 16}, 10),
      weights_case("qlinear_matmul_weights", u8, {7, 24},
                   [](File& f) {
                     return f.constant(s8, {24, 19}, 0.011f, 0);
                   }),
      weights_case("qlinear_matmul_weights_u8", u8, {2, 7, 24},
                   [](File& f) {
                     return f.constant(u8, {24, 19}, 0.011f, 113);
                   }),
      weights_case("qlinear_matmul_columns", u8, {7, 24},
                   [](File& f) {
                     return f.channels(s8, {24, 19}, 19);
                   }),
      weights_case("qlinear_matmul_columns_u8", s8, {3, 7, 24},
                   [](File& f) {
                     return f.channels(u8, {24, 19}, 19, 2);
                   }),
      weights_case(
          "qlinear_matmul_columns_opset_21", s8, {3, 7, 24},
          [](File& f) {
            return f.channels(s8, {24, 19}, 19);
          },
          21),
      weights_case("qlinear_matmul_scales_of_two_axes", u8, {7, 24},
                   [](File& f) {
                     Quantized w = f.channels(s8, {24, 6}, 6);
                     w.scale = f.b.constant(
                         "rows", Tensor::from<float>({1, 6}, std::vector<float>{.01f, .02f, .01f,
                                                                                .03f, .01f, .02f}));
                     w.zero_point = f.b.constant(
                         "zeros",
                         Tensor::from<std::int8_t>({1, 6}, std::vector<std::int8_t>(6, 0)));
                     return w;
                   }),
      weights_case("qlinear_matmul_one_zero_point", u8, {7, 24},
                   [](File& f) {
                     Quantized w = f.channels(s8, {24, 6}, 6);
                     w.zero_point = f.zero(s8, 3);
                     return w;
                   }),
  };
}

FoldCase gemm_case(const std::string& name, bool transposed, bool biased, bool real,
                   ElementType a = u8) {
  return file_case(name, [=](File& f) {
    const Quantized x = f.input(a, {5, 24}, 0.021f, a == u8 ? 117 : 3);
    const Quantized w = f.channels(s8, transposed ? Shape{13, 24} : Shape{24, 13}, 13);
    const Quantized y = f.grid(a, 0.31f, a == u8 ? 119 : -9);
    std::vector<ValueId> operands = {x.integers,
                                     x.scale,
                                     x.zero_point,
                                     w.integers,
                                     w.scale,
                                     w.zero_point,
                                     biased ? f.bias(13) : no_value};
    if (!real) operands.insert(operands.end(), {y.scale, y.zero_point});
    Quantized grid = y;
    if (real) grid.type = ElementType::f32;
    return f.outputs(
        {f.node("QGemm", operands, grid, {{"transB", std::int64_t{transposed}}}).integers});
  });
}

std::vector<FoldCase> gemms() {
  return {
      gemm_case("qgemm", false, true, false),
      gemm_case("qgemm_transposed", true, true, false),
      gemm_case("qgemm_no_bias", true, false, false),
      gemm_case("qgemm_to_float", true, true, true),
      gemm_case("qgemm_to_float_no_bias", false, false, true),
      gemm_case("qgemm_s8", true, true, false, s8),
  };
}

FoldCase binary_case(const std::string& name, const std::string& op, ElementType type,
                     const Shape& a, const Shape& c, bool constant) {
  return file_case(name, [=](File& f) {
    const int middle = type == u8 ? 117 : 3;
    const Quantized x = f.input(type, a, 0.021f, middle);
    const Quantized y =
        constant ? f.constant(type, c, 0.017f, middle - 20) : f.input(type, c, 0.017f, middle - 20);
    return f.outputs({f.linear(op, {x, y}, f.grid(type, 0.04f, middle + 5)).integers});
  });
}

FoldCase unary_case(const std::string& name, const std::string& op, ElementType type,
                    const Shape& shape, float scale, int zero_point,
                    const AttributeList& attributes = {}) {
  return file_case(name, [=](File& f) {
    const Quantized x = f.input(type, shape, 0.05f, type == u8 ? 101 : -3);
    return f.outputs({f.linear(op, {x}, f.grid(type, scale, zero_point), attributes).integers});
  });
}

std::vector<FoldCase> elementwise() {
  const AttributeList slope = {{"alpha", 0.1f}},
                      last = {{"axis", std::int64_t{-1}}, {"opset", std::int64_t{13}}};
  return {
      binary_case("qlinear_add", "QLinearAdd", u8, {1, 4, 5, 6}, {1, 4, 5, 6}, false),
      binary_case("qlinear_add_s8", "QLinearAdd", s8, {1, 4, 5, 6}, {1, 4, 5, 6}, false),
      binary_case("qlinear_add_broadcast", "QLinearAdd", u8, {2, 4, 5, 6}, {4, 1, 1}, false),
      binary_case("qlinear_add_constant", "QLinearAdd", u8, {2, 5, 6}, {6}, true),
      binary_case("qlinear_mul", "QLinearMul", u8, {1, 4, 5, 6}, {1, 4, 5, 6}, false),
      binary_case("qlinear_mul_s8", "QLinearMul", s8, {3, 7}, {3, 7}, false),
      binary_case("qlinear_mul_gate", "QLinearMul", u8, {1, 8, 5, 6}, {1, 8, 1, 1}, false),
      binary_case("qlinear_mul_constant", "QLinearMul", s8, {2, 5, 6}, {5, 6}, true),
      unary_case("qlinear_sigmoid", "QLinearSigmoid", u8, {3, 40}, 1.0f / 256, 0),
      unary_case("qlinear_sigmoid_s8", "QLinearSigmoid", s8, {3, 40}, 1.0f / 256, -128),
      unary_case("qlinear_leaky_relu", "QLinearLeakyRelu", u8, {3, 40}, 0.0413f, 30, slope),
      unary_case("qlinear_leaky_relu_s8", "QLinearLeakyRelu", s8, {3, 40}, 0.0413f, -100, slope),
      unary_case("qlinear_softmax", "QLinearSoftmax", u8, {3, 4, 10}, 1.0f / 256, 0, last),
      unary_case("qlinear_softmax_s8", "QLinearSoftmax", s8, {3, 4, 10}, 1.0f / 256, -128, last),
      unary_case("qlinear_softmax_flattened", "QLinearSoftmax", u8, {3, 10}, 1.0f / 256, 0,
                 {{"axis", std::int64_t{1}}, {"opset", std::int64_t{11}}}),
  };
}

std::vector<FoldCase> pools() {
  const AttributeList window = {
      {"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}};
  AttributeList window_last = window, counted = window;
  const std::pair<std::string, Attribute> last = {"channels_last", std::int64_t{1}};
  window_last.push_back(last);
  counted.emplace_back("count_include_pad", std::int64_t{1});
  const AttributeList image = {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}};
  return {
      unary_case("qlinear_average_pool", "QLinearAveragePool", u8, {1, 4, 9, 8}, 0.04f, 90, window),
      unary_case("qlinear_average_pool_s8", "QLinearAveragePool", s8, {1, 4, 9, 8}, 0.04f, 9,
                 counted),
      unary_case("qlinear_average_pool_channels_last", "QLinearAveragePool", u8, {1, 9, 8, 4},
                 0.04f, 90, window_last),
      unary_case("qlinear_global_average_pool", "QLinearGlobalAveragePool", u8, {2, 5, 7, 7}, 0.03f,
                 95),
      unary_case("qlinear_global_average_pool_s8", "QLinearGlobalAveragePool", s8, {2, 5, 7, 7},
                 0.03f, -5),
      unary_case("qlinear_global_average_pool_channels_last", "QLinearGlobalAveragePool", u8,
                 {2, 7, 7, 5}, 0.03f, 95, {last}),
      unary_case("qlinear_reduce_mean", "QLinearReduceMean", u8, {2, 5, 7, 7}, 0.03f, 95, image),
      unary_case("qlinear_reduce_mean_s8", "QLinearReduceMean", s8, {2, 5, 7, 7}, 0.03f, -5, image),
      file_case("nhwc_max_pool",
                [=](File& f) {
                  const Quantized x = f.input(u8, {1, 9, 8, 4}, 0.05f, 101);
                  return f.outputs({f.real(f.node("NhwcMaxPool", {x.integers}, x, window))});
                }),
      file_case(
          "nhwc_chain",
          [=](File& f) {
            const Quantized x = f.input(u8, {1, 9, 8, 4}, 0.05f, 101);
            const Quantized y =
                f.linear("QLinearConv", {x, f.channels(s8, {8, 4, 3, 3}, 8)}, f.grid(u8, 0.4f, 90),
                         {last, {"pads", Ints{1, 1, 1, 1}}}, f.bias(8));
            const Quantized p = f.node("NhwcMaxPool", {y.integers}, y, window);
            return f.outputs(
                {f.linear("QLinearGlobalAveragePool", {p}, f.grid(u8, 0.2f, 70), {last}).integers});
          }),
  };
}

FoldCase concat_case(const std::string& name, ElementType type, float other_scale) {
  return file_case(name, [=](File& f) {
    const int middle = type == u8 ? 117 : 3;
    const Quantized a = f.input(type, {2, 3, 4}, 0.02f, middle);
    const Quantized c = f.input(type, {2, 5, 4}, other_scale, middle);
    const Quantized y = f.grid(type, 0.02f, middle);
    return f.outputs({f.node("QLinearConcat",
                             {y.scale, y.zero_point, a.integers, a.scale, a.zero_point, c.integers,
                              c.scale, c.zero_point},
                             y, {{"axis", std::int64_t{1}}})
                          .integers});
  });
}

std::vector<FoldCase> joined() {
  return {
      concat_case("qlinear_concat", u8, 0.02f),
      concat_case("qlinear_concat_scales", u8, 0.03f),
      concat_case("qlinear_concat_s8", s8, 0.013f),
  };
}

/// Several operators in a row, as whole files have them.
std::vector<FoldCase> chains() {
  const AttributeList padded = {{"pads", Ints{1, 1, 1, 1}}};
  const auto conv = [=](File& f, const Quantized& x, std::int64_t from, std::int64_t to,
                        float scale) {
    return f.linear("QLinearConv",
                    {x, f.channels(s8, {to, from, 3, 3}, static_cast<std::size_t>(to))},
                    f.grid(u8, scale, 110), padded, f.bias(to));
  };
  return {
      file_case(
          "qlinear_residual",
          [=](File& f) {
            const Quantized x = f.input(u8, {1, 8, 6, 7}, 0.02f, 119);
            const Quantized a = conv(f, x, 8, 8, 0.4f), c = conv(f, a, 8, 8, 0.9f);
            return f.outputs({f.linear("QLinearAdd", {c, a}, f.grid(u8, 1.1f, 120)).integers});
          }),
      file_case(
          "qlinear_silu",
          [=](File& f) {
            const Quantized x = f.input(u8, {1, 8, 6, 7}, 0.02f, 119);
            const Quantized a = conv(f, x, 8, 8, 0.05f);
            const Quantized gate = f.linear("QLinearSigmoid", {a}, f.grid(u8, 1.0f / 256, 0));
            return f.outputs({f.linear("QLinearMul", {a, gate}, f.grid(u8, 0.04f, 20)).integers});
          }),
      file_case("qlinear_conv_leaky_relu",
                [=](File& f) {
                  const Quantized x = f.input(u8, {1, 8, 6, 7}, 0.02f, 119);
                  return f.outputs({f.linear("QLinearLeakyRelu", {conv(f, x, 8, 8, 0.4f)},
                                             f.grid(u8, 0.3f, 30), {{"alpha", 0.2f}})
                                        .integers});
                }),
      file_case("qlinear_two_readers_and_output",
                [=](File& f) {
                  const Quantized x = f.input(u8, {1, 4, 6, 7}, 0.02f, 119);
                  const Quantized a = conv(f, x, 4, 8, 0.4f);
                  const Quantized c = conv(f, a, 8, 4, 0.9f), d = conv(f, a, 8, 4, 0.7f);
                  return f.outputs({a.integers, f.real(c), d.integers});
                }),
      file_case("qlinear_from_quantize_to_dequantize",
                [=](File& f) {
                  f.tensors.push_back(random_floats({1, 4, 6, 7}, 3));
                  const ValueId x = f.b.input("image", ElementType::f32, {1, 4, 6, 7});
                  Quantized q = f.grid(u8, 0.01f, 120);
                  q.integers = f.b.node("QuantizeLinear", "q", {x, q.scale, q.zero_point});
                  return f.outputs({f.real(conv(f, q, 4, 8, 0.2f))});
                }),
      file_case(
          "qlinear_pool_flatten_gemm",
          [=](File& f) {
            const Quantized x = f.input(u8, {2, 4, 6, 7}, 0.02f, 119);
            Quantized p = f.linear("QLinearGlobalAveragePool", {conv(f, x, 4, 8, 0.4f)},
                                   f.grid(u8, 0.1f, 100));
            p.integers = f.b.node("Flatten", "flatten", {p.integers});
            const Quantized w = f.channels(s8, {8, 5}, 5);
            return f.outputs({f.linear("QLinearMatMul", {p, w}, f.grid(u8, 0.1f, 128)).integers});
          }),
      file_case("qlinear_max_pool_between",
                [=](File& f) {
                  const Quantized x = f.input(u8, {1, 4, 8, 8}, 0.02f, 119);
                  Quantized a = conv(f, x, 4, 8, 0.4f);
                  a.integers = f.b.node("MaxPool", "pool", {a.integers},
                                        {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
                  return f.outputs({conv(f, a, 8, 4, 0.9f).integers});
                }),
      file_case("qlinear_conv_transpose",
                [](File& f) {
                  const Quantized x = f.input(u8, {1, 6, 5, 4}, 0.02f, 119);
                  const Quantized w = f.constant(s8, {6, 5, 2, 2}, 0.01f, 0);
                  return f.outputs({f.linear("QLinearConvTranspose", {x, w}, f.grid(u8, 0.2f, 99),
                                             {{"strides", Ints{2, 2}}}, f.bias(5))
                                        .integers});
                }),
  };
}

}  // namespace

std::vector<FoldCase> qoperator_cases() {
  std::vector<FoldCase> all;
  for (const auto& list :
       {convolutions(), products(), gemms(), elementwise(), pools(), joined(), chains()})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace intact::testing

// Dynamic quantization as files spell it: DynamicQuantizeLinear, an integer product, and what makes
// reals of the sums.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

/// How one product is written.
struct Form {
  std::string name;
  bool conv = true;
  Shape input, weights;
  bool unsigned_weights = false;
  bool weight_zero_points = false;  ///< one per tensor (conv) or per column (matmul)
  bool scales_per_channel = false;
  bool combined_scale_first = true;  ///< Mul(Cast, Mul(scales)); else Mul(Mul(Cast, scale), scale)
  bool bias = true;
  std::string clamp = {};  ///< "", "Relu", "Clip"
  std::int64_t groups = 1, stride = 1, pad = 0;

  std::int64_t channels() const { return conv ? weights[0] : weights[1]; }
  /// Shape of a vector that meets the channels.
  Shape per_channel() const { return conv ? Shape{channels(), 1, 1} : Shape{channels()}; }
};

struct Quantized {
  ValueId bytes, scale, zero_point;
};
Quantized dynamic_quantize(ModelBuilder& b, const std::string& name, ValueId x) {
  const ValueId bytes = b.node("DynamicQuantizeLinear", name, {x}, {}, "", 3);
  return {bytes, bytes + 1, bytes + 2};
}

ValueId integers(ModelBuilder& b, const std::string& name, const Shape& shape, bool is_unsigned) {
  return is_unsigned ? b.constant(name, random_integers<std::uint8_t>(shape, 3))
                     : b.constant(name, random_integers<std::int8_t>(shape, 3));
}

ValueId sums_of(ModelBuilder& b, const Form& form, const Quantized& x, const std::string& at) {
  std::vector<ValueId> inputs = {
      x.bytes, integers(b, "w" + at, form.weights, form.unsigned_weights), x.zero_point};
  if (form.weight_zero_points) {
    const Shape shape = form.conv ? Shape{} : Shape{form.channels()};
    inputs.push_back(integers(b, "z" + at, shape, form.unsigned_weights));
  }
  if (!form.conv) return b.node("MatMulInteger", "product" + at, inputs);
  return b.node("ConvInteger", "product" + at, inputs,
                {{"group", form.groups},
                 {"strides", std::vector<std::int64_t>(2, form.stride)},
                 {"pads", std::vector<std::int64_t>(4, form.pad)}});
}

/// The whole chain on the reals `x`.
ValueId product(ModelBuilder& b, const Form& form, const Quantized& x, const std::string& at = "") {
  const ValueId cast =
      b.node("Cast", "cast" + at, {sums_of(b, form, x, at)}, {{"to", std::int64_t{1}}});
  const ValueId weight_scale =
      form.scales_per_channel
          ? b.constant("s" + at, random_floats(form.per_channel(), 8, 0.005f, 0.01f))
          : b.scalar("s" + at, 0.0071f);
  ValueId y = cast;
  if (form.combined_scale_first)
    y = b.node("Mul", "rescale" + at,
               {cast, b.node("Mul", "scales" + at, {x.scale, weight_scale})});
  else
    y = b.node("Mul", "rescale2" + at,
               {b.node("Mul", "rescale" + at, {cast, x.scale}), weight_scale});
  if (form.bias)
    y = b.node("Add", "bias" + at, {b.constant("b" + at, random_floats(form.per_channel(), 5)), y});
  if (form.clamp == "Relu") y = b.node("Relu", "clamp" + at, {y});
  if (form.clamp == "Clip")
    y = b.node("Clip", "clamp" + at, {y, b.scalar("low" + at, -0.5f), b.scalar("high" + at, 1.5f)});
  return y;
}

/// Images leave the kernels channels last: each float output of the model is reordered by a step
/// that counts as float.
FoldCase with_float_outputs(FoldCase fold, const Form& last, int outputs) {
  fold.float_nodes = last.conv ? outputs : 0;
  return fold;
}

FoldCase one(const Form& form) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = b.input("x", ElementType::f32, form.input);
    return {{product(b, form, dynamic_quantize(b, "q", x))},
            {random_floats(form.input, 6, -1.2f, 2.0f)}};
  };
  return with_float_outputs({form.name, build}, form, 1);
}

/// DynamicQuantizeLinear, DequantizeLinear and an operator of reals with quantized weights.
struct RealForm {
  std::string name, op;
  Shape input, weights;
  std::int64_t channels_at = 0;  ///< axis of the weights
  bool per_channel = true, bias = true;
  AttributeList attributes = {};
};

FoldCase of_reals(const RealForm& form, int float_nodes = 0) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const Quantized x = dynamic_quantize(b, "q", b.input("x", ElementType::f32, form.input));
    const ValueId reals = b.node("DequantizeLinear", "x.dq", {x.bytes, x.scale, x.zero_point});
    const Shape channels = {form.weights[static_cast<std::size_t>(form.channels_at)]};
    const Shape scales = form.per_channel ? channels : Shape{};
    const ValueId weights = b.node(
        "DequantizeLinear", "w.dq",
        {integers(b, "w", form.weights, false),
         b.constant("s", random_floats(scales, 8, 0.005f, 0.01f)), integers(b, "z", scales, false)},
        {{"axis", form.per_channel ? form.channels_at : 0}});
    std::vector<ValueId> operands = {reals, weights};
    if (form.bias) operands.push_back(b.constant("b", random_floats(channels, 5)));
    return {{b.node(form.op, "product", operands, form.attributes)},
            {random_floats(form.input, 6, -1.2f, 2.0f)}};
  };
  return {form.name, build, 17, float_nodes};
}

/// Two products behind one another: no float in between.
FoldCase two(const Form& first, const Form& second) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = b.input("x", ElementType::f32, first.input);
    const ValueId y = product(b, first, dynamic_quantize(b, "q1", x), "1");
    return {{product(b, second, dynamic_quantize(b, "q2", y), "2")},
            {random_floats(first.input, 6, -1.2f, 2.0f)}};
  };
  return with_float_outputs({first.name + "_then_" + second.name, build}, second, 1);
}

/// Two products that share their quantized operand.
FoldCase shared(const Form& form) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const ValueId x = b.input("x", ElementType::f32, form.input);
    const Quantized q = dynamic_quantize(b, "q", x);
    return {{product(b, form, q, "1"), product(b, form, q, "2")},
            {random_floats(form.input, 6, -1.2f, 2.0f)}};
  };
  return with_float_outputs({form.name + "_shared", build}, form, 2);
}

/// com.microsoft.DynamicQuantizeLSTM.
struct LstmForm {
  std::string name;
  const char* direction = "forward";
  std::int64_t steps = 3, batch = 2, input = 7, hidden = 10;
  bool unsigned_weights = false, per_channel = false, bias = true, state = false;

  std::int64_t directions() const { return std::string(direction) == "bidirectional" ? 2 : 1; }
};

FoldCase lstm(const LstmForm& form) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const std::int64_t directions = form.directions(), gates = 4 * form.hidden;
    const Shape x_shape = {form.steps, form.batch, form.input};
    const Shape state_shape = {directions, form.batch, form.hidden};
    const Shape entries = form.per_channel ? Shape{directions, gates} : Shape{directions};
    FoldModel model;
    std::vector<ValueId> inputs = {
        b.input("x", ElementType::f32, x_shape),
        integers(b, "w", {directions, form.input, gates}, form.unsigned_weights),
        integers(b, "r", {directions, form.hidden, gates}, form.unsigned_weights),
        form.bias ? b.constant("b", random_floats({directions, 2 * gates}, 4)) : no_value,
        no_value,
        no_value,
        no_value,
        no_value};
    model.inputs = {random_floats(x_shape, 6, -1.2f, 2.0f)};
    if (form.state)
      for (const auto& [name, at] : {std::pair{"h", 5u}, std::pair{"c", 6u}}) {
        inputs[at] = b.input(name, ElementType::f32, state_shape);
        model.inputs.push_back(random_floats(state_shape, at));
      }
    for (const char* matrix : {"w", "r"}) {
      const std::string name = matrix;
      inputs.push_back(b.constant(name + "_scale", random_floats(entries, 8, 0.002f, 0.004f)));
      inputs.push_back(integers(b, name + "_zero", entries, form.unsigned_weights));
    }
    const ValueId y =
        b.node("DynamicQuantizeLSTM", "lstm", inputs,
               {{"hidden_size", form.hidden}, {"direction", std::string(form.direction)}},
               "com.microsoft", 3);
    for (int i = 0; i < 3; ++i) b.graph().value(y + i).type = ElementType::f32;
    model.outputs = {y, y + 1, y + 2};
    return model;
  };
  return {form.name, build};
}

}  // namespace

std::vector<FoldCase> dynamic_cases() {
  const Form conv = {.name = "dynamic_conv", .input = {1, 6, 7, 9}, .weights = {11, 6, 3, 3}};
  const auto with = [](Form form, const std::string& name, const auto& change) {
    form.name = name;
    change(form);
    return form;
  };
  const Form pointwise = with(conv, "dynamic_pointwise", [](Form& f) {
    f.weights = {6, 6, 1, 1};
    f.clamp = "Relu";
  });
  const Form depthwise = with(conv, "dynamic_depthwise", [](Form& f) {
    f.weights = {6, 1, 3, 3};
    f.groups = 6;
    f.pad = 1;
    f.clamp = "Clip";
  });
  const Form matmul = {
      .name = "dynamic_matmul", .conv = false, .input = {2, 5, 24}, .weights = {24, 24}};
  return {
      one(conv),
      one(pointwise),
      one(depthwise),
      one(matmul),
      one(with(conv, "dynamic_conv_u8_weights",
               [](Form& f) { f.unsigned_weights = f.weight_zero_points = true; })),
      one(with(conv, "dynamic_conv_weight_zero_point",
               [](Form& f) { f.weight_zero_points = true; })),
      one(with(conv, "dynamic_conv_u8_weights_alone", [](Form& f) { f.unsigned_weights = true; })),
      one(with(conv, "dynamic_conv_scales_per_channel",
               [](Form& f) { f.scales_per_channel = true; })),
      one(with(conv, "dynamic_conv_without_bias", [](Form& f) { f.bias = false; })),
      one(with(conv, "dynamic_conv_two_scales", [](Form& f) { f.combined_scale_first = false; })),
      one(with(conv, "dynamic_conv_strides_and_padding", [](Form& f) { f.stride = f.pad = 2; })),
      one(with(conv, "dynamic_conv_groups",
               [](Form& f) {
                 f.weights = {12, 2, 3, 3};
                 f.groups = 3;
               })),
      one(with(depthwise, "dynamic_depthwise_u8_weights",
               [](Form& f) { f.unsigned_weights = f.weight_zero_points = true; })),
      one(with(depthwise, "dynamic_depthwise_stride_2_scales_per_channel",
               [](Form& f) {
                 f.stride = 2;
                 f.scales_per_channel = true;
               })),
      one(with(depthwise, "dynamic_depthwise_5x5",
               [](Form& f) {
                 f.weights = {6, 1, 5, 5};
                 f.pad = 2;
               })),
      one(with(matmul, "dynamic_matmul_u8_weights",
               [](Form& f) { f.unsigned_weights = f.weight_zero_points = true; })),
      one(with(matmul, "dynamic_matmul_zero_points_per_column",
               [](Form& f) { f.weight_zero_points = true; })),
      one(with(matmul, "dynamic_matmul_scales_per_column_relu",
               [](Form& f) {
                 f.scales_per_channel = true;
                 f.clamp = "Relu";
               })),
      one(with(matmul, "dynamic_matmul_without_bias", [](Form& f) { f.bias = false; })),
      two(pointwise, depthwise),
      two(depthwise, pointwise),
      two(depthwise, conv),
      two(matmul, with(matmul, "dynamic_matmul_u8", [](Form& f) { f.unsigned_weights = true; })),
      shared(conv),
      shared(matmul),
      of_reals({.name = "dynamic_reals_matmul",
                .op = "MatMul",
                .input = {2, 5, 24},
                .weights = {24, 40},
                .channels_at = 1,
                .bias = false}),
      of_reals({.name = "dynamic_reals_matmul_one_scale",
                .op = "MatMul",
                .input = {2, 5, 24},
                .weights = {24, 40},
                .channels_at = 1,
                .per_channel = false,
                .bias = false}),
      of_reals({.name = "dynamic_reals_gemm",
                .op = "Gemm",
                .input = {7, 24},
                .weights = {40, 24},
                .attributes = {{"transB", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}}}),
      of_reals(
          {.name = "dynamic_reals_conv",
           .op = "Conv",
           .input = {1, 6, 7, 9},
           .weights = {12, 2, 3, 3},
           .attributes = {{"group", std::int64_t{3}}, {"pads", std::vector<std::int64_t>(4, 1)}}},
          1),
      of_reals({.name = "dynamic_reals_conv_1d",
                .op = "Conv",
                .input = {2, 6, 19},
                .weights = {8, 6, 3},
                .per_channel = false,
                .bias = false},
               1),
      lstm({.name = "dynamic_lstm"}),
      lstm({.name = "dynamic_lstm_one_unit", .steps = 1, .batch = 1, .input = 1, .hidden = 1}),
      lstm({.name = "dynamic_lstm_u8_weights", .unsigned_weights = true, .bias = false}),
      lstm({.name = "dynamic_lstm_grids_per_column", .hidden = 17, .per_channel = true}),
      lstm({.name = "dynamic_lstm_reverse_with_states", .direction = "reverse", .state = true}),
      lstm({.name = "dynamic_lstm_both_directions",
            .direction = "bidirectional",
            .steps = 5,
            .hidden = 18,
            .unsigned_weights = true,
            .per_channel = true,
            .state = true}),
  };
}

}  // namespace intact::testing

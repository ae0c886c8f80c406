// What follows operators with float arithmetic in registers: normalizations, interpolation, pools,
// reductions, sums and products of bytes. Several Rounds, clamps, functions and residuals behind
// them run where their results are, and no float tensor is stored.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;
using U = std::uint8_t;

template <class T>
constexpr T odd = static_cast<T>(std::is_signed_v<T> ? -9 : 117);

const Shape image = {2, 8, 6, 10};

/// A tensor on a grid that an integer operator has written.
template <class T>
ValueId written(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", element_type_of<T>(), image), 0.0213f, odd<T>);
  const ValueId w = grid_weights(b, "w", {8, 8, 1, 1});
  return b.round("c", b.node("Conv", "conv", {x, w}), 0.061f, odd<T>);
}

/// The operator in front, on bytes: its float result.
using Front = std::function<ValueId(ModelBuilder&, ValueId)>;
struct Named {
  std::string name;
  Front front;
  int opset = 17;
  bool last = false;  ///< the channels of its result lie last: the caller's copy is a float step
};

/// A 3x3 convolution without a Round.
ValueId convolved(ModelBuilder& b, ValueId x, std::int64_t channels = 8) {
  return b.node("Conv", "front.conv", {x, grid_weights(b, "front.w", {channels, 8, 3, 3})},
                {{"pads", Integers{1, 1, 1, 1}}});
}
ValueId doubled(ModelBuilder& b, ValueId x) {
  return b.node("Resize", "front", {x, no_value, b.vector<float>("twice", {1, 1, 2, 2})},
                {{"mode", std::string("linear")}});
}
/// torch.nn.functional.normalize along `axis`.
ValueId normalized(ModelBuilder& b, ValueId x, std::int64_t axis) {
  const ValueId norm = b.node("ReduceL2", "front.norm", {x}, {{"axes", Integers{axis}}});
  const ValueId bounded = b.node("Clip", "front.clip", {norm, b.scalar("least", 1e-12f)});
  return b.node("Div", "front", {x, bounded});
}

Tensor vector_of(std::int64_t count, unsigned seed) {
  return random_floats({count}, seed, 0.5f, 1.5f);
}

std::vector<Named> fronts() {
  return {
      {"layer_norm",
       [](auto& b, ValueId x) {
         return b.node("LayerNormalization", "front",
                       {x, b.constant("g", vector_of(10, 1)), b.constant("h", vector_of(10, 2))});
       }},
      {"layer_norm_whole",
       [](auto& b, ValueId x) {
         return b.node("LayerNormalization", "front",
                       {x, b.constant("g", random_floats({8, 6, 10}, 1, 0.5f, 1.5f))},
                       {{"axis", std::int64_t{1}}});
       }},
      {"softmax_channels",
       [](auto& b, ValueId x) {
         return b.node("Softmax", "front", {x}, {{"axis", std::int64_t{1}}});
       },
       17, true},
      {"instance_norm",
       [](auto& b, ValueId x) {
         return b.node("InstanceNormalization", "front",
                       {x, b.constant("g", vector_of(8, 1)), b.constant("h", vector_of(8, 2))});
       }},
      {"group_norm",
       [](auto& b, ValueId x) {
         return b.node("GroupNormalization", "front",
                       {x, b.constant("g", vector_of(8, 1)), b.constant("h", vector_of(8, 2))},
                       {{"num_groups", std::int64_t{4}}});
       },
       21},
      {"average_pool",
       [](auto& b, ValueId x) {
         return b.node("AveragePool", "front", {x},
                       {{"kernel_shape", Integers{3, 3}}, {"pads", Integers{1, 1, 1, 1}}});
       },
       17, true},
      {"average_pool_strided",
       [](auto& b, ValueId x) {
         return b.node("AveragePool", "front", {x},
                       {{"kernel_shape", Integers{3, 2}},
                        {"strides", Integers{2, 2}},
                        {"pads", Integers{1, 0, 0, 0}},
                        {"count_include_pad", std::int64_t{1}}});
       },
       17, true},
      {"global_average_pool",
       [](auto& b, ValueId x) { return b.node("GlobalAveragePool", "front", {x}); }},
      {"reduce_mean_last",
       [](auto& b, ValueId x) {
         return b.node("ReduceMean", "front", {x},
                       {{"axes", Integers{3}}, {"keepdims", std::int64_t{0}}});
       },
       17, true},
      {"reduce_sum_channels",
       [](auto& b, ValueId x) {
         return b.node("ReduceSum", "front", {x, b.template vector<std::int64_t>("axes", {1})});
       }},
      {"resize_linear",
       [](auto& b, ValueId x) {
         return b.node("Resize", "front",
                       {x, no_value, b.template vector<float>("scales", {1, 1, 2, 1.5f})},
                       {{"mode", std::string("linear")}});
       },
       17, true},
      {"conv_average_pool",
       [](auto& b, ValueId x) {
         return b.node("AveragePool", "front", {convolved(b, x)},
                       {{"kernel_shape", Integers{3, 3}}, {"pads", Integers{1, 1, 1, 1}}});
       },
       17, true},
      {"conv_average_pool_strided",
       [](auto& b, ValueId x) {
         return b.node("AveragePool", "front", {b.node("Relu", "front.relu", {convolved(b, x)})},
                       {{"kernel_shape", Integers{3, 2}},
                        {"strides", Integers{2, 2}},
                        {"pads", Integers{1, 0, 0, 0}},
                        {"ceil_mode", std::int64_t{1}},
                        {"count_include_pad", std::int64_t{1}}});
       },
       17, true},
      {"conv_resize", [](auto& b, ValueId x) { return doubled(b, convolved(b, x)); }, 17, true},
      {"conv_softmax",
       [](auto& b, ValueId x) {
         return b.node("Softmax", "front", {convolved(b, x)}, {{"axis", std::int64_t{1}}});
       },
       17, true},
      {"conv_normalize", [](auto& b, ValueId x) { return normalized(b, convolved(b, x), 1); }, 17,
       true},
      {"pointwise_normalize",
       [](auto& b, ValueId x) {
         const ValueId w = grid_weights(b, "front.w", {8, 8, 1, 1});
         return normalized(b, b.node("Conv", "front.conv", {x, w}), 1);
       },
       17, true},
      {"batch_norm",
       [](auto& b, ValueId x) {
         return b.node("BatchNormalization", "front",
                       {b.node("MaxPool", "pool", {x}, {{"kernel_shape", Integers{1, 1}}}),
                        b.constant("g", vector_of(8, 1)), b.constant("h", vector_of(8, 2)),
                        b.constant("m", vector_of(8, 3)), b.constant("v", vector_of(8, 4))});
       },
       17, true},
      {"product",
       [](auto& b, ValueId x) {
         return b.node("Mul", "front",
                       {x, b.round("t", b.node("Tanh", "tanh", {x}), 0.0091f, std::uint8_t{128})});
       },
       17, true},
      {"product_per_channel",
       [](auto& b, ValueId x) {
         const ValueId mean = b.node("GlobalAveragePool", "squeeze", {x});
         const ValueId gate =
             b.node("Sigmoid", "gate", {b.round("m", mean, 0.031f, std::uint8_t{117})});
         return b.node("Mul", "front", {x, b.round("t", gate, 0.0041f, std::uint8_t{0})});
       },
       17, true},
      {"quotient",
       [](auto& b, ValueId x) {
         const ValueId e = b.node("Exp", "exp", {b.node("Tanh", "tanh", {x})});
         return b.node("Div", "front", {x, b.round("t", e, 0.0109f, std::uint8_t{0})});
       },
       17, true},
  };
}

/// Two Rounds of one result, of different scales.
ValueId two_rounds(ModelBuilder& b, ValueId y, std::vector<ValueId>& outputs) {
  outputs.push_back(b.round("p", y, 0.0231f, std::uint8_t{101}));
  return b.round("q", y, 0.0419f, std::int8_t{7});
}
ValueId clamped(ModelBuilder& b, ValueId y, std::vector<ValueId>&) {
  const ValueId relu = b.node("Relu", "relu", {y});
  const ValueId clip = b.node("Clip", "clip", {relu, no_value, b.scalar("most", 0.9f)});
  return b.round("q", clip, 0.0091f, std::uint8_t{0});
}
ValueId silu(ModelBuilder& b, ValueId y, std::vector<ValueId>&) {
  const ValueId gate = b.node("Sigmoid", "sigmoid", {y});
  return b.round("q", b.node("Mul", "silu", {y, gate}), 0.0117f, std::uint8_t{31});
}
/// Rounds before and behind a function: bytes twice.
ValueId round_and_function(ModelBuilder& b, ValueId y, std::vector<ValueId>& outputs) {
  outputs.push_back(b.round("p", y, 0.0231f, std::uint8_t{101}));
  return b.round("q", b.node("LeakyRelu", "leaky", {y}), 0.0119f, std::uint8_t{53});
}
/// Read as float by the caller as well.
ValueId output_and_round(ModelBuilder& b, ValueId y, std::vector<ValueId>& outputs) {
  outputs.push_back(y);
  return b.round("q", y, 0.0231f, std::uint8_t{101});
}

struct Behind {
  const char* name;
  ValueId (*build)(ModelBuilder&, ValueId, std::vector<ValueId>&);
};
constexpr Behind behinds[] = {{"two_rounds", two_rounds},
                              {"relu_clip_round", clamped},
                              {"silu_round", silu},
                              {"round_and_function", round_and_function},
                              {"output_and_round", output_and_round}};

template <class T>
void add_cases(std::vector<FoldCase>& cases, const std::string& type) {
  for (const Named& named : fronts())
    for (const Behind& behind : behinds) {
      const auto build = [front = named.front, &behind](ModelBuilder& b) {
        std::vector<ValueId> outputs;
        const ValueId y = front(b, written<T>(b));
        outputs.push_back(behind.build(b, y, outputs));
        return FoldModel{outputs, {random_integers<T>(image, 3)}};
      };
      const bool copied = named.last && behind.build == output_and_round;
      cases.push_back(
          {"behind_" + named.name + "_" + behind.name + type, build, named.opset, copied ? 1 : 0});
    }
}

/// A residual behind a normalization that wants another order of elements than convolutions.
template <class T>
FoldModel norm_and_residual(ModelBuilder& b) {
  const ValueId x = written<T>(b);
  const ValueId norm =
      b.node("InstanceNormalization", "norm",
             {x, b.constant("g", vector_of(8, 1)), b.constant("h", vector_of(8, 2))});
  const ValueId sum = b.node("Add", "add", {norm, x});
  const ValueId relu = b.node("Relu", "relu", {sum});
  return {{b.round("p", sum, 0.0231f, std::uint8_t{101}), b.round("q", relu, 0.0119f, odd<T>)},
          {random_integers<T>(image, 3)}};
}

/// Images and matrices of several blocks.
FoldModel large_image(ModelBuilder& b, const Front& front) {
  const Shape shape = {1, 8, 40, 44};
  const ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, odd<U>);
  return {{b.round("y", front(b, convolved(b, x, 32)), 0.0731f, odd<U>)},
          {random_integers<U>(shape, 3)}};
}
FoldModel large_matrix(ModelBuilder& b) {
  const Shape shape = {1, 200, 64};
  const ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, odd<U>);
  const ValueId product = b.node("MatMul", "product", {x, grid_weights(b, "w", {64, 512})});
  const ValueId norm =
      b.node("LayerNormalization", "norm",
             {product, b.constant("g", vector_of(512, 1)), b.constant("h", vector_of(512, 2))});
  return {{b.round("y", norm, 0.0231f, odd<U>), norm}, {random_integers<U>(shape, 3)}};
}
ValueId halved(ModelBuilder& b, ValueId x) {
  return b.node("AveragePool", "front", {x},
                {{"kernel_shape", Integers{3, 3}}, {"strides", Integers{2, 2}}});
}
/// With a tensor on a grid, line by line.
ValueId doubled_and_added(ModelBuilder& b, ValueId x) {
  const ValueId large = doubled(b, x);
  const ValueId gate = b.node("Sigmoid", "gate", {large});
  const ValueId other =
      b.round("o", b.node("Neg", "neg", {b.round("p", large, 0.0613f, odd<U>)}), 0.0619f, odd<U>);
  return b.node("Add", "sum", {b.node("Mul", "silu", {large, gate}), other});
}

}  // namespace

std::vector<FoldCase> behind_cases() {
  std::vector<FoldCase> cases;
  add_cases<std::uint8_t>(cases, "_u8");
  add_cases<std::int8_t>(cases, "_s8");
  const auto large = [](const Front& front) {
    return [=](ModelBuilder& b) { return large_image(b, front); };
  };
  cases.push_back({"behind_large_conv_average_pool", large(halved)});
  cases.push_back({"behind_large_conv_resize", large(doubled)});
  cases.push_back({"behind_large_conv_resize_sum", large(doubled_and_added)});
  cases.push_back({"behind_large_conv_normalize",
                   large([](ModelBuilder& b, ValueId x) { return normalized(b, x, 1); })});
  cases.push_back({"behind_large_product_layer_norm", large_matrix});
  cases.push_back({"behind_norm_residual_u8", norm_and_residual<std::uint8_t>});
  cases.push_back({"behind_norm_residual_s8", norm_and_residual<std::int8_t>});
  return cases;
}

}  // namespace intact::testing

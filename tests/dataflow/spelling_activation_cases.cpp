// Spellings of activations: what files put between QuantizeLinear and DequantizeLinear, pairs that
// repeat, share or contradict each other, and integers as graph inputs and outputs.
#include "spelling.hpp"

namespace intact::testing {
namespace {

constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8, u16 = ElementType::u16,
                      s16 = ElementType::s16, s32 = ElementType::s32, f32 = ElementType::f32;

Spelled grid(ElementType type, float scale, int zero_point) {
  return {type, {scale}, {zero_point}};
}

using Between = std::function<ValueId(ModelBuilder&, ValueId)>;

/// Q -> between -> DQ, in front of a convolution and behind one.
std::vector<FoldCase> inside_pair(const std::string& name, int opset, const Spelled& q,
                                  const Between& between) {
  const Spelled& dq = q;
  return {before_conv(name + "_before", opset,
                      [=](ModelBuilder& b, ValueId x) {
                        return dequantize(b, "x.dq", between(b, quantize(b, "x.q", x, q)), dq);
                      }),
          behind_conv(name + "_behind", opset, [=](ModelBuilder& b, ValueId y) {
            return std::vector{dequantize(b, "y.dq", between(b, quantize(b, "y.q", y, q)), dq)};
          })};
}

void append(std::vector<FoldCase>& cases, std::vector<FoldCase> more) {
  for (FoldCase& fold : more) cases.push_back(std::move(fold));
}

// --- chains and copies of pairs

/// A convolution between two sequences of pairs.
FoldCase chain(const std::string& name, const std::vector<Spelled>& grids) {
  const Between pairs = [=](ModelBuilder& b, ValueId x) {
    for (std::size_t i = 0; i < grids.size(); ++i)
      x = pair(b, "p" + std::to_string(i) + b.graph().value(x).name, x, grids[i]);
    return x;
  };
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = pairs(b, b.input("image", f32, {1, 4, 6, 5}));
            const ValueId w = stored({s8, {0.01f}, {0}})(b, {6, 4, 3, 3});
            return {{pairs(b, b.node("Conv", "conv", {x, w}))},
                    {random_floats({1, 4, 6, 5}, 3, -2.4f, 2.4f)}};
          }};
}

std::vector<FoldCase> chains() {
  const Spelled a = grid(u8, 0.019f, 126), b = grid(u8, 0.031f, 101), s = grid(s8, 0.0213f, -5);
  return {chain("chain_same_grid", {a, a}),
          chain("chain_same_grid_three_times", {s, s, s}),
          chain("chain_two_grids", {a, b}),
          chain("chain_there_and_back", {a, b, a}),
          chain("chain_to_signed", {a, s}),
          chain("chain_to_unsigned", {s, b}),
          chain("chain_finer", {b, grid(u8, 0.004f, 128)})};
}

/// x -> one pair per consumer -> Conv each -> Add.
FoldCase dedicated(const std::string& name, const Spelled& first, const Spelled& second,
                   bool behind_relu) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            ValueId x = b.input("image", f32, {1, 4, 6, 5});
            if (behind_relu) {
              const ValueId w = b.constant("v", random_floats({4, 4, 1, 1}, 8));
              x = b.node(
                  "Relu", "relu",
                  {b.node("Conv", "stem",
                          {pair(b, "x", x, image_grid()), pair(b, "v", w, grid(s8, 0.008f, 0))})});
            }
            const ValueId w = stored({s8, {0.01f}, {0}})(b, {4, 4, 1, 1});
            const ValueId y = b.node("Conv", "left", {pair(b, "l", x, first), w});
            const ValueId z = b.node("Conv", "right", {pair(b, "r", x, second), w});
            const ValueId sum = b.node(
                "Add", "add",
                {pair(b, "y", y, grid(u8, 0.05f, 127)), pair(b, "z", z, grid(u8, 0.06f, 120))});
            return {{pair(b, "sum", sum, grid(u8, 0.1f, 128))},
                    {random_floats({1, 4, 6, 5}, 3, -2.4f, 2.4f)}};
          }};
}

/// One Q with a DQ per consumer.
FoldCase shared_quantize() {
  return behind_conv("shared_quantize", 13, [](ModelBuilder& b, ValueId y) {
    const Spelled g = grid(u8, 0.11f, 121);
    const ValueId q = quantize(b, "y.q", y, g);
    const ValueId left = b.node("Sigmoid", "sigmoid", {dequantize(b, "l.dq", q, g)});
    const ValueId right = dequantize(b, "r.dq", q, g);
    const ValueId product =
        b.node("Mul", "mul", {pair(b, "s", left, grid(u8, 1.0f / 255, 0)), right});
    return std::vector{pair(b, "m", product, grid(u8, 0.09f, 30))};
  });
}

std::vector<FoldCase> copies() {
  const Spelled a = grid(u8, 0.019f, 126), b = grid(u8, 0.027f, 90);
  return {dedicated("dedicated_pairs_of_input", a, a, false),
          dedicated("dedicated_pairs_of_input_two_grids", a, b, false),
          dedicated("dedicated_pairs", a, a, true), shared_quantize()};
}

// --- inside of a pair

Between clip(std::optional<int> low, std::optional<int> high, ElementType type) {
  return [=](ModelBuilder& b, ValueId q) {
    const std::string name = b.graph().value(q).name;
    const auto bound = [&](const char* which, std::optional<int> value) {
      return value ? b.constant(name + which, zero_points(type, {*value})) : no_value;
    };
    return b.node("Clip", name + ".clip", {q, bound(".low", low), bound(".high", high)});
  };
}

std::vector<FoldCase> narrow_ranges() {
  std::vector<FoldCase> cases;
  const Spelled narrow = grid(s8, 0.021f, 0);
  append(cases, inside_pair("clip_narrow_range", 13, narrow, clip(-127, 127, s8)));
  append(cases, inside_pair("clip_reduced_range", 13, grid(s8, 0.05f, 0), clip(-64, 63, s8)));
  append(cases, inside_pair("clip_reduced_range_u8", 13, grid(u8, 0.04f, 61), clip(0, 127, u8)));
  append(cases, inside_pair("clip_four_bits", 13, grid(s8, 0.3f, 1), clip(-8, 7, s8)));
  append(cases,
         inside_pair("clip_low_only", 13, grid(u8, 0.021f, 100), clip(100, std::nullopt, u8)));
  append(cases,
         inside_pair("clip_high_only", 13, grid(u8, 0.021f, 100), clip(std::nullopt, 200, u8)));
  append(cases, inside_pair("clip_nothing", 13, grid(s8, 0.021f, 3), clip(-128, 127, s8)));
  append(cases, inside_pair("relu_on_bytes", 14, narrow, [](ModelBuilder& b, ValueId q) {
           return b.node("Relu", b.graph().value(q).name + ".relu", {q});
         }));
  append(cases,
         inside_pair("max_of_bytes", 13, grid(u8, 0.021f, 120), [](ModelBuilder& b, ValueId q) {
           const std::string name = b.graph().value(q).name;
           return b.node("Max", name + ".max", {q, b.scalar(name + ".bound", std::uint8_t{120})});
         }));
  return cases;
}

Between through(const std::string& op, const AttributeList& attributes = {},
                const std::vector<std::int64_t>& operand = {}) {
  return [=](ModelBuilder& b, ValueId q) {
    const std::string name = b.graph().value(q).name + "." + op;
    std::vector<ValueId> inputs = {q};
    if (!operand.empty()) inputs.push_back(b.vector(name + ".o", operand));
    return b.node(op, name, inputs, attributes);
  };
}

Between then(const Between& first, const Between& second) {
  return [=](ModelBuilder& b, ValueId q) { return second(b, first(b, q)); };
}

std::vector<FoldCase> moves() {
  std::vector<FoldCase> cases;
  const Spelled u = grid(u8, 0.019f, 126), s = grid(s8, 0.021f, -4);
  const std::vector<std::int64_t> there = {0, 2, 3, 1}, back = {0, 3, 1, 2};
  const Between transpose =
      then(through("Transpose", {{"perm", there}}), through("Transpose", {{"perm", back}}));
  const Between lift = then(through("Unsqueeze", {}, {0}), through("Squeeze", {}, {0}));
  append(cases, inside_pair("identity_inside", 13, u, through("Identity")));
  append(cases, inside_pair("transpose_inside", 13, s, transpose));
  append(cases, inside_pair("squeeze_inside", 13, u, lift));
  append(cases, inside_pair("max_pool_inside", 13, s,
                            through("MaxPool", {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
                                                {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})));
  append(cases,
         inside_pair("relu_then_identity", 14, s, then(through("Relu"), through("Identity"))));
  const auto behind = [&](const std::string& name, const Between& between, const Spelled& g) {
    cases.push_back(behind_conv(name, 13, [=](ModelBuilder& b, ValueId y) {
      return std::vector{dequantize(b, "y.dq", between(b, quantize(b, "y.q", y, g)), g)};
    }));
  };
  behind("reshape_inside", through("Reshape", {}, {0, -1}), u);
  behind("flatten_inside", through("Flatten"), s);
  behind("transpose_once_inside", through("Transpose", {{"perm", there}}), u);
  behind(
      "slice_inside",
      [](ModelBuilder& b, ValueId q) {
        const auto at = [&](const char* name, std::int64_t i) {
          return b.vector<std::int64_t>(name, {i});
        };
        return b.node("Slice", "slice", {q, at("from", 1), at("to", 3), at("axis", 1)});
      },
      s);
  behind(
      "pad_inside",
      [](ModelBuilder& b, ValueId q) {
        return b.node("Pad", "pad",
                      {q, b.vector<std::int64_t>("pads", {0, 0, 1, 1, 0, 0, 1, 1}),
                       b.scalar("value", std::uint8_t{126})});
      },
      u);
  return cases;
}

// --- a DequantizeLinear that reads the bytes otherwise

/// Q and DQ of different parameters, before and behind a convolution.
std::vector<FoldCase> reinterpreted(const std::string& name, const Spelled& q, const Spelled& dq) {
  return {before_conv(name + "_before", 13,
                      [=](ModelBuilder& b, ValueId x) {
                        return dequantize(b, "x.dq", quantize(b, "x.q", x, q), dq);
                      }),
          behind_conv(name + "_behind", 13, [=](ModelBuilder& b, ValueId y) {
            const ValueId z = dequantize(b, "y.dq", quantize(b, "y.q", y, q), dq);
            const ValueId w = dequantize(b, "v.dq", b.constant("v", integers(s8, {2, 6, 1, 1}, 6)),
                                         {s8, {0.02f}, {0}});
            return std::vector{pair(b, "z", b.node("Conv", "next", {z, w}), grid(u8, 0.3f, 128))};
          })};
}

std::vector<FoldCase> reinterpretations() {
  std::vector<FoldCase> cases;
  append(cases, reinterpreted("other_scale", grid(u8, 0.019f, 126), grid(u8, 0.024f, 126)));
  append(cases, reinterpreted("other_zero_point", grid(u8, 0.019f, 126), grid(u8, 0.019f, 120)));
  append(cases, reinterpreted("other_grid", grid(u8, 0.019f, 126), grid(u8, 0.024f, 0)));
  append(cases, reinterpreted("other_signed_grid", grid(s8, 0.019f, -2), grid(s8, 0.024f, 5)));
  cases.push_back(behind_conv("bytes_read_in_two_ways", 13, [](ModelBuilder& b, ValueId y) {
    const ValueId q = quantize(b, "y.q", y, grid(s8, 0.11f, 3));
    return std::vector{dequantize(b, "a.dq", q, grid(s8, 0.11f, 3)),
                       dequantize(b, "b.dq", q, grid(s8, 0.2f, 0))};
  }));
  return cases;
}

// --- integers at the borders of the graph

/// Integer input -> DQ -> Conv -> Q -> integer output.
FoldCase bytes_through(const std::string& name, const Spelled& in, const Spelled& out) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = dequantize(b, "x.dq", b.input("x", in.type, {1, 4, 6, 5}), in);
            const ValueId w = stored({s8, {0.01f}, {0}})(b, {6, 4, 3, 3});
            const ValueId y = quantize(b, "y.q", b.node("Conv", "conv", {x, w}), out);
            b.graph().value(y).type = out.type;
            return {{y}, {integers(in.type, {1, 4, 6, 5}, 3)}};
          }};
}

std::vector<ValueId> bytes_and_reals(ModelBuilder& b, ValueId y) {
  const ValueId q = quantize(b, "y.q", y, grid(s8, 0.11f, 3));
  b.graph().value(q).type = s8;
  return {q, dequantize(b, "y.dq", q, grid(s8, 0.11f, 3))};
}

/// Sums of integers as they are: a graph output of type int32.
FoldCase integer_sums() {
  return {"output_of_integer_sums", [](ModelBuilder& b) -> FoldModel {
            const ValueId x = quantize(b, "x.q", b.input("x", f32, {3, 8}), grid(u8, 0.02f, 99));
            const ValueId y = b.node(
                "MatMulInteger", "product",
                {x, b.constant("w", integers(s8, {8, 5}, 2)), b.scalar("z", std::uint8_t{99})});
            b.graph().value(y).type = s32;
            return {{y}, {random_floats({3, 8}, 3, -2, 2)}};
          }};
}

std::vector<FoldCase> borders() {
  std::vector<FoldCase> cases = {
      bytes_through("input_u8_output_u8", grid(u8, 0.02f, 120), grid(u8, 0.11f, 121)),
      bytes_through("input_s8_output_s8", grid(s8, 0.02f, -7), grid(s8, 0.11f, -3)),
      bytes_through("input_u8_output_s8", grid(u8, 0.02f, 0), grid(s8, 0.11f, 127)),
      bytes_through("input_s8_output_u8", grid(s8, 0.02f, -128), grid(u8, 0.11f, 255)),
      behind_conv("output_bytes_and_reals", 13, bytes_and_reals),
      integer_sums(),
  };
  cases.push_back(behind_conv("input_read_twice", 13, [](ModelBuilder& b, ValueId y) {
    const ValueId q = b.input("second", u8, {1, 6, 4, 3});
    const ValueId r = dequantize(b, "r.dq", q, grid(u8, 0.05f, 128));
    const ValueId sum = b.node("Add", "add", {pair(b, "y", y, grid(u8, 0.11f, 121)), r});
    return std::vector{pair(b, "sum", sum, grid(u8, 0.15f, 127)),
                       dequantize(b, "s.dq", q, grid(u8, 0.07f, 0))};
  }));
  const auto two_inputs = cases.back().build;
  cases.back().build = [=](ModelBuilder& b) {
    FoldModel model = two_inputs(b);
    model.inputs.push_back(integers(u8, {1, 6, 4, 3}, 8));
    return model;
  };
  return cases;
}

// --- grids of 16 bits, and without an integer kernel

std::vector<FoldCase> other_grids() {
  const auto on = [](const std::string& name, const Spelled& g) {
    return before_conv(name, 21, [=](ModelBuilder& b, ValueId x) { return pair(b, "x", x, g); });
  };
  Spelled channels{u8, spread_scales(4, 0.02f), {120, 121, 122, 123}, {{"axis", std::int64_t{1}}}};
  return {
      on("activation_u16", grid(u16, 0.0001f, 32000)), on("activation_s16", grid(s16, 0.0001f, 0)),
      in_float(on("activation_per_channel", channels), "quantize it to 8 bits with one scale", 3)};
}

// --- rounding to a grid as other tools write it

using Spell = std::function<ValueId(ModelBuilder&, const std::string&, ValueId)>;

/// x -> spelled -> Conv with spelled weights -> spelled.
FoldCase spelled_by(const std::string& name, const Spell& input, const Spell& weights,
                    const Spell& output) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = input(b, "in", b.input("image", f32, {1, 4, 6, 5}));
            const ValueId w =
                weights(b, "weights", b.constant("w", random_floats({6, 4, 3, 3}, 4, -0.5f, 0.5f)));
            return {{output(b, "out", b.node("Conv", "conv", {x, w}))},
                    {random_floats({1, 4, 6, 5}, 3, -2.4f, 2.4f)}};
          }};
}

/// One scale, or one per output channel.
Spell brevitas(float bits, bool is_signed, bool narrow, const std::vector<float>& scale) {
  return [=](ModelBuilder& b, const std::string& name, ValueId x) {
    const ValueId scales =
        scale.size() == 1
            ? b.scalar(name + ".scale", scale[0])
            : b.constant(
                  name + ".scale",
                  Tensor::from<float>({static_cast<std::int64_t>(scale.size()), 1, 1, 1}, scale));
    return b.node("Quant", name,
                  {x, scales, b.scalar(name + ".zero", 0.0f), b.scalar(name + ".bits", bits)},
                  {{"signed", std::int64_t{is_signed}},
                   {"narrow", std::int64_t{narrow}},
                   {"rounding_mode", std::string("ROUND")}},
                  "onnx.brevitas");
  };
}

Spell open_vino(std::int64_t levels, float low, float high) {
  return [=](ModelBuilder& b, const std::string& name, ValueId x) {
    const ValueId from = b.scalar(name + ".low", low), to = b.scalar(name + ".high", high);
    return b.node("FakeQuantize", name, {x, from, to, from, to}, {{"levels", levels}},
                  "org.openvinotoolkit");
  };
}

template <class T>
Spell quark(float scale, T zero_point) {
  return [=](ModelBuilder& b, const std::string& name, ValueId x) {
    const ValueId s = b.scalar(name + ".scale", scale), z = b.scalar(name + ".zero", zero_point);
    const char* domain = "com.amd.quark";
    const ValueId q = b.node("ExtendedQuantizeLinear", name + ".q", {x, s, z}, {}, domain);
    return b.node("ExtendedDequantizeLinear", name + ".dq", {q, s, z}, {}, domain);
  };
}

std::vector<FoldCase> other_tools() {
  const Spell bytes = brevitas(8, false, false, {0.02f});
  return {spelled_by("brevitas_8_bits", bytes, brevitas(8, true, true, {0.004f}), bytes),
          spelled_by("brevitas_4_bit_weights", brevitas(8, true, false, {0.02f}),
                     brevitas(4, true, true, spread_scales(6, 0.07f)),
                     brevitas(8, true, false, {0.05f})),
          // The clamp of the image to 4 bits has no operator on integers in front of it.
          in_float(spelled_by("brevitas_4_bits", brevitas(4, false, false, {0.2f}),
                              brevitas(4, true, true, {0.07f}), brevitas(6, true, true, {0.1f})),
                   "input 'image' has no grid"),
          spelled_by("open_vino_fake_quantize", open_vino(256, -2.56f, 2.54f),
                     open_vino(255, -0.5f, 0.5f), open_vino(256, 0, 5.1f)),
          spelled_by("quark_s8", quark(0.02f, std::int8_t{3}), quark(0.004f, std::int8_t{0}),
                     quark(0.04f, std::int8_t{-7})),
          spelled_by("quark_u16", quark(0.0001f, std::uint16_t{32000}),
                     quark(0.004f, std::int8_t{0}), quark(0.0002f, std::uint16_t{30000}))};
}

}  // namespace

std::vector<FoldCase> spelling_activation_cases() {
  std::vector<FoldCase> cases;
  for (const auto list :
       {chains, copies, narrow_ranges, moves, reinterpretations, borders, other_grids, other_tools})
    append(cases, list());
  return cases;
}

}  // namespace intact::testing

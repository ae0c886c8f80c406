// Transposed convolutions: how many steps they become, and which stay on the reference and why. The
// arithmetic is checked by tests/dataflow/conv_transpose_cases.cpp.
#include <stdexcept>

#include "model_run.hpp"

namespace intact::testing {
namespace {

struct TransposedModel {
  ModelBuilder builder;
  Shape shape = {1, 4, 5, 6};

  ValueId bytes() {
    return builder.dequantize("x.dq", builder.input("x", ElementType::u8, shape), 0.02f,
                              std::uint8_t{117});
  }
  ValueId up(ValueId x, ValueId weights, std::int64_t stride) {
    const ValueId y = builder.node("ConvTranspose", "up", {x, weights},
                                   {{"strides", std::vector<std::int64_t>{stride, stride}}});
    return builder.round("y", y, 0.1f, std::uint8_t{128});
  }
  Flow flow(ValueId y) { return session_of(builder.build({y})).flow(std::vector<Shape>{shape}); }
};

const FlowNode& node_of(const Flow& flow, const std::string& op) {
  const auto found = std::find_if(flow.nodes.begin(), flow.nodes.end(),
                                  [&](const FlowNode& node) { return node.op == op; });
  if (found == flow.nodes.end()) throw std::runtime_error("no step " + op);
  return *found;
}

void expect_reference(const Flow& flow, const std::string& reason) {
  const FlowNode& node = node_of(flow, "ConvTranspose");
  EXPECT_EQ(count_of(flow, "ConvTranspose"), 1);
  EXPECT_EQ(node.precision, "float");
  EXPECT_EQ(node.reason, reason);
}

TEST(ConvTranspose, StrideOneIsOneConvolution) {
  TransposedModel m;
  const Flow flow = m.flow(m.up(m.bytes(), grid_weights(m.builder, "w", {4, 3, 3, 3}), 1));
  EXPECT_EQ(count_of(flow, "ConvTranspose"), 1);
  EXPECT_EQ(flow.float_nodes, 0);
}

TEST(ConvTranspose, PhasesMultiplyNoMoreThanTheOperator) {
  TransposedModel m;
  const Flow flow = m.flow(m.up(m.bytes(), grid_weights(m.builder, "w", {4, 3, 2, 2}), 3));
  EXPECT_EQ(flow.float_nodes, 0);
  EXPECT_EQ(flow.int8_macs, 5 * 6 * 4 * 3 * 2 * 2);
}

TEST(ConvTranspose, ScalesPerInputChannelStayFloat) {
  TransposedModel m;
  const ValueId w =
      m.builder.node("DequantizeLinear", "w.dq",
                     {m.builder.constant("w", random_integers<std::int8_t>({4, 3, 2, 2}, 1)),
                      m.builder.vector("w.s", std::vector<float>{0.01f, 0.02f, 0.03f, 0.04f}),
                      m.builder.vector("w.z", std::vector<std::int8_t>{0, 0, 0, 0})},
                     {{"axis", std::int64_t{0}}});
  const Flow flow = m.flow(m.up(m.bytes(), w, 2));
  const std::string reason = node_of(flow, "ConvTranspose").reason;
  EXPECT_NE(reason.find("quantize the weights along axis 1"), std::string::npos) << reason;
  expect_reference(flow, reason);
}

TEST(ConvTranspose, InputWithoutGridStaysFloat) {
  TransposedModel m;
  const ValueId x = m.builder.input("x", ElementType::f32, m.shape);
  expect_reference(m.flow(m.up(x, grid_weights(m.builder, "w", {4, 3, 2, 2}), 2)),
                   "input 'x' has no grid; a QuantizeLinear and DequantizeLinear pair before it "
                   "would give it one");
}

TEST(ConvTranspose, ManyPhasesStayFloat) {
  TransposedModel m;
  expect_reference(m.flow(m.up(m.bytes(), grid_weights(m.builder, "w", {4, 3, 2, 2}), 9)),
                   "its strides split the output into more than 64 convolutions; strides whose "
                   "product is smaller run on integers");
}

TEST(ConvTranspose, FloatsAreThoseOfTheReference) {
  using Integers = std::vector<std::int64_t>;
  struct {
    Shape x, weights;
    AttributeList attributes;
    std::int64_t groups = 1;
    bool direct = true;  ///< not by the reference
  } const forms[] = {
      {{2, 6, 5, 4}, {6, 8, 2, 2}, {{"strides", Integers{2, 2}}}},
      {{2, 6, 5, 4}, {6, 8, 3, 3}, {{"pads", Integers{1, 0, 1, 2}}}},
      {{1, 6, 5, 4},
       {6, 4, 3, 3},
       {{"strides", Integers{2, 3}},
        {"group", std::int64_t{2}},
        {"pads", Integers{1, 1, 1, 1}},
        {"output_padding", Integers{1, 2}}},
       2},
      {{1, 6, 5, 4}, {6, 8, 3, 2}, {{"dilations", Integers{2, 3}}}},
      {{2, 6, 11}, {6, 8, 4}, {{"strides", Integers{2}}}},
      {{1, 4, 3, 4, 5}, {4, 3, 2, 2, 2}, {{"strides", Integers{2, 1, 2}}}},
      {{1, 4, 5, 4},
       {4, 3, 2, 2},
       {{"dilations", Integers{3, 3}}, {"output_padding", Integers{2, 2}}},
       1,
       false},
  };
  for (const auto& form : forms) {
    ModelBuilder builder(17);
    const ValueId x = builder.input("x", ElementType::f32, form.x);
    const ValueId up =
        builder.node("ConvTranspose", "up",
                     {x, builder.constant("w", random_floats(form.weights, 1)),
                      builder.constant("b", random_floats({form.weights[1] * form.groups}, 2))},
                     form.attributes);
    const Flow flow = expect_consistent(builder.build({builder.node("Relu", "relu", {up})}),
                                        {random_floats(form.x, 3)}, 1e-5);
    const bool direct = std::any_of(flow.nodes.begin(), flow.nodes.end(), [](const FlowNode& node) {
      return node.kernel.find("onednn") != std::string::npos;
    });
    EXPECT_EQ(direct, form.direct) << to_string(form.weights);
  }
}

}  // namespace
}  // namespace intact::testing

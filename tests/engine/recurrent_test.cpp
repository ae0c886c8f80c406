// LSTM, GRU and RNN: the kernel against the interpreter, in every form that it takes, and forms
// that it leaves.
#include <gtest/gtest.h>

#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

struct Form {
  const char* direction;
  std::int64_t steps, batch, input, hidden;
  bool with_bias, with_state;
  const char* op = "LSTM";
  bool quantized = false;  ///< weights as integers behind DequantizeLinear
  std::vector<std::int32_t> lengths = {};

  std::int64_t gates() const { return op == std::string("LSTM") ? 4 : op[0] == 'G' ? 3 : 1; }
  bool has_cell() const { return gates() == 4; }
};

Graph recurrent(const Form& form, const AttributeList& more = {}) {
  const std::int64_t directions = std::string(form.direction) == "bidirectional" ? 2 : 1;
  const std::int64_t rows = form.gates() * form.hidden;
  ModelBuilder model(14);
  const auto weights = [&](const char* name, const Shape& shape, unsigned seed) {
    if (form.quantized) return grid_weights(model, name, shape, seed, 0.004f);
    return model.constant(name, random_floats(shape, seed, -0.5f, 0.5f));
  };
  const ValueId x = model.input("x", ElementType::f32, {form.steps, form.batch, form.input});
  const Shape state = {directions, form.batch, form.hidden};
  std::vector<ValueId> inputs = {
      x, weights("w", {directions, rows, form.input}, 1),
      weights("r", {directions, rows, form.hidden}, 2),
      form.with_bias ? model.constant("b", random_floats({directions, 2 * rows}, 3)) : no_value,
      no_value};
  if (!form.lengths.empty())
    inputs[4] = model.constant("lengths", Tensor::from<std::int32_t>({form.batch}, form.lengths));
  if (form.with_state) {
    inputs.push_back(model.input("h", ElementType::f32, state));
    if (form.has_cell()) inputs.push_back(model.input("c", ElementType::f32, state));
  }
  AttributeList attributes = {{"hidden_size", form.hidden},
                              {"direction", std::string(form.direction)}};
  attributes.insert(attributes.end(), more.begin(), more.end());
  const int count = form.has_cell() ? 3 : 2;
  const ValueId y = model.node(form.op, "node", inputs, attributes, "", count);
  std::vector<ValueId> outputs;
  for (int i = 0; i < count; ++i) {
    model.graph().value(y + i).type = ElementType::f32;
    outputs.push_back(y + i);
  }
  return model.build(outputs);
}

Tensors inputs_of(const Form& form) {
  const std::int64_t directions = std::string(form.direction) == "bidirectional" ? 2 : 1;
  Tensors inputs = {random_floats({form.steps, form.batch, form.input}, 5, -2, 2)};
  if (form.with_state)
    for (unsigned seed = 6; seed < (form.has_cell() ? 8u : 7u); ++seed)
      inputs.push_back(random_floats({directions, form.batch, form.hidden}, seed));
  return inputs;
}

/// The step of the operator, which agrees with the interpreter.
FlowNode step_of(const Form& form, const AttributeList& more = {}) {
  const Flow flow = expect_consistent(recurrent(form, more), inputs_of(form), 2e-6);
  const auto step = std::find_if(flow.nodes.begin(), flow.nodes.end(),
                                 [&](const FlowNode& node) { return node.op == form.op; });
  return step == flow.nodes.end() ? FlowNode{} : *step;
}

TEST(Recurrent, KernelsAgreeWithTheInterpreter) {
  for (const char* op : {"LSTM", "GRU", "RNN"})
    for (Form form :
         {Form{"forward", 1, 1, 16, 16, true, true}, Form{"forward", 5, 3, 7, 10, true, false},
          Form{"reverse", 4, 2, 3, 17, false, true},
          Form{"bidirectional", 6, 2, 5, 33, true, true}}) {
      form.op = op;
      for (const std::int64_t reset_behind : {0, 1}) {
        if (reset_behind != 0 && op != std::string("GRU")) continue;
        SCOPED_TRACE(std::string(op) + " " + form.direction);
        const FlowNode step = step_of(form, {{"linear_before_reset", reset_behind}});
        EXPECT_TRUE(step.kernel.starts_with("recurrent_")) << step.kernel;
        EXPECT_EQ(step.macs, form.steps * form.batch * form.gates() * form.hidden *
                                 (form.input + form.hidden) *
                                 (form.direction == std::string("bidirectional") ? 2 : 1));
      }
    }
}

TEST(Recurrent, QuantizedWeightsRunInTheFloatKernel) {
  for (const char* op : {"LSTM", "GRU", "RNN"}) {
    Form form{"forward", 5, 2, 7, 10, true, false, op};
    form.quantized = true;
    EXPECT_TRUE(step_of(form).kernel.starts_with("recurrent_")) << op;
  }
}

TEST(Recurrent, UsualFunctionsMayBeNamed) {
  const auto named = [](const char* op, std::vector<std::string> functions) {
    const Form form{
        functions.size() == 4 ? "bidirectional" : "forward", 3, 2, 4, 5, true, false, op};
    return step_of(form, {{"activations", functions}}).kernel.starts_with("recurrent_");
  };
  EXPECT_TRUE(named("LSTM", {"Sigmoid", "Tanh", "Tanh"}));
  EXPECT_TRUE(named("GRU", {"sigmoid", "TANH", "Sigmoid", "Tanh"}));
  EXPECT_TRUE(named("RNN", {"Tanh"}));
  EXPECT_TRUE(named("RNN", {"Relu"}));
  EXPECT_FALSE(named("RNN", {"Affine"}));
  EXPECT_FALSE(named("GRU", {"Sigmoid", "Relu"}));
}

TEST(Recurrent, LengthsMayBeGivenWhereAllAreEqual) {
  Form form{"bidirectional", 3, 2, 4, 5, true, false, "GRU"};
  form.lengths = {3, 3};
  EXPECT_TRUE(step_of(form).kernel.starts_with("recurrent_"));
  form.lengths = {3, 2};
  EXPECT_EQ(step_of(form).kernel, "reference");
}

TEST(Recurrent, OtherFormsRunTheReference) {
  const Form form{"forward", 3, 2, 4, 5, true, false};
  for (const AttributeList& more :
       {AttributeList{{"clip", 1.5f}}, AttributeList{{"input_forget", std::int64_t{1}}},
        AttributeList{{"activations", std::vector<std::string>{"HardSigmoid", "Tanh", "Tanh"}}}})
    EXPECT_EQ(step_of(form, more).kernel, "reference") << more[0].first;
}

TEST(Recurrent, TheSequenceOfResultsMayBeAbsentBehindAGrid) {
  const Form form{"forward", 5, 3, 7, 10, true, false, "GRU"};
  ModelBuilder model(14);
  const ValueId x = model.input("x", ElementType::f32, {form.steps, form.batch, form.input});
  const ValueId y = model.node(
      "GRU", "node",
      {model.round<std::uint8_t>("grid", x, 0.02f, 100),
       model.constant("w", random_floats({1, 3 * form.hidden, form.input}, 1)),
       model.constant("r", random_floats({1, 3 * form.hidden, form.hidden}, 2))},
      {{"hidden_size", form.hidden}}, "", 2);
  model.graph().nodes.back().outputs[0] = no_value;
  model.graph().value(y + 1).type = ElementType::f32;
  expect_consistent(model.build({y + 1}), inputs_of(form), 2e-6);
}

}  // namespace
}  // namespace intact::testing

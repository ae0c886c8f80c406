// LSTM: the kernel against the interpreter, in every form that it takes, and forms that it leaves.
#include <gtest/gtest.h>

#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

struct Form {
  const char* direction;
  std::int64_t steps, batch, input, hidden;
  bool with_bias, with_state;
};

Graph lstm(const Form& form, const AttributeList& more = {}) {
  const std::int64_t directions = std::string(form.direction) == "bidirectional" ? 2 : 1;
  ModelBuilder model(14);
  const ValueId x = model.input("x", ElementType::f32, {form.steps, form.batch, form.input});
  const Shape state = {directions, form.batch, form.hidden};
  std::vector<ValueId> inputs = {
      x,
      model.constant("w", random_floats({directions, 4 * form.hidden, form.input}, 1, -0.5f, 0.5f)),
      model.constant("r",
                     random_floats({directions, 4 * form.hidden, form.hidden}, 2, -0.5f, 0.5f)),
      form.with_bias ? model.constant("b", random_floats({directions, 8 * form.hidden}, 3))
                     : no_value};
  if (form.with_state) {
    inputs.push_back(no_value);
    inputs.push_back(model.input("h", ElementType::f32, state));
    inputs.push_back(model.input("c", ElementType::f32, state));
  }
  AttributeList attributes = {{"hidden_size", form.hidden},
                              {"direction", std::string(form.direction)}};
  attributes.insert(attributes.end(), more.begin(), more.end());
  const ValueId y = model.node("LSTM", "lstm", inputs, attributes, "", 3);
  for (int i = 0; i < 3; ++i) model.graph().value(y + i).type = ElementType::f32;
  return model.build({y, y + 1, y + 2});
}

Tensors inputs_of(const Form& form) {
  const std::int64_t directions = std::string(form.direction) == "bidirectional" ? 2 : 1;
  Tensors inputs = {random_floats({form.steps, form.batch, form.input}, 5, -2, 2)};
  if (form.with_state)
    for (const unsigned seed : {6u, 7u})
      inputs.push_back(random_floats({directions, form.batch, form.hidden}, seed));
  return inputs;
}

TEST(Recurrent, LstmAgreesWithTheInterpreter) {
  for (const Form& form :
       {Form{"forward", 1, 1, 16, 16, true, true}, Form{"forward", 5, 3, 7, 10, true, false},
        Form{"reverse", 4, 2, 3, 17, false, true},
        Form{"bidirectional", 6, 2, 5, 33, true, true}}) {
    SCOPED_TRACE(form.direction);
    const Flow flow = expect_consistent(lstm(form), inputs_of(form), 2e-6);
    const auto step = std::find_if(flow.nodes.begin(), flow.nodes.end(),
                                   [](const FlowNode& node) { return node.op == "LSTM"; });
    ASSERT_NE(step, flow.nodes.end());
    EXPECT_NE(step->kernel, "reference");
    EXPECT_GT(step->macs, 0);
  }
}

TEST(Recurrent, OtherFormsRunTheReference) {
  const Form form{"forward", 3, 2, 4, 5, true, false};
  for (const AttributeList& more :
       {AttributeList{{"clip", 1.5f}}, AttributeList{{"input_forget", std::int64_t{1}}},
        AttributeList{{"activations", std::vector<std::string>{"HardSigmoid", "Tanh", "Tanh"}}}}) {
    const Flow flow = expect_consistent(lstm(form, more), inputs_of(form), 1e-6);
    EXPECT_EQ(flow.nodes[0].kernel, "reference") << more[0].first;
  }
}

}  // namespace
}  // namespace intact::testing

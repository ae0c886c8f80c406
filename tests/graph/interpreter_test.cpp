// The reference interpreter: values, both dialects, and its messages.
#include <malloc.h>

#include <algorithm>

#include "evaluate.hpp"
#include "graph/reals.hpp"
#include "model_builder.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Floats = std::vector<float>;

/// y = relu(x + [1, -1])
Graph add_relu() {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1, 2});
  model.graph().value(x).declared->at(0).symbol = "batch";
  const ValueId sum = model.node("Add", "add", {x, model.vector<float>("w", {1, -1})});
  const ValueId y = model.node("Relu", "relu", {sum});
  model.graph().outputs = {y};
  return model.graph();
}

std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  return interpret(graph, inputs);
}

TEST(Interpreter, RunsNodeByNode) {
  const auto outputs = run(add_relu(), {floats({2, 2}, {1, 2, -3, 0})});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].shape(), (Shape{2, 2}));
  EXPECT_EQ(values_of<float>(outputs[0]), (Floats{2, 1, 0, 0}));
}

TEST(Interpreter, SaysWhatInputsItExpects) {
  const Graph graph = add_relu();
  EXPECT_EQ(error_of([&] { run(graph, {}); }), "the model has 1 inputs, but 0 tensors are given");
  EXPECT_EQ(error_of([&] {
              run(graph, {list({1, 2})});
            }),
            "input 'x' expects elements of type f32, but s64 is given");
  EXPECT_EQ(error_of([&] {
              run(graph, {floats({3}, {1, 2, 3})});
            }),
            "input 'x' expects shape [batch,2], but [3] is given");
  EXPECT_EQ(error_of([&] { run(graph, {Tensor{}}); }), "input 'x' is not given");
}

TEST(Interpreter, ErrorsNameTheNodeOnce) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::s64, {-1});
  const ValueId y = model.node("Div", "quotient", {x, model.vector<std::int64_t>("zero", {0})});
  model.graph().outputs = {y};
  EXPECT_EQ(error_of([&] { run(model.graph(), {list({1})}); }),
            "Div 'quotient' (opset 13): an integer is divided by zero");
}

TEST(Interpreter, UnsupportedStaysUnsupported) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {-1});
  model.graph().outputs = {model.node("Unheard", "u", {x})};
  EXPECT_THROW(run(model.graph(), {floats({1}, {1})}), Unsupported);
}

TEST(Interpreter, ObservesEveryNode) {
  std::vector<std::string> seen;
  const auto observe = [](void* user, const Node& node, std::span<const Tensor> outputs) {
    EXPECT_EQ(outputs.size(), 1u);
    static_cast<std::vector<std::string>*>(user)->push_back(node.name);
  };
  const std::vector<Tensor> inputs = {floats({1, 2}, {0, 0})};
  interpret(add_relu(), inputs, observe, &seen);
  EXPECT_EQ(seen, (std::vector<std::string>{"add", "relu"}));
}

std::size_t allocated_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(Interpreter, FreesTensorsAfterTheirLastUse) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer replaces the allocator that is asked";
#endif
  constexpr std::int64_t count = 1 << 20;
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {count});
  ValueId y = x;
  for (int i = 0; i < 16; ++i) y = model.node("Relu", "r" + std::to_string(i), {y});
  model.graph().outputs = {y};
  std::size_t peak = 0;
  const auto observe = [](void* user, const Node&, std::span<const Tensor>) {
    auto& most = *static_cast<std::size_t*>(user);
    most = std::max(most, allocated_bytes());
  };
  const std::vector<Tensor> inputs = {Tensor(ElementType::f32, {count})};
  const std::size_t before = allocated_bytes();
  interpret(model.graph(), inputs, observe, &peak);
  EXPECT_LE(peak - before, 4 * inputs[0].bytes());
}

TEST(Interpreter, GivesInputsAndConstantsThatAreOutputs) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1});
  const ValueId w = model.vector<float>("w", {7});
  model.graph().outputs = {x, w, x};
  const auto outputs = run(model.graph(), {floats({1}, {3})});
  EXPECT_EQ(values_of<float>(outputs[0]), Floats{3});
  EXPECT_EQ(values_of<float>(outputs[1]), Floats{7});
  EXPECT_EQ(values_of<float>(outputs[2]), Floats{3});
}

TEST(Interpreter, PassesConstantsOnAGridAsReals) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {2});
  const ValueId w = model.vector<std::uint8_t>("w", {130, 126});
  Value& value = model.graph().value(w);
  value.type = ElementType::f32;
  value.grid = Grid{ElementType::u8, {0.5f}, {128}, std::nullopt};
  model.graph().outputs = {model.node("Add", "add", {x, w})};
  const auto outputs = run(model.graph(), {floats({2}, {10, 20})});
  EXPECT_EQ(values_of<float>(outputs[0]), (Floats{11, 19}));
}

TEST(Interpreter, QuantizesAndBack) {
  const Grid grid{ElementType::s8, {0.5f, 0.25f}, {0, -1}, 1};
  const Tensor x = floats({2, 2}, {0.3f, 0.3f, -1000, 0.125f});
  const Tensor q = quantize(x, grid);
  EXPECT_EQ(values_of<std::int8_t>(q), (std::vector<std::int8_t>{1, 0, -128, -1}));
  EXPECT_EQ(values_of<float>(dequantize(q, grid)), (Floats{0.5f, 0.25f, -64, 0}));
  EXPECT_THROW(quantize(floats({3}, {0, 0, 0}), grid), Error);
}

}  // namespace
}  // namespace intact

// Sequences and optionals: evaluation, and what is refused.
#include <gtest/gtest.h>

#include "tests/graph/evaluate.hpp"

namespace intact::testing {
namespace {

using Sequence = std::vector<Tensor>;

std::vector<Datum> evaluate(
    const std::string& op, const std::vector<Datum>& inputs,
    const std::vector<std::pair<std::string, std::int64_t>>& attributes = {}) {
  Node node;
  node.op = op;
  node.name = "n";
  node.version = 16;
  node.outputs = {0};
  for (std::size_t i = 0; i < inputs.size(); ++i) node.inputs.push_back(static_cast<int>(i) + 1);
  for (const auto& [name, value] : attributes) node.attributes.set(name, value);
  return evaluate_node(node, inputs, {});
}

Tensor vector(const std::vector<float>& values) {
  return Tensor::from<float>({std::ssize(values)}, values);
}
Tensor number(std::int64_t value) {
  return Tensor::scalar(value);
}
Sequence three() {
  return {vector({1}), vector({2}), vector({3})};
}
std::vector<float> values(const Datum& datum) {
  const auto data = std::get<Tensor>(datum).data<float>();
  return {data.begin(), data.end()};
}
std::vector<float> firsts(const Datum& datum) {
  std::vector<float> result;
  for (const Tensor& tensor : std::get<Sequence>(datum)) result.push_back(tensor.data<float>()[0]);
  return result;
}

TEST(Sequence, ConstructInsertEraseAndRead) {
  EXPECT_EQ(firsts(evaluate("SequenceConstruct", {vector({1}), vector({2})})[0]),
            (std::vector<float>{1, 2}));
  EXPECT_TRUE(std::get<Sequence>(evaluate("SequenceEmpty", {})[0]).empty());
  EXPECT_EQ(firsts(evaluate("SequenceInsert", {three(), vector({9})})[0]),
            (std::vector<float>{1, 2, 3, 9}));
  EXPECT_EQ(firsts(evaluate("SequenceInsert", {three(), vector({9}), number(-1)})[0]),
            (std::vector<float>{1, 2, 9, 3}));
  EXPECT_EQ(firsts(evaluate("SequenceInsert", {Sequence{}, vector({9}), number(0)})[0]),
            (std::vector<float>{9}));
  EXPECT_EQ(firsts(evaluate("SequenceErase", {three()})[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(firsts(evaluate("SequenceErase", {three(), number(-3)})[0]),
            (std::vector<float>{2, 3}));
  EXPECT_EQ(values(evaluate("SequenceAt", {three(), number(-1)})[0]), (std::vector<float>{3}));
  EXPECT_EQ(std::get<Tensor>(evaluate("SequenceLength", {three()})[0]).data<std::int64_t>()[0], 3);
}

TEST(Sequence, SplitAndConcat) {
  const Tensor x = vector({1, 2, 3, 4, 5});
  EXPECT_EQ(firsts(evaluate("SplitToSequence", {x, number(2)})[0]), (std::vector<float>{1, 3, 5}));
  const std::vector<std::int64_t> sizes = {1, 4};
  EXPECT_EQ(firsts(evaluate("SplitToSequence", {x, Tensor::from<std::int64_t>({2}, sizes)})[0]),
            (std::vector<float>{1, 2}));
  const auto dropped = evaluate("SplitToSequence", {x}, {{"keepdims", 0}});
  EXPECT_EQ(std::get<Sequence>(dropped[0])[1].shape(), Shape{});
  EXPECT_EQ(values(evaluate("ConcatFromSequence", {three()}, {{"axis", 0}})[0]),
            (std::vector<float>{1, 2, 3}));
  const auto stacked = evaluate("ConcatFromSequence", {three()}, {{"axis", -1}, {"new_axis", 1}});
  EXPECT_EQ(std::get<Tensor>(stacked[0]).shape(), (Shape{1, 3}));
}

TEST(Sequence, Optionals) {
  const auto has = [](const Datum& datum) {
    return std::get<Tensor>(evaluate("OptionalHasElement", {datum})[0]).data<bool>()[0];
  };
  EXPECT_TRUE(has(vector({1})));
  EXPECT_TRUE(has(Sequence{}));
  EXPECT_FALSE(has(Tensor{}));
  EXPECT_FALSE(has(evaluate("Optional", {})[0]));
  EXPECT_EQ(firsts(evaluate("OptionalGetElement", {three()})[0]), (std::vector<float>{1, 2, 3}));
  EXPECT_NE(error_of([] { evaluate("OptionalGetElement", {Tensor{}}); }).find("holds nothing"),
            std::string::npos);
}

TEST(Sequence, RefusesWhatDoesNotFit) {
  const auto refusal =
      [](const std::string& op, const std::vector<Datum>& inputs,
         const std::vector<std::pair<std::string, std::int64_t>>& attributes = {}) {
        return error_of([&] { evaluate(op, inputs, attributes); });
      };
  EXPECT_EQ(refusal("SequenceAt", {three(), number(3)}),
            "SequenceAt 'n' (opset 16): position 3 is outside of the sequence of 3 tensors");
  EXPECT_NE(refusal("SequenceAt", {three(), number(-4)}).find("position -4"), std::string::npos);
  EXPECT_NE(refusal("SequenceAt", {Sequence{}, number(0)}).find("empty"), std::string::npos);
  EXPECT_NE(refusal("SequenceInsert", {three(), vector({1}), number(4)}).find("position 4"),
            std::string::npos);
  EXPECT_NE(refusal("SequenceErase", {Sequence{}}).find("empty"), std::string::npos);
  EXPECT_NE(refusal("SequenceInsert", {three(), number(1)}).find("of f32 cannot hold"),
            std::string::npos);
  EXPECT_NE(refusal("SequenceAt", {vector({1}), number(0)}).find("must be a sequence"),
            std::string::npos);
  EXPECT_NE(refusal("SplitToSequence", {vector({1, 2}), number(0)}).find("parts of 0"),
            std::string::npos);
  const std::vector<std::int64_t> sizes = {1, 4};
  EXPECT_NE(refusal("SplitToSequence", {vector({1, 2}), Tensor::from<std::int64_t>({2}, sizes)})
                .find("add up"),
            std::string::npos);
  EXPECT_NE(refusal("ConcatFromSequence", {Sequence{vector({1}), Tensor(ElementType::f32, {1, 1})}},
                    {{"axis", 0}})
                .find("cannot be joined"),
            std::string::npos);
  EXPECT_NE(refusal("Relu", {three()}).find("is a sequence"), std::string::npos);
}

}  // namespace
}  // namespace intact::testing

// Models of operator sets 1 to 6 read as the models of set 7 with the same meaning.
#include <gtest/gtest.h>

#include <limits>

#include "canonical.hpp"
#include "intact/error.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;
using Build = ValueId (*)(ModelBuilder&, ValueId);

struct LegacyCase {
  const char* name;
  int opset;
  Build old_form, new_form;  ///< the latter of set 7
  Shape input = {2, 3, 4};
};

std::ostream& operator<<(std::ostream& out, const LegacyCase& c) {
  return out << c.name;
}

ValueId channels(ModelBuilder& m, const Shape& shape) {
  return m.constant("c", Tensor::from<float>(shape, std::vector{0.5f, -1.5f, 2.0f}));
}

ValueId rows(ModelBuilder& m, const Shape& shape) {
  return m.constant("r",
                    Tensor::from<float>(shape, std::vector{1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}));
}

const AttributeList at_channels = {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}};

const LegacyCase legacy_cases[] = {
    {"AddAtAxis", 6,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Add", "n", {x, channels(m, {3})}, at_channels);
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Add", "n", {x, channels(m, {3, 1})});
     }},
    {"SubAtFirstAxes", 6,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Sub", "n", {x, rows(m, {2, 3})},
                     {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{0}}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Sub", "n", {x, rows(m, {2, 3, 1})});
     }},
    {"MulBehindUnknownRank", 1,
     [](ModelBuilder& m, ValueId x) {
       const ValueId relu = m.node("Relu", "relu", {x}, {{"consumed_inputs", Integers{0}}});
       return m.node("Mul", "n", {relu, channels(m, {3})}, at_channels);
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Mul", "n", {m.node("Relu", "relu", {x}), channels(m, {3, 1})});
     }},
    {"AddAtLastAxis",
     6,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Add", "n", {x, channels(m, {3})},
                     {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{-1}}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Add", "n", {x, channels(m, {3})});
     },
     {3, 3}},
    {"PReluPerChannel", 6,
     [](ModelBuilder& m, ValueId x) {
       return m.node("PRelu", "n", {x, channels(m, {3})});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("PRelu", "n", {x, channels(m, {3, 1})});
     }},
    {"Gemm",
     6,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Gemm", "n", {x, rows(m, {2, 3}), channels(m, {3})},
                     {{"broadcast", std::int64_t{1}}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Gemm", "n", {x, rows(m, {2, 3}), channels(m, {3})});
     },
     {4, 2}},
    {"BatchNormalization", 6,
     [](ModelBuilder& m, ValueId x) {
       const ValueId c = channels(m, {3}), v = m.vector<float>("v", {1.0f, 2.0f, 3.0f});
       return m.node("BatchNormalization", "n", {x, c, c, c, v}, {{"is_test", std::int64_t{1}}});
     },
     [](ModelBuilder& m, ValueId x) {
       const ValueId c = channels(m, {3}), v = m.vector<float>("v", {1.0f, 2.0f, 3.0f});
       return m.node("BatchNormalization", "n", {x, c, c, c, v});
     }},
    {"Dropout", 6,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Dropout", "n", {x}, {{"is_test", std::int64_t{1}}, {"ratio", 0.3f}});
     },
     [](ModelBuilder& m, ValueId x) { return m.node("Identity", "n", {x}); }},
    {"Reshape", 1,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Reshape", "n", {x}, {{"shape", Integers{0, -1}}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Reshape", "n", {x, m.vector<std::int64_t>("s", {0, -1})});
     }},
    {"Cast", 1,
     [](ModelBuilder& m, ValueId x) {
       const ValueId whole = m.node("Cast", "i", {x}, {{"to", std::string("INT32")}});
       return m.node("Cast", "n", {whole}, {{"to", std::string("FLOAT")}});
     },
     [](ModelBuilder& m, ValueId x) {
       const ValueId whole = m.node("Cast", "i", {x}, {{"to", std::int64_t{6}}});
       return m.node("Cast", "n", {whole}, {{"to", std::int64_t{1}}});
     }},
    {"ConcatOfNoAxis", 1,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Concat", "n", {x, x});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Concat", "n", {x, x}, {{"axis", std::int64_t{1}}});
     }},
    {"Pad", 1,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Pad", "n", {x}, {{"paddings", Integers{0, 1, 0, 0, 0, 2}}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Pad", "n", {x}, {{"pads", Integers{0, 1, 0, 0, 0, 2}}});
     }},
    {"SplitByOperand", 1,
     [](ModelBuilder& m, ValueId x) {
       const ValueId split = m.vector<std::int64_t>("s", {1, 2});
       return m.node("Split", "n", {x, split}, {{"axis", std::int64_t{1}}}, "", 2) + 1;
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Split", "n", {x}, {{"axis", std::int64_t{1}}, {"split", Integers{1, 2}}}, "",
                     2) +
              1;
     }},
    {"Selu", 1, [](ModelBuilder& m, ValueId x) { return m.node("Selu", "n", {x}); },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Selu", "n", {x}, {{"alpha", 1.6732f}, {"gamma", 1.0507f}});
     }},
    {"GlobalLpPool", 1,
     [](ModelBuilder& m, ValueId x) {
       return m.node("GlobalLpPool", "n", {x}, {{"p", 3.0f}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("GlobalLpPool", "n", {x}, {{"p", std::int64_t{3}}});
     }},
    {"Upsample",
     1,
     [](ModelBuilder& m, ValueId x) {
       return m.node("Upsample", "n", {x}, {{"height_scale", 2.0f}, {"width_scale", 3.0f}});
     },
     [](ModelBuilder& m, ValueId x) {
       return m.node("Upsample", "n", {x},
                     {{"scales", std::vector<float>{1.0f, 1.0f, 2.0f, 3.0f}}});
     },
     {1, 2, 2, 3}},
};

Graph built(int opset, const LegacyCase& c, Build build) {
  ModelBuilder model(opset);
  const ValueId x = model.input("x", ElementType::f32, c.input);
  return model.build({build(model, x)});
}

class Legacy : public ::testing::TestWithParam<LegacyCase> {};

TEST_P(Legacy, MeansWhatSet7Writes) {
  const LegacyCase& c = GetParam();
  const Graph old_model = built(c.opset, c, c.old_form);
  EXPECT_EQ(old_model.opsets.at(""), 7);
  for (const Node& node : old_model.nodes) EXPECT_EQ(node.version, 7) << node.name;
  expect_same_meaning(built(7, c, c.new_form), old_model, {random_floats(c.input, 1)}, 0);
}

INSTANTIATE_TEST_SUITE_P(Operators, Legacy, ::testing::ValuesIn(legacy_cases),
                         [](const auto& info) { return std::string(info.param.name); });

std::string refusal(int opset, Build build) {
  try {
    built(opset, {.name = "", .opset = opset, .old_form = build, .new_form = build}, build);
  } catch (const Unsupported& error) {
    return error.what();
  }
  return "";
}

TEST(LegacyErrors, NameTheNodeAndWhatItLacks) {
  const auto expect = [](int opset, Build build, const std::string& what) {
    EXPECT_NE(refusal(opset, build).find(what), std::string::npos) << refusal(opset, build);
  };
  expect(
      6, [](ModelBuilder& m, ValueId x) { return m.node("Dropout", "d", {x}); },
      "Dropout 'd' (opset 6) cannot be written for opset 7: is_test is 0, which is training");
  expect(
      5,
      [](ModelBuilder& m, ValueId x) {
        return m.node("Tile", "t", {x, x, x});
      },
      "Tile 't' (opset 5) cannot be written for opset 7: it repeats along one axis");
  expect(
      1,
      [](ModelBuilder& m, ValueId x) {
        return m.node("Cast", "c", {x}, {{"to", std::string("FLOTA")}});
      },
      "Cast 'c' (opset 1) cannot be written for opset 7: its type 'FLOTA' is unknown");
  expect(
      6,
      [](ModelBuilder& m, ValueId x) {
        return m.node("Add", "a", {x, m.node("Relu", "r", {x})}, at_channels);
      },
      "Add 'a' (opset 6) cannot be written for opset 7: the rank of 'r.0' is not known");
  expect(
      6,
      [](ModelBuilder& m, ValueId x) {
        return m.node(
            "Add", "a", {x, channels(m, {3})},
            {{"broadcast", std::int64_t{1}}, {"axis", std::numeric_limits<std::int64_t>::max()}});
      },
      "axis 9223372036854775807 with an operand of rank 1");
  expect(
      1,
      [](ModelBuilder& m, ValueId x) {
        return m.node("GlobalLpPool", "p", {x}, {{"p", 2.5f}});
      },
      "its norm p is 2.5, not an integer");
}

TEST(LegacyErrors, MissingOperandsAreErrors) {
  for (const char* op : {"Add", "PRelu", "Reshape", "Split", "Cast", "Upsample", "Gemm", "Selu"}) {
    ModelBuilder model(1);
    const Tensor x = random_floats({2}, 1);
    model.input("x", ElementType::f32, x.shape());
    AttributeList attributes = at_channels;
    attributes.push_back({"to", std::string("FLOAT")});
    const ValueId y = model.node(op, "n", {}, attributes);
    EXPECT_THROW(interpret(model.build({y}), std::vector{x}), Error) << op;
  }
}

}  // namespace
}  // namespace intact::testing

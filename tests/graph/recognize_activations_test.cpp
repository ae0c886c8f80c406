// Operators that older files spell out become one again; what only looks like them stays.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/graph/recognized.hpp"

namespace intact::testing {
namespace {

// --- Gelu

ValueId erf_gate(Writer& w, ValueId x) {
  return w("Add", {w("Erf", {w("Div", {x, w.number(std::sqrt(2.0))})}), w.number(1)});
}
ValueId tanh_gate(Writer& w, ValueId x) {
  const ValueId cube = w("Mul", {w.number(0.044715), w("Pow", {x, w.number(3)})});
  const ValueId u = w("Mul", {w.number(std::sqrt(2 / std::numbers::pi)), w("Add", {x, cube})});
  return w("Add", {w.number(1), w("Tanh", {u})});
}

using Gate = ValueId (*)(Writer&, ValueId);

TEST(RecognizeGelu, EveryOrderOfItsProduct) {
  for (const Gate gate : {erf_gate, tanh_gate}) {
    const auto expect_gelu = [&](const auto& product) {
      const Graph graph = recognized([&](ModelBuilder& model, ValueId x) {
        Writer w(model);
        return product(w, x, gate(w, x), w.number(0.5));
      });
      ASSERT_EQ(operators(graph), "Gelu");
      EXPECT_EQ(graph.nodes[0].attributes.text("approximate", "none"),
                gate == erf_gate ? "none" : "tanh");
      EXPECT_EQ(graph.nodes[0].sources.size(), gate == erf_gate ? 5u : 8u);
    };
    using W = Writer&;
    using V = ValueId;
    expect_gelu([](W w, V x, V g, V half) { return w("Mul", {w("Mul", {x, g}), half}); });
    expect_gelu([](W w, V x, V g, V half) { return w("Mul", {half, w("Mul", {g, x})}); });
    expect_gelu([](W w, V x, V g, V half) { return w("Mul", {w("Mul", {x, half}), g}); });
    expect_gelu([](W w, V x, V g, V half) { return w("Mul", {g, w("Mul", {half, x})}); });
    expect_gelu([](W w, V x, V g, V half) { return w("Mul", {x, w("Mul", {g, half})}); });
    expect_gelu([](W w, V x, V g, V half) { return w("Mul", {w("Mul", {half, g}), x}); });
    expect_gelu([](W w, V x, V g, V) { return w("Div", {w("Mul", {x, g}), w.number(2)}); });
    expect_gelu([](W w, V x, V g, V) { return w("Mul", {w("Div", {x, w.number(2)}), g}); });
  }
}

TEST(RecognizeGelu, HalfInsideOfTheSum) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId erf = w("Erf", {w("Mul", {w.number(std::sqrt(0.5)), x})});
              const ValueId half = w("Mul", {erf, w.number(0.5)});
              return w("Mul", {w("Add", {half, w.number(0.5)}), x});
            }),
            "Gelu");
}

TEST(RecognizeGelu, CubeOfTanhInOtherForms) {
  const auto expect_gelu = [](const auto& argument) {
    EXPECT_EQ(operators_of([&](ModelBuilder& model, ValueId x) {
                Writer w(model);
                const ValueId tanh = w("Tanh", {argument(w, x)});
                return w("Mul", {w("Mul", {x, w.number(0.5)}), w("Add", {tanh, w.number(1)})});
              }),
              "Gelu");
  };
  const double slope = std::sqrt(2 / std::numbers::pi);
  expect_gelu([&](Writer& w, ValueId x) {
    const ValueId cube = w("Mul", {w("Mul", {x, x}), x});
    return w("Mul", {w("Add", {w("Mul", {cube, w.number(0.044715)}), x}), w.number(slope)});
  });
  expect_gelu([&](Writer& w, ValueId x) {
    const ValueId square = w("Mul", {w("Mul", {w.number(0.044715), x}), x});
    return w("Mul", {w("Mul", {w.number(slope), x}), w("Add", {w.number(1), square})});
  });
}

TEST(RecognizeGelu, NearMissesStay) {
  const auto stays = [](double half, double one, double root, bool squared) {
    const std::string ops = operators_of([&](ModelBuilder& model, ValueId x) {
      Writer w(model);
      const ValueId y = squared ? w("Mul", {x, x}) : x;
      const ValueId erf = w("Erf", {w("Div", {y, w.number(root)})});
      return w("Mul", {w("Mul", {x, w("Add", {erf, w.number(one)})}), w.number(half)});
    });
    return ops.find("Gelu") == std::string::npos;
  };
  EXPECT_FALSE(stays(0.5, 1, std::sqrt(2.0), false));
  EXPECT_TRUE(stays(0.4, 1, std::sqrt(2.0), false));
  EXPECT_TRUE(stays(0.5, 1.1, std::sqrt(2.0), false));
  EXPECT_TRUE(stays(0.5, 1, 1.5, false));
  EXPECT_TRUE(stays(0.5, 1, std::sqrt(2.0), true));
}

TEST(RecognizeGelu, ReadersInsideKeepIt) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId gate = erf_gate(w, x);
              const ValueId y = w("Mul", {w("Mul", {x, gate}), w.number(0.5)});
              return w("Sub", {y, gate});
            }),
            "Div Erf Add Mul Mul Sub");
}

TEST(RecognizeGelu, GridsInsideKeepIt) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId erf = w("Erf", {w("Div", {x, w.number(std::sqrt(2.0))})});
              const ValueId rounded = model.round("erf", erf, 1.0f / 127, std::int8_t{0});
              return w("Mul", {w("Mul", {x, w("Add", {rounded, w.number(1)})}), w.number(0.5)});
            }),
            "Div Erf Round Add Mul Mul");
}

TEST(RecognizeGelu, ConstantsThatAddAxesKeepIt) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId half =
                  model.constant("half", Tensor::from<float>({1, 1, 1, 1}, std::vector{0.5f}));
              return w("Mul", {w("Mul", {x, erf_gate(w, x)}), half});
            }),
            "Div Erf Add Mul Mul");
}

TEST(RecognizeGelu, FactorOfAnotherTensorStaysOutside) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId y = w("Neg", {x});
              return w("Mul", {w("Mul", {w("Mul", {x, erf_gate(w, x)}), w.number(0.5)}), y});
            }),
            "Neg Gelu Mul");
}

// --- Swish, HardSwish, Mish

TEST(RecognizeSwish, SigmoidOfTheTensorOrAMultiple) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {x, w("Sigmoid", {x})});
            }),
            "Swish");
  const Graph quick = recognized([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    return w("Mul", {w("Sigmoid", {w("Mul", {x, w.number(1.702)})}), x});
  });
  ASSERT_EQ(operators(quick), "Swish");
  EXPECT_EQ(quick.nodes[0].attributes.number("alpha", 1), 1.702f);
}

TEST(RecognizeSwish, NearMissesStay) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {w("Neg", {x}), w("Sigmoid", {x})});
            }),
            "Neg Sigmoid Mul");
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {w("Mul", {x, w("Sigmoid", {x})}), w.number(2)});
            }),
            "Swish Mul");
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId gate = w("Sigmoid", {x});
              return w("Add", {w("Mul", {x, gate}), gate});
            }),
            "Sigmoid Mul Add");
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId gate = model.round("g", w("Sigmoid", {x}), 1.0f / 256, std::uint8_t{0});
              return w("Mul", {x, gate});
            }),
            "Sigmoid Round Mul");
}

TEST(RecognizeHardSwish, HardSigmoidOrClip) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {x, w("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}})});
            }),
            "HardSwish");
  const auto clipped = [](Writer& w, ValueId x, double shift, double upper) {
    return w("Clip", {w("Add", {x, w.number(shift)}), w.number(0), w.number(upper)});
  };
  EXPECT_EQ(operators_of([&](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {x, w("Div", {clipped(w, x, 3, 6), w.number(6)})});
            }),
            "HardSwish");
  EXPECT_EQ(operators_of([&](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Div", {w("Mul", {clipped(w, x, 3, 6), x}), w.number(6)});
            }),
            "HardSwish");
  EXPECT_EQ(operators_of([&](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {w("Mul", {clipped(w, x, 3, 6), x}), w.number(1.0 / 6)});
            }),
            "HardSwish");
  EXPECT_EQ(operators_of(
                [](ModelBuilder& model, ValueId x) {
                  Writer w(model);
                  const ValueId clip =
                      w("Clip", {w("Add", {x, w.number(3)})}, {{"min", 0.0f}, {"max", 6.0f}});
                  return w("Mul", {x, w("Div", {clip, w.number(6)})});
                },
                10),
            "HardSwish");
  for (const auto& [shift, upper] : {std::pair{2.0, 6.0}, std::pair{3.0, 5.0}})
    EXPECT_EQ(operators_of([&](ModelBuilder& model, ValueId x) {
                Writer w(model);
                return w("Mul", {x, w("Div", {clipped(w, x, shift, upper), w.number(6)})});
              }),
              "Add Clip Div Mul");
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {x, w("HardSigmoid", {x})});
            }),
            "HardSigmoid Mul");
}

TEST(RecognizeMish, SoftplusOrItsParts) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {x, w("Tanh", {w("Softplus", {x})})});
            }),
            "Mish");
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId e = w("Exp", {x});
              return w("Mul", {w("Tanh", {w("Log", {w("Add", {e, w.number(1)})})}), x});
            }),
            "Mish");
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              return w("Mul", {x, w("Tanh", {w("Softplus", {w("Neg", {x})})})});
            }),
            "Neg Softplus Tanh Mul");
}

}  // namespace
}  // namespace intact::testing

// Operators that older files spell out become one again; what only looks like them stays.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "canonical.hpp"
#include "model_builder.hpp"

namespace intact::testing {
namespace {

const Shape shape = {2, 3, 8};

/// A chain under test: from x to its result.
using Chain = std::function<ValueId(ModelBuilder&, ValueId)>;

/// Builds nodes without naming each of them.
class Writer {
 public:
  explicit Writer(ModelBuilder& model) : model_(model) {}
  ValueId operator()(const std::string& op, std::vector<ValueId> inputs,
                     const AttributeList& attributes = {}) {
    return model_.node(op, "n" + std::to_string(count_++), std::move(inputs), attributes);
  }
  ValueId number(double value) {
    return model_.scalar("c" + std::to_string(count_++), static_cast<float>(value));
  }
  ValueId row(unsigned seed, float low, float high) {
    return model_.constant("r" + std::to_string(count_++), random_floats({8}, seed, low, high));
  }
  ValueId mean(ValueId x, std::int64_t axis = -1, std::int64_t keepdims = 1) {
    return (*this)("ReduceMean", {x},
                   {{"axes", std::vector<std::int64_t>{axis}}, {"keepdims", keepdims}});
  }

 private:
  ModelBuilder& model_;
  int count_ = 0;
};

/// What the chain becomes; the meaning stays and every source node is accounted for.
Graph recognized(const Chain& chain, int opset = 13) {
  ModelBuilder model(opset);
  const ValueId x = model.input("x", ElementType::f32, shape);
  const Graph raw = model.build({chain(model, x)});
  Graph graph = canonical(raw);
  const std::vector<std::string> sources = all_sources(graph);
  graph.value(graph.inputs[0]).shape = shape;
  infer_shapes(graph);
  recognize_operators(graph);
  EXPECT_NO_THROW(graph.check(&sources));
  expect_same_meaning(raw, graph, {random_floats(shape, 7, -6, 6)}, 2e-5);
  return graph;
}

std::string operators_of(const Chain& chain, int opset = 13) {
  return operators(recognized(chain, opset));
}

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

// --- LayerNormalization

struct Norm {
  bool two_differences = false, square_by_pow = true, reciprocal = false;
  bool scaled = true, biased = true;
  std::int64_t axis = -1, keepdims = 1;
};

Chain layer_norm(const Norm& norm) {
  return [=](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId mean = w.mean(x, norm.axis, norm.keepdims);
    const ValueId d = w("Sub", {x, mean});
    const ValueId other = norm.two_differences ? w("Sub", {x, mean}) : d;
    const ValueId square =
        norm.square_by_pow ? w("Pow", {other, w.number(2)}) : w("Mul", {other, other});
    const ValueId variance = w.mean(square, norm.axis, norm.keepdims);
    const ValueId root = w("Sqrt", {w("Add", {variance, w.number(1e-6)})});
    ValueId y = norm.reciprocal ? w("Mul", {d, w("Reciprocal", {root})}) : w("Div", {d, root});
    if (norm.scaled) y = w("Mul", {y, w.row(3, 0.5f, 1.5f)});
    return norm.biased ? w("Add", {w.row(4, -1, 1), y}) : y;
  };
}

TEST(RecognizeLayerNormalization, EveryVariant) {
  for (const bool two : {false, true})
    for (const bool pow : {false, true})
      for (const bool reciprocal : {false, true})
        for (const bool scaled : {false, true})
          for (const bool biased : {false, true})
            for (const std::int64_t axis : {-1, 2}) {
              const Graph graph =
                  recognized(layer_norm({two, pow, reciprocal, scaled, biased, axis, 1}));
              ASSERT_EQ(operators(graph), "LayerNormalization");
              EXPECT_EQ(graph.nodes[0].attributes.number("epsilon", 0), 1e-6f);
              EXPECT_EQ(graph.nodes[0].inputs.size(), biased ? 3u : 2u);
            }
}

TEST(RecognizeLayerNormalization, AxesAsOperand) {
  EXPECT_EQ(operators_of(
                [](ModelBuilder& model, ValueId x) {
                  Writer w(model);
                  const ValueId axes = model.vector<std::int64_t>("axes", {-1});
                  const ValueId d = w("Sub", {x, w("ReduceMean", {x, axes})});
                  const ValueId variance = w("ReduceMean", {w("Mul", {d, d}), axes});
                  const ValueId root = w("Sqrt", {w("Add", {variance, w.number(1e-5)})});
                  return w("Mul", {w("Div", {d, root}), w.row(3, 0.5f, 1.5f)});
                },
                18),
            "LayerNormalization");
}

/// x * factor + (beta - mean(of) * factor).
Chain shifted(bool swapped, bool of_another = false) {
  return [=](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId mean = w.mean(x), d = w("Sub", {x, mean});
    const ValueId variance = w.mean(w("Mul", {d, d}));
    const ValueId root = w("Sqrt", {w("Add", {variance, w.number(1e-6)})});
    const ValueId factor = w("Mul", {w("Reciprocal", {root}), w.row(3, 0.5f, 1.5f)});
    const ValueId means = of_another ? w.mean(w("Abs", {x})) : mean;
    const ValueId shift = w("Sub", {w.row(4, -1, 1), w("Mul", {means, factor})});
    const ValueId scaled = swapped ? w("Mul", {factor, x}) : w("Mul", {x, factor});
    return swapped ? w("Add", {shift, scaled}) : w("Add", {scaled, shift});
  };
}

TEST(RecognizeLayerNormalization, WithTheScaleInTheDeviation) {
  for (const bool swapped : {false, true}) {
    const Graph graph = recognized(shifted(swapped));
    ASSERT_EQ(operators(graph), "LayerNormalization");
    EXPECT_EQ(graph.nodes[0].inputs.size(), 3u);
  }
  EXPECT_EQ(operators_of(shifted(false, true)).find("Normalization"), std::string::npos);
}

TEST(RecognizeLayerNormalization, OtherAxesStay) {
  Norm along_rows;
  along_rows.axis = 1;
  EXPECT_EQ(operators_of(layer_norm(along_rows)),
            "ReduceMean Sub Pow ReduceMean Add Sqrt Div Mul Add");
}

TEST(RecognizeLayerNormalization, NearMissesStay) {
  const auto count = [](const Chain& chain) {
    return operators_of(chain).find("Normalization") != std::string::npos;
  };
  // The deviation of another tensor.
  EXPECT_FALSE(count([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId d = w("Sub", {x, w.mean(x)});
    const ValueId variance = w.mean(w("Pow", {x, w.number(2)}));
    return w("Div", {d, w("Sqrt", {w("Add", {variance, w.number(1e-5)})})});
  }));
  // The third power.
  EXPECT_FALSE(count([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId d = w("Sub", {x, w.mean(x)});
    const ValueId variance = w.mean(w("Abs", {w("Pow", {d, w.number(3)})}));
    return w("Div", {d, w("Sqrt", {w("Add", {variance, w.number(1e-5)})})});
  }));
  // mean - x.
  EXPECT_FALSE(count([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId d = w("Sub", {w.mean(x), x});
    const ValueId variance = w.mean(w("Pow", {d, w.number(2)}));
    return w("Div", {d, w("Sqrt", {w("Add", {variance, w.number(1e-5)})})});
  }));
  // The variance has another reader.
  EXPECT_FALSE(count([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId d = w("Sub", {x, w.mean(x)});
    const ValueId variance = w.mean(w("Pow", {d, w.number(2)}));
    const ValueId y = w("Div", {d, w("Sqrt", {w("Add", {variance, w.number(1e-5)})})});
    return w("Add", {y, variance});
  }));
  // A grid inside.
  EXPECT_FALSE(count([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId d = model.round("d", w("Sub", {x, w.mean(x)}), 0.05f, std::uint8_t{128});
    const ValueId variance = w.mean(w("Pow", {d, w.number(2)}));
    return w("Div", {d, w("Sqrt", {w("Add", {variance, w.number(1e-5)})})});
  }));
}

TEST(RecognizeLayerNormalization, ScaleAlongOtherAxesStaysAProduct) {
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId d = w("Sub", {x, w.mean(x)});
              const ValueId variance = w.mean(w("Mul", {d, d}));
              const ValueId y = w("Div", {d, w("Sqrt", {w("Add", {variance, w.number(1e-5)})})});
              return w("Mul", {y, model.constant("s", random_floats({3, 1}, 2))});
            }),
            "LayerNormalization Mul");
}

// --- RMSNormalization

Chain rms_norm(bool square_by_pow, bool reciprocal, double power = 2) {
  return [=](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId square = square_by_pow ? w("Pow", {x, w.number(power)}) : w("Mul", {x, x});
    const ValueId root = w("Sqrt", {w("Add", {w.mean(square), w.number(1e-6)})});
    const ValueId y =
        reciprocal ? w("Mul", {x, w("Div", {w.number(1), root})}) : w("Div", {x, root});
    return w("Mul", {w.row(3, 0.5f, 1.5f), y});
  };
}

TEST(RecognizeRmsNormalization, EveryVariant) {
  for (const bool pow : {false, true})
    for (const bool reciprocal : {false, true})
      EXPECT_EQ(operators_of(rms_norm(pow, reciprocal)), "RMSNormalization");
}

TEST(RecognizeRmsNormalization, NearMissesStay) {
  EXPECT_EQ(operators_of(rms_norm(true, false, 4)), "Pow ReduceMean Add Sqrt Div Mul");
  // The root of another tensor.
  EXPECT_EQ(operators_of([](ModelBuilder& model, ValueId x) {
              Writer w(model);
              const ValueId y = w("Neg", {x});
              const ValueId mean = w.mean(w("Mul", {y, y}));
              const ValueId root = w("Sqrt", {w("Add", {mean, w.number(1e-6)})});
              return w("Mul", {w("Div", {x, root}), w.row(3, 0.5f, 1.5f)});
            }),
            "Neg Mul ReduceMean Add Sqrt Div Mul");
}

}  // namespace
}  // namespace intact::testing

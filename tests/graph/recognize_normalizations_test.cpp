// Normalizations in all their spellings become one operator; what only looks like them stays.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/graph/recognized.hpp"

namespace intact::testing {
namespace {

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

TEST(RecognizeLayerNormalization, OtherAxesBetweenTransposes) {
  Norm along_rows;
  along_rows.axis = 1;
  along_rows.scaled = along_rows.biased = false;
  EXPECT_EQ(operators_of(layer_norm(along_rows)), "Transpose LayerNormalization Transpose");
  // The factors run along another axis.
  along_rows.scaled = along_rows.biased = true;
  EXPECT_EQ(operators_of(layer_norm(along_rows)), "Transpose LayerNormalization Transpose Mul Add");
}

TEST(RecognizeLayerNormalization, NearMissesStay) {
  const auto count = [](const Chain& chain) {
    return operators_of(chain).find("LayerNormalization") != std::string::npos;
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
              return w("Mul", {y, model.constant("s", random_floats({2, 1, 1}, 2))});
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

TEST(RecognizeRmsNormalization, NumbersJoinTheScale) {
  const Graph graph = recognized([](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId sum = w("ReduceSumSquare", {x}, {{"axes", std::vector<std::int64_t>{-1}}});
    const ValueId root = w("Sqrt", {w("Add", {sum, w.number(0.5)})});
    return w("Mul", {w("Div", {x, root}), w.number(3)});
  });
  ASSERT_EQ(operators(graph), "RMSNormalization");
  EXPECT_EQ(graph.nodes[0].attributes.number("epsilon", 0), 0.0625f);
  const Tensor& scale = graph.value(graph.nodes[0].inputs[1]).constant;
  EXPECT_EQ(scale.shape(), Shape{8});
  EXPECT_FLOAT_EQ(scale.data<float>()[0], static_cast<float>(3 / std::sqrt(8.0)));
}

// --- LpNormalization

Chain clamped_direction(float scale, double least) {
  return [=](ModelBuilder& model, ValueId x) {
    Writer w(model);
    const ValueId y = scale > 0 ? model.round("x", x, scale, std::uint8_t{128}) : x;
    const ValueId norm = w("ReduceL2", {y}, {{"axes", std::vector<std::int64_t>{-1}}});
    return w("Div", {y, w("Clip", {norm, w.number(least)})});
  };
}

TEST(RecognizeLpNormalization, WhereNoNormLiesBelowTheBound) {
  EXPECT_EQ(operators_of(clamped_direction(0.05f, 1e-12)), "Round LpNormalization");
  EXPECT_EQ(operators_of(clamped_direction(0.05f, 0.1)), "Round ReduceL2 Clip Div");
  EXPECT_EQ(operators_of(clamped_direction(0.05f, 0)), "Round ReduceL2 Clip Div");
  EXPECT_EQ(operators_of(clamped_direction(0, 1e-12)), "ReduceL2 Clip Div");
}

}  // namespace
}  // namespace intact::testing

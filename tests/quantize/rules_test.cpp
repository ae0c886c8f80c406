// Rules of the selection for operators beside the most frequent ones, and what is left alone.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "quantized.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

constexpr std::int64_t channels = 8;

Samples images(const Shape& shape) {
  Samples samples;
  for (unsigned i = 0; i < 4; ++i) samples.push_back({random_floats(shape, 100 + i)});
  return samples;
}

ValueId conv(ModelBuilder& b, const std::string& name, ValueId x, std::int64_t in,
             std::int64_t out) {
  const float size = 1 / std::sqrt(static_cast<float>(in));
  return b.node("Conv", name,
                {x, b.constant(name + ".w", random_floats({out, in, 1, 1}, 7, -size, size)),
                 b.constant(name + ".b", random_floats({out}, 8, -0.2f, 0.2f))});
}

/// A convolution in front of the operator that `build` adds, and one behind it.
struct Between {
  Graph graph;
  Samples samples = images({2, 3, 6, 6});

  template <class Build>
  explicit Between(const Build& build, int opset = 17, std::int64_t out = channels) {
    ModelBuilder b(opset);
    const ValueId x = b.input("x", ElementType::f32, {-1, 3, 6, 6});
    const ValueId y = build(b, conv(b, "first", x, 3, channels));
    graph = b.build({conv(b, "last", y, out, 2)});
  }

  void expect_integer(double bound) const {
    const Pair pair(graph, samples);
    for (const auto& [name, reason] : pair.report.kept_float) ADD_FAILURE() << name << reason;
    expect_integer_and_close(pair, samples, bound);
  }
  void expect_kept(const std::string& reason,
                   double bound = std::numeric_limits<double>::infinity()) const {
    const Pair pair(graph, samples);
    EXPECT_EQ(kept_reason(pair.report, "it"), reason);
    expect_close(pair, samples, bound);
  }
};

constexpr double few_steps = 8 * 4.0 / 255;

TEST(QuantizeRules, QuotientByConstants) {
  Between([](ModelBuilder& b, ValueId x) {
    return b.node("Div", "it", {x, b.scalar("d", 2.5f)});
  }).expect_integer(few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    return b.node("Div", "it", {x, b.constant("d", random_floats({channels, 1, 1}, 3, 0.5f, 2))});
  }).expect_integer(few_steps);
}

TEST(QuantizeRules, DivisorsThatMayBecomeZeroStayFloat) {
  Between([](ModelBuilder& b, ValueId x) {
    Tensor divisors = random_floats({channels, 1, 1}, 3, 0.5f, 2);
    divisors.data<float>()[2] = 1e-3f;
    return b.node("Div", "it", {x, b.constant("d", divisors)});
  }).expect_kept("the smallest of its divisors would be rounded to 0");
  Between([](ModelBuilder& b, ValueId x) {
    const ValueId positive = b.node("Softplus", "positive", {x});
    return b.node("Div", "it", {x, positive});
  }).expect_kept("its divisor is computed, and could be rounded to 0");
}

ValueId where(ModelBuilder& b, ValueId x, ValueId other) {
  Tensor kept(ElementType::boolean, {6, 6});
  for (std::size_t i = 0; i < 36; ++i) kept.data<bool>()[i] = i % 3 != 0;
  return b.node("Where", "it", {b.constant("kept", kept), x, other});
}

TEST(QuantizeRules, Where) {
  Between([](ModelBuilder& b, ValueId x) {
    return where(b, x, b.scalar("zero", 0.0f));
  }).expect_integer(few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    return where(b, x, b.node("Relu", "relu", {x}));
  }).expect_integer(few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    return where(b, x, b.scalar("far", -1e9f));
  }).expect_kept("one of its operands is a constant other than 0");
}

TEST(QuantizeRules, ReductionsOverAnyAxes) {
  for (const char* op : {"ReduceSum", "ReduceMean"})
    for (const Integers& axes : {Integers{3}, Integers{1}, Integers{1, 3}, Integers{-2}}) {
      SCOPED_TRACE(op);
      const bool joined = std::find(axes.begin(), axes.end(), 1) != axes.end();
      Between(
          [&](ModelBuilder& b, ValueId x) {
            if (std::string(op) == "ReduceMean") return b.node(op, "it", {x}, {{"axes", axes}});
            const ValueId scaled = b.node("Mul", "scaled", {x, b.scalar("share", 0.15f)});
            return b.node(op, "it", {scaled, b.vector("axes", axes)});
          },
          13, joined ? 1 : channels)
          .expect_integer(2 * few_steps);
    }
}

TEST(QuantizeRules, WhatVariancesFollowFromStaysFloat) {
  const auto mean = [](ModelBuilder& b, const char* name, ValueId x) {
    return b.node("ReduceMean", name, {x}, {{"axes", Integers{3}}});
  };
  Between([&](ModelBuilder& b, ValueId x) {
    return mean(b, "it", b.node("Mul", "square", {x, x}));
  }).expect_kept("a variance follows from it");
}

TEST(QuantizeRules, NormalizationsOfImages) {
  const auto vectors = [](ModelBuilder& b, ValueId x, std::int64_t size) {
    return std::vector<ValueId>{x, b.constant("scale", random_floats({size}, 3, 0.5f, 1)),
                                b.constant("shift", random_floats({size}, 4, -0.5f, 0.5f))};
  };
  Between([&](ModelBuilder& b, ValueId x) {
    return b.node("Relu", "relu", {b.node("InstanceNormalization", "it", vectors(b, x, channels))});
  }).expect_integer(3 * few_steps);
  Between(
      [&](ModelBuilder& b, ValueId x) {
        return b.node("GroupNormalization", "it", vectors(b, x, channels),
                      {{"num_groups", std::int64_t{2}}});
      },
      21)
      .expect_integer(3 * few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    return b.node("LRN", "it", {x}, {{"size", std::int64_t{3}}, {"alpha", 0.5f}});
  }).expect_integer(few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    return b.node("LpNormalization", "it", {x}, {{"axis", std::int64_t{1}}});
  }).expect_integer(few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    return b.node("MeanVarianceNormalization", "it", {x});
  }).expect_integer(3 * few_steps);
}

/// As exporters write it: groups as channels, factors of the real channels behind.
TEST(QuantizeRules, GroupNormalizationThatIsSpelledOut) {
  Between([](ModelBuilder& b, ValueId x) {
    const auto shape = [&](const char* name, const Integers& extents) {
      return b.vector(name, extents);
    };
    const ValueId groups = b.node("Reshape", "groups", {x, shape("in", {0, 2, -1})});
    const ValueId normalized =
        b.node("InstanceNormalization", "it",
               {groups, b.vector<float>("ones", {1, 1}), b.vector<float>("zeros", {0, 0})});
    const ValueId back =
        b.node("Reshape", "back", {normalized, shape("out", {-1, channels, 6, 6})});
    const ValueId scaled = b.node(
        "Mul", "scaled", {back, b.constant("scale", random_floats({channels, 1, 1}, 3, 0.5f, 1))});
    return b.node("Add", "shifted",
                  {scaled, b.constant("shift", random_floats({channels, 1, 1}, 4, -0.5f, 0.5f))});
  }).expect_integer(3 * few_steps);
}

TEST(QuantizeRules, ConvTransposeInGroups) {
  for (const std::int64_t groups : {2, 8})
    Between([&](ModelBuilder& b, ValueId x) {
      return b.node("ConvTranspose", "it",
                    {x, b.constant("w", random_floats({channels, channels / groups, 2, 2}, 3)),
                     b.constant("b", random_floats({channels}, 4))},
                    {{"group", groups}, {"strides", Integers{2, 2}}});
    }).expect_integer(3 * few_steps);
}

TEST(QuantizeRules, TopKPassesBytes) {
  Between([](ModelBuilder& b, ValueId x) {
    return b.node("TopK", "it", {x, b.vector("k", Integers{4})}, {}, "", 2);
  }).expect_integer(few_steps);
}

/// Gemm in every form, between two products.
void expect_integer_gemm(const AttributeList& attributes, const Shape& weights,
                         const std::function<ValueId(ModelBuilder&, ValueId)>& addend) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {6, 6});
  const ValueId first =
      b.node("MatMul", "first", {x, b.constant("w1", random_floats({6, 6}, 1, -0.4f, 0.4f))});
  std::vector<ValueId> operands = {first, b.constant("w", random_floats(weights, 2, -0.4f, 0.4f))};
  if (addend) operands.push_back(addend(b, first));
  const ValueId gemm = b.node("Gemm", "gemm", operands, attributes);
  const Graph graph = b.build(
      {b.node("MatMul", "last", {gemm, b.constant("w2", random_floats({6, 3}, 3, -0.4f, 0.4f))})});
  const Samples samples = images({6, 6});
  const Pair pair(graph, samples);
  EXPECT_TRUE(pair.report.kept_float.empty());
  expect_integer_and_close(pair, samples, 3 * few_steps);
}

TEST(QuantizeRules, GemmOfEveryForm) {
  const AttributeList all = {
      {"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}};
  expect_integer_gemm(all, {6, 6}, {});
  expect_integer_gemm(all, {6, 6}, [](ModelBuilder& b, ValueId) {
    return b.constant("c", random_floats({6}, 4, -0.3f, 0.3f));
  });
  expect_integer_gemm(all, {6, 6}, [](ModelBuilder& b, ValueId) {
    return b.constant("c", random_floats({6, 6}, 4, -0.3f, 0.3f));
  });
  expect_integer_gemm({{"beta", 0.5f}}, {6, 6}, [](ModelBuilder&, ValueId x) { return x; });
}

TEST(QuantizeRules, GemmOfComputedMatrices) {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {6, 6});
  const ValueId left =
      b.node("MatMul", "left", {x, b.constant("w1", random_floats({6, 6}, 1, -0.4f, 0.4f))});
  const ValueId right =
      b.node("MatMul", "right", {x, b.constant("w2", random_floats({6, 6}, 2, -0.4f, 0.4f))});
  const ValueId gemm = b.node("Gemm", "gemm", {left, right, x},
                              {{"transB", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 0.25f}});
  const Graph graph = b.build(
      {b.node("MatMul", "last", {gemm, b.constant("w3", random_floats({6, 3}, 3, -0.4f, 0.4f))})});
  const Samples samples = images({6, 6});
  const Pair pair(graph, samples);
  EXPECT_EQ(count(pair.graph(), "Gemm"), 0u);
  expect_close(pair, samples, few_steps);
}

TEST(QuantizeRules, ConstantsThatAreNotFiniteAreNamed) {
  const std::string reason = "its constant 'c' holds infinities or NaN, which lie on no grid";
  Between([](ModelBuilder& b, ValueId x) {
    Tensor factors = random_floats({channels, 1, 1}, 3);
    factors.data<float>()[1] = std::numeric_limits<float>::infinity();
    const ValueId product = b.node("Mul", "it", {x, b.constant("c", factors)});
    return b.node("Clip", "clip", {product, b.scalar("low", -1.0f), b.scalar("high", 1.0f)});
  }).expect_kept(reason, 2 * few_steps);
  Between([](ModelBuilder& b, ValueId x) {
    Tensor addends = random_floats({channels, 1, 1}, 3);
    addends.data<float>()[1] = -std::numeric_limits<float>::infinity();
    const ValueId sum = b.node("Add", "it", {x, b.constant("c", addends)});
    return b.node("Relu", "relu", {sum});
  }).expect_kept(reason, 2 * few_steps);
}

/// Attention with a mask that is a constant, of numbers that reach far or have no bound.
TEST(QuantizeRules, MasksInFrontOfSoftmaxStayFloat) {
  for (const float masked : {-1e4f, -std::numeric_limits<float>::infinity()}) {
    ModelBuilder b;
    const ValueId x = b.input("x", ElementType::f32, {6, 8});
    const auto project = [&](const std::string& name, unsigned seed) {
      return b.node("MatMul", name,
                    {x, b.constant(name + ".w", random_floats({8, 8}, seed, -0.4f, 0.4f))});
    };
    const ValueId keys = b.node("Transpose", "keys", {project("k", 2)});
    const ValueId scores = b.node("MatMul", "scores", {project("q", 1), keys});
    Tensor mask(ElementType::f32, {6, 6});
    for (std::size_t i = 0; i < 36; ++i) mask.data<float>()[i] = i % 6 > i / 6 ? masked : 0.0f;
    const ValueId sum = b.node("Add", "masked", {scores, b.constant("mask", mask)});
    const ValueId weights = b.node("Softmax", "softmax", {sum});
    const ValueId context = b.node("MatMul", "context", {weights, project("v", 3)});
    const Graph graph = b.build({b.node(
        "MatMul", "last", {context, b.constant("w", random_floats({8, 3}, 4, -0.4f, 0.4f))})});
    const Samples samples = images({6, 8});
    const Pair pair(graph, samples);
    EXPECT_NE(kept_reason(pair.report, "masked"), "");
    expect_close(pair, samples, few_steps);
    const Flow flow = Session::load(pair.int8_path()).flow(std::vector<Shape>{{6, 8}});
    EXPECT_EQ(flow.float_round_trips, 0);
  }
}

}  // namespace
}  // namespace intact::testing

// Trials of quantized models, and operators that stay float for the sake of accuracy.
#include "tests/quantize/quantized.hpp"

namespace intact::testing {
namespace {

/// Three channels of "narrow" are a thousandth of the fourth, which shares their grid, and "wide"
/// makes them large again: rounding in between loses them.
Graph model_with_a_weak_spot(std::int64_t outputs = 3) {
  ModelBuilder model;
  const ValueId x = model.input("x", ElementType::f32, {1, 4, 8, 8});
  Tensor narrow = random_floats({4, 4, 1, 1}, 1), wide = random_floats({4, 1, 3, 3}, 2);
  for (std::size_t i = 0; i < 12; ++i) narrow.data<float>()[i] *= 1e-3f;
  for (std::size_t i = 0; i < 27; ++i) wide.data<float>()[i] *= 1e3f;
  const ValueId y = model.node(
      "Conv", "wide",
      {model.node("Conv", "narrow", {x, model.constant("n", narrow)}), model.constant("w", wide)},
      {{"group", std::int64_t{4}}});
  return model.build(
      {model.node("Conv", "last", {y, model.constant("v", random_floats({outputs, 4, 1, 1}, 3))})});
}

QuantizeOptions as_it_stands() {
  QuantizeOptions options;
  options.preprocess = false;  // which would even out the channels
  return options;
}

Samples images_of(int count) {
  Samples samples;
  for (int i = 0; i < count; ++i)
    samples.push_back({random_floats({1, 4, 8, 8}, static_cast<unsigned>(i + 1))});
  return samples;
}

TEST(MixedPrecision, ReportsHowWellTheModelAgrees) {
  const Pair pair(model_with_a_weak_spot(), images_of(6), as_it_stands());
  ASSERT_TRUE(pair.report.sqnr_db);
  ASSERT_TRUE(pair.report.disagreement);
  EXPECT_TRUE(pair.report.kept_float.empty());
  const Session real = Session::load(pair.float_path()), integer = Session::load(pair.int8_path());
  double signal = 0, noise = 0;
  for (const auto& sample : images_of(6)) {
    const Tensor expected = real.run(sample)[0], given = integer.run(sample)[0];
    for (std::size_t i = 0; i < expected.data<float>().size(); ++i) {
      const double e = static_cast<double>(expected.data<float>()[i]);
      const double d = e - static_cast<double>(given.data<float>()[i]);
      signal += e * e;
      noise += d * d;
    }
  }
  EXPECT_NEAR(*pair.report.sqnr_db, 10 * std::log10(signal / noise), 1e-3);
  EXPECT_LT(*pair.report.sqnr_db, 15) << "the weak spot of these tests";
}

TEST(MixedPrecision, KeepsTheWeakSpotFloatUntilTheTargetIsMet) {
  QuantizeOptions options = as_it_stands();
  options.target_sqnr_db = 25;
  const Pair pair(model_with_a_weak_spot(), images_of(6), options);
  EXPECT_GE(*pair.report.sqnr_db, 25);
  EXPECT_NE(kept_reason(pair.report, "wide").find("for accuracy: "), std::string::npos);
  EXPECT_EQ(kept_reason(pair.report, "narrow"), "") << "not more than needed";
  for (const OperatorReport& entry : pair.report.operators)
    if (entry.name == "wide") {
      EXPECT_GT(entry.float_gain_db.value_or(0), 5);
    }
}

/// "wide" has half of the multiply-adds in front of 3 outputs, and a thirtieth in front of 256.
TEST(MixedPrecision, SparesWhatCostsLittleWithoutBeingAsked) {
  for (const std::int64_t outputs : {3, 256}) {
    const TemporaryFolder folder;
    save_onnx(model_with_a_weak_spot(outputs), folder / "float.onnx");
    const QuantizeReport report = quantize_static(folder / "float.onnx", folder / "int8.onnx",
                                                  data_of(images_of(6)), as_it_stands());
    EXPECT_EQ(kept_reason(report, "wide").starts_with("for accuracy: "), outputs == 256);
    EXPECT_EQ(*report.sqnr_db > 20, outputs == 256) << *report.sqnr_db;
  }
}

TEST(MixedPrecision, SparesSeveralWhereNoneGainsAlone) {
  QuantizeOptions options = as_it_stands();
  options.target_sqnr_db = 500;
  const QuantizeReport report = Pair(model_with_a_weak_spot(), images_of(3), options).report;
  EXPECT_GE(*report.sqnr_db, 500) << "the float model";
  EXPECT_TRUE(report.quantized.empty());
  EXPECT_TRUE(report.notes.empty());
}

TEST(MixedPrecision, GoalMayBeTheShareOfChangedClasses) {
  QuantizeOptions options = as_it_stands();
  options.max_drop = 0;
  const Pair pair(model_with_a_weak_spot(), images_of(6), options);
  EXPECT_EQ(*pair.report.disagreement, 0);
}

TEST(MixedPrecision, InDynamicMode) {
  const TemporaryFolder folder;
  save_onnx(model_with_a_weak_spot(), folder / "float.onnx");
  QuantizeOptions options = as_it_stands();
  const auto report = [&] {
    return quantize_dynamic(folder / "float.onnx", folder / "int8.onnx", options,
                            data_of(images_of(6)));
  };
  const double before = *report().sqnr_db;
  EXPECT_LT(before, 15) << "the weak spot of these tests";
  options.target_sqnr_db = 25;
  const QuantizeReport met = report();
  EXPECT_GE(*met.sqnr_db, 25);
  EXPECT_NE(kept_reason(met, "wide").find("for accuracy: "), std::string::npos);
  EXPECT_EQ(met.quantized, (std::vector<std::string>{"narrow", "last"}));
  const Graph graph = load_onnx(folder / "int8.onnx");
  EXPECT_TRUE(node_named(graph, "wide").is("Conv"));
  EXPECT_EQ(count(graph, "ConvInteger"), 2u);
  options.target_sqnr_db = 500;
  EXPECT_TRUE(report().quantized.empty());
}

}  // namespace
}  // namespace intact::testing

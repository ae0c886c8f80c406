// Patterns of --exclude and --include: what they match, and what is said when that is nothing.
#include "quantize/select/patterns.hpp"

#include "quantized.hpp"
#include "tests/graph/evaluate.hpp"

namespace intact::testing {
namespace {

using Names = std::set<std::string>;

/// Conv, Relu, Conv, Add of a constant, Clip, Sigmoid, with names in folders.
Graph head_and_body() {
  ModelBuilder b;
  const ValueId x = b.input("x", ElementType::f32, {1, 3, 6, 6});
  const ValueId first =
      b.node("Conv", "/body/conv", {x, b.constant("w1", random_floats({4, 3, 1, 1}, 1))});
  const ValueId relu = b.node("Relu", "/body/relu", {first});
  const ValueId second =
      b.node("Conv", "/head/conv", {relu, b.constant("w2", random_floats({4, 4, 1, 1}, 2))});
  const ValueId sum =
      b.node("Add", "/head/add", {second, b.constant("a", random_floats({4, 1, 1}, 3))});
  const ValueId clip =
      b.node("Clip", "/head/clip", {sum, b.scalar("low", 0.0f), b.scalar("high", 6.0f)});
  return b.build({b.node("Sigmoid", "/head/out", {clip})});
}

Names kept_out(const std::vector<std::string>& exclude,
               const std::vector<std::string>& include = {}) {
  const Graph graph = head_and_body();
  return NodePatterns(graph, exclude, include).kept_out(graph);
}

TEST(Patterns, NamesTypesAndWildcards) {
  EXPECT_EQ(kept_out({}), Names{});
  EXPECT_EQ(kept_out({"/head/conv"}), Names{"/head/conv"});
  EXPECT_EQ(kept_out({"*/conv", "op:Sig*"}), (Names{"/body/conv", "/head/conv", "/head/out"}));
  EXPECT_EQ(kept_out({"/body/*"}), (Names{"/body/conv", "/body/relu"}));
  EXPECT_EQ(kept_out({"/hea?/out"}), Names{"/head/out"});
}

TEST(Patterns, IncludedProductsTakeWhatBelongsToThem) {
  EXPECT_EQ(kept_out({}, {"op:Conv"}), Names{"/head/out"});
  EXPECT_EQ(kept_out({}, {"/head/*"}), (Names{"/body/conv", "/body/relu"}));
  EXPECT_EQ(kept_out({"/body/relu"}, {"op:Conv"}), (Names{"/body/relu", "/head/out"}));
}

TEST(Patterns, NothingMatchedIsAnError) {
  EXPECT_EQ(error_of([] { kept_out({"/head/con"}); }),
            "no node of the model matches '/head/con'; nearly alike: '/head/conv'");
  EXPECT_EQ(error_of([] { kept_out({}, {"op:conv"}); }),
            "no node of the model matches 'op:conv'; nearly alike: 'Conv'");
  EXPECT_EQ(error_of([] { kept_out({"op:LSTM"}); }),
            "no node of the model matches 'op:LSTM'; the model has Add, Clip, Conv, Relu, Sigmoid");
  EXPECT_EQ(error_of([] { kept_out({"zzz*"}); }),
            "no node of the model matches 'zzz*'; `intact flow` lists their names");
}

TEST(Patterns, IncludeLimitsBothModes) {
  QuantizeOptions options;
  options.include = {"/head/*"};
  const Pair pair(head_and_body(), {{random_floats({1, 3, 6, 6}, 7)}}, options);
  EXPECT_EQ(kept_reason(pair.report, "/body/conv"), "excluded");
  EXPECT_EQ(kept_reason(pair.report, "/head/conv"), "");
  const QuantizeReport dynamic =
      quantize_dynamic(pair.float_path(), pair.folder / "dynamic.onnx", options);
  EXPECT_EQ(dynamic.quantized, std::vector<std::string>{"/head/conv"});
  EXPECT_EQ(kept_reason(dynamic, "/body/conv"), "excluded");
}

}  // namespace
}  // namespace intact::testing

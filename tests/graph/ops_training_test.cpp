// What a training step shares with inference: optimizers, BatchNormalization of a batch. And
// TfIdfVectorizer.
#include <cmath>

#include "graph/ops/unsupported.hpp"
#include "tests/graph/evaluate.hpp"

namespace intact::testing {
namespace {

using Floats = std::vector<float>;
const Tensor one_step = Tensor::scalar(std::int64_t{1});

void expect_near(const Tensor& actual, const Floats& expected) {
  ASSERT_EQ(actual.size(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_FLOAT_EQ(actual.data<float>()[i], expected[i]) << "element " << i;
}

Op optimizer(const char* name, int outputs) {
  Op op(name, outputs);
  return op.in("ai.onnx.preview.training").at(1);
}

TEST(Optimizers, adagrad_divides_by_the_root_of_squared_gradients) {
  const auto results = optimizer("Adagrad", 2)
                           .with("epsilon", 0.0f)
                           .with("decay_factor", 1.0f)
                           .all({Tensor::scalar(0.5f), one_step, floats({2}, {1, 2}),
                                 floats({2}, {3, 4}), floats({2}, {16, 9})});
  EXPECT_EQ(values_of<float>(results[1]), (Floats{25, 25}));
  // The rate is 0.5 / (1 + 1 * 1).
  expect_near(results[0], {1 - 0.25f * 3 / 5, 2 - 0.25f * 4 / 5});
}

TEST(Optimizers, momentum_keeps_a_running_gradient) {
  const std::vector<Tensor> inputs = {Tensor::scalar(0.1f), one_step, floats({1}, {1}),
                                      floats({1}, {2}), floats({1}, {10})};
  auto standard = optimizer("Momentum", 2).with("alpha", 0.5f).with("beta", 2.0f).all(inputs);
  EXPECT_FLOAT_EQ(standard[1].data<float>()[0], 0.5f * 10 + 2 * 2);
  EXPECT_FLOAT_EQ(standard[0].data<float>()[0], 1 - 0.1f * 9);
  auto nesterov = optimizer("Momentum", 2)
                      .with("alpha", 0.5f)
                      .with("beta", 2.0f)
                      .with("mode", "nesterov")
                      .all(inputs);
  EXPECT_FLOAT_EQ(nesterov[0].data<float>()[0], 1 - 0.1f * (2 + 0.5f * 9));
}

TEST(Optimizers, take_several_tensors_grouped_by_kind) {
  const auto results =
      optimizer("Momentum", 4)
          .with("alpha", 1.0f)
          .with("beta", 1.0f)
          .all({Tensor::scalar(0.5f), one_step, floats({1}, {1}), floats({2}, {2, 3}),
                floats({1}, {10}), floats({2}, {20, 30}), floats({1}, {4}), floats({2}, {6, 8})});
  EXPECT_EQ(values_of<float>(results[0]), (Floats{1 - 7}));
  EXPECT_EQ(values_of<float>(results[1]), (Floats{2 - 13, 3 - 19}));
  EXPECT_EQ(values_of<float>(results[2]), (Floats{14}));
  EXPECT_EQ(values_of<float>(results[3]), (Floats{26, 38}));
}

TEST(Optimizers, count_their_operands) {
  const std::string text = error_of([] {
    optimizer("Momentum", 2).all({Tensor::scalar(0.1f), one_step, floats({1}, {1})});
  });
  EXPECT_NE(text.find("3 operands"), std::string::npos) << text;
}

TEST(BatchNormalization, of_a_batch_updates_the_statistics) {
  const auto results = Op("BatchNormalization", 3)
                           .at(15)
                           .with("training_mode", 1)
                           .with("momentum", 0.75f)
                           .with("epsilon", 0.0f)
                           .all({floats({2, 1, 2}, {1, 3, 5, 7}), floats({1}, {1}),
                                 floats({1}, {10}), floats({1}, {8}), floats({1}, {1})});
  const float root = std::sqrt(5.0f);
  expect_near(results[0], {10 - 3 / root, 10 - 1 / root, 10 + 1 / root, 10 + 3 / root});
  expect_near(results[1], {8 * 0.75f + 4 * 0.25f});
  expect_near(results[2], {1 * 0.75f + 5 * 0.25f});
}

Op vectorizer() {
  return Op("TfIdfVectorizer")
      .with("mode", "TF")
      .with("min_gram_length", 1)
      .with("max_gram_length", 2)
      .with("ngram_counts", std::vector<std::int64_t>{0, 2})
      .with("ngram_indexes", std::vector<std::int64_t>{0, 2, 1})
      .with("pool_int64s", std::vector<std::int64_t>{5, 6, 5, 6});
}

TEST(TfIdfVectorizer, counts_ngrams_and_skips_items) {
  EXPECT_EQ(values_of<float>(vectorizer()(list({5, 6, 5, 1, 6}))), (Floats{2, 1, 2}));
  // 5 . 6 counts when one item may be skipped; single items are not counted again.
  EXPECT_EQ(values_of<float>(vectorizer().with("max_skip_count", 1)(list({5, 6, 5, 1, 6}))),
            (Floats{2, 2, 2}));
  EXPECT_EQ(vectorizer()(int64s({2, 2}, {5, 6, 6, 6})).shape(), (Shape{2, 3}));
  EXPECT_EQ(values_of<float>(vectorizer()(int64s({2, 2}, {5, 6, 6, 6}))),
            (Floats{1, 1, 1, 0, 0, 2}));
}

TEST(TfIdfVectorizer, weighs_counts_or_presence) {
  const Attribute weights = Floats{2, 3, 4};
  const Tensor items = list({5, 5, 6});
  EXPECT_EQ(values_of<float>(vectorizer().with("weights", weights).with("mode", "IDF")(items)),
            (Floats{2, 4, 3}));
  EXPECT_EQ(values_of<float>(vectorizer().with("weights", weights).with("mode", "TFIDF")(items)),
            (Floats{4, 4, 3}));
}

TEST(TfIdfVectorizer, refuses_pools_that_do_not_fit) {
  const auto error = [](Op op) { return error_of([&] { op(list({1})); }); };
  EXPECT_NE(error(vectorizer().with("mode", "X")).find("TF, IDF or TFIDF"), std::string::npos);
  EXPECT_NE(error(vectorizer().with("max_gram_length", 3)).find("lengths 1 to 2"),
            std::string::npos);
  EXPECT_NE(error(vectorizer().with("ngram_counts", std::vector<std::int64_t>{0, 9}))
                .find("does not hold"),
            std::string::npos);
  EXPECT_NE(error(vectorizer().with("ngram_indexes", std::vector<std::int64_t>{0}))
                .find("1 entries for 3"),
            std::string::npos);
}

TEST(Unsupported, operators_that_are_left_out_say_why) {
  EXPECT_NE(error_of([] { Op("StringConcat")(list({1})); }).find("strings"), std::string::npos);
  for (const UnsupportedOperator& other : unsupported_operators())
    EXPECT_EQ(find_definition(other.op, other.domain), nullptr)
        << other.op << " has a definition; remove it from graph/ops/unsupported.cpp";
}

}  // namespace
}  // namespace intact::testing

// TfIdfVectorizer: values by hand, and pools that do not fit.
#include "evaluate.hpp"

namespace intact::testing {
namespace {

using Floats = std::vector<float>;

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

}  // namespace
}  // namespace intact::testing

// Attention and RotaryEmbedding of ONNX, against the formula.
#include <cmath>
#include <functional>
#include <limits>

#include "graph/convert.hpp"
#include "tests/graph/file_op.hpp"

namespace intact {
namespace {

using namespace intact::testing;

const Tensor none;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t batch = 2, size = 3;

/// What is added to the score of query s and key t.
using Bias = std::function<double(std::int64_t b, std::int64_t h, std::int64_t s, std::int64_t t)>;
const Bias everything = [](auto...) { return 0.0; };

/// Element of x [B, heads, rows, size].
double at(const Tensor& x, std::int64_t b, std::int64_t h, std::int64_t row, std::int64_t c) {
  const Shape& shape = x.shape();
  return static_cast<double>(x.data<float>()[static_cast<std::size_t>(
      ((b * shape[1] + h) * shape[2] + row) * shape[3] + c)]);
}

struct Formula {
  Tensor q, k, v;
  Bias bias = everything;
  double scale = 1 / std::sqrt(double{size}), softcap = 0;

  std::int64_t keys() const { return k.shape()[2]; }
  std::int64_t head(std::int64_t h) const { return h / (q.shape()[1] / k.shape()[1]); }
  double score(std::int64_t b, std::int64_t h, std::int64_t s, std::int64_t t) const {
    double sum = 0;
    for (std::int64_t c = 0; c < size; ++c) sum += at(q, b, h, s, c) * at(k, b, head(h), t, c);
    sum *= scale;
    return softcap > 0 ? softcap * std::tanh(sum / softcap) : sum;
  }
  /// Rows without a key are zero.
  std::vector<double> weights(std::int64_t b, std::int64_t h, std::int64_t s) const {
    std::vector<double> row;
    double sum = 0;
    for (std::int64_t t = 0; t < keys(); ++t) {
      row.push_back(std::exp(score(b, h, s, t) + bias(b, h, s, t)));
      sum += row.back();
    }
    for (double& weight : row) weight = sum == 0 ? 0 : weight / sum;
    return row;
  }
  /// Calls body(b, h, s) in the order of [B, heads, S].
  template <class Body>
  void for_rows(Body body) const {
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t h = 0; h < q.shape()[1]; ++h)
        for (std::int64_t s = 0; s < q.shape()[2]; ++s) body(b, h, s);
  }
  std::vector<double> result() const {
    std::vector<double> values;
    for_rows([&](auto b, auto h, auto s) {
      const std::vector<double> row = weights(b, h, s);
      for (std::int64_t c = 0; c < size; ++c) {
        values.push_back(0);
        for (std::int64_t t = 0; t < keys(); ++t)
          values.back() += row[static_cast<std::size_t>(t)] * at(v, b, head(h), t, c);
      }
    });
    return values;
  }
};

void expect_near(const Tensor& actual, const std::vector<double>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(actual.data<float>()[i]), expected[i], 1e-5) << "element " << i;
}

Formula heads_of(std::int64_t queries, std::int64_t keys, std::int64_t s = 4, std::int64_t t = 5) {
  return {random_floats({batch, queries, s, size}, 1, -2, 2),
          random_floats({batch, keys, t, size}, 2, -2, 2),
          random_floats({batch, keys, t, size}, 3)};
}

FileOp attention(int outputs = 1) {
  return FileOp("Attention", outputs);
}

/// [B, heads, S, H] -> [B, S, heads * H].
Tensor merged(const Tensor& x) {
  const Shape& shape = x.shape();
  Tensor result(ElementType::f32, {shape[0], shape[2], shape[1] * shape[3]});
  auto* to = result.data<float>().data();
  for (std::int64_t b = 0; b < shape[0]; ++b)
    for (std::int64_t s = 0; s < shape[2]; ++s)
      for (std::int64_t h = 0; h < shape[1]; ++h)
        for (std::int64_t c = 0; c < shape[3]; ++c) *to++ = static_cast<float>(at(x, b, h, s, c));
  return result;
}

TEST(StandardAttention, HeadsInFront) {
  Formula f = heads_of(2, 2);
  expect_near(attention()(f.q, f.k, f.v), f.result());
  f.scale = 0.25;
  f.softcap = 0.5;
  expect_near(attention().with("scale", 0.25F).with("softcap", 0.5F)(f.q, f.k, f.v), f.result());
}

TEST(StandardAttention, HeadsSideBySide) {
  const Formula f = heads_of(4, 2);
  const Tensor y = attention()
                       .with("q_num_heads", 4)
                       .with("kv_num_heads", 2)(merged(f.q), merged(f.k), merged(f.v));
  EXPECT_EQ(y.shape(), (Shape{batch, 4, 12}));
  expect_near(y,
              values_of<double>(convert(merged(Tensor::from<float>(f.q.shape(),
                                                                   [&] {
                                                                     const auto wide = f.result();
                                                                     return std::vector<float>(
                                                                         wide.begin(), wide.end());
                                                                   }())),
                                        ElementType::f64)));
}

TEST(StandardAttention, HeadsShareKeys) {
  const Formula f = heads_of(6, 2);
  expect_near(attention()(f.q, f.k, f.v), f.result());
}

TEST(StandardAttention, CausalCountsFromTheFirstKey) {
  Formula f = heads_of(2, 2);
  f.bias = [](auto, auto, auto s, auto t) { return t <= s ? 0 : -infinity; };
  expect_near(attention().with("is_causal", 1)(f.q, f.k, f.v), f.result());
}

TEST(StandardAttention, PastKeysComeFirst) {
  Formula f = heads_of(2, 2, 3, 3);
  const Tensor past_k = random_floats({batch, 2, 2, size}, 8),
               past_v = random_floats({batch, 2, 2, size}, 9);
  const auto y = attention(3).with("is_causal", 1).all({f.q, f.k, f.v, none, past_k, past_v});
  f.k = y[1];
  f.v = y[2];
  ASSERT_EQ(f.k.shape(), (Shape{batch, 2, 5, size}));
  EXPECT_EQ(at(f.k, 1, 1, 1, 2), at(past_k, 1, 1, 1, 2));
  f.bias = [](auto, auto, auto s, auto t) { return t <= s + 2 ? 0 : -infinity; };
  expect_near(y[0], f.result());
}

TEST(StandardAttention, BooleanMasksMayHideWholeRows) {
  Formula f = heads_of(2, 2, 2, 3);
  const Tensor mask = booleans({2, 3}, {true, false, true, false, false, false});
  f.bias = [](auto, auto, auto s, auto t) { return s == 0 && t != 1 ? 0 : -infinity; };
  const auto y = attention(4).with("qk_matmul_output_mode", 3).all({f.q, f.k, f.v, mask});
  expect_near(y[0], f.result());
  EXPECT_EQ(y[0].data<float>()[3], 0);  // the second query
  std::vector<double> weights;
  f.for_rows([&](auto b, auto h, auto s) {
    const auto row = f.weights(b, h, s);
    weights.insert(weights.end(), row.begin(), row.end());
  });
  expect_near(y[3], weights);
}

TEST(StandardAttention, ShortMasksHideWhatIsBehindThem) {
  Formula f = heads_of(2, 2, 2, 5);
  const Tensor mask = random_floats({batch, 1, 2, 4}, 7);
  f.bias = [&](auto b, auto, auto s, auto t) {
    return t < 4 ? static_cast<double>(
                       mask.data<float>()[static_cast<std::size_t>((b * 2 + s) * 4 + t)])
                 : -infinity;
  };
  expect_near(attention()(f.q, f.k, f.v, mask), f.result());
}

TEST(StandardAttention, LengthsOfACacheOutside) {
  Formula f = heads_of(4, 2, 2, 5);
  const Tensor lengths = list({5, 3});
  f.bias = [](auto b, auto, auto, auto t) { return t < (b == 0 ? 5 : 3) ? 0 : -infinity; };
  expect_near(attention()(f.q, f.k, f.v, none, none, none, lengths), f.result());
  // The last query is the last key that counts.
  f.bias = [](auto b, auto, auto s, auto t) { return t <= (b == 0 ? 3 : 1) + s ? 0 : -infinity; };
  expect_near(attention().with("is_causal", 1)(f.q, f.k, f.v, none, none, none, lengths),
              f.result());
}

TEST(StandardAttention, Windows) {
  Formula f = heads_of(2, 2, 5, 5);
  f.bias = [](auto, auto, auto s, auto t) { return t >= s - 1 && t <= s + 2 ? 0 : -infinity; };
  expect_near(attention().with("left_window_size", 1).with("right_window_size", 2)(f.q, f.k, f.v),
              f.result());
}

TEST(StandardAttention, GivesTheScores) {
  Formula f = heads_of(2, 2, 2, 3);
  const Tensor mask = random_floats({2, 3}, 7);
  const auto scores = [&](const Formula& formula, bool masked) {
    std::vector<double> values;
    formula.for_rows([&](auto b, auto h, auto s) {
      for (std::int64_t t = 0; t < 3; ++t)
        values.push_back(
            formula.score(b, h, s, t) +
            (masked ? static_cast<double>(mask.data<float>()[static_cast<std::size_t>(s * 3 + t)])
                    : 0));
    });
    return values;
  };
  const auto given = [&](int mode) {
    return attention(4)
        .with("softcap", 0.7F)
        .with("qk_matmul_output_mode", mode)
        .all({f.q, f.k, f.v, mask})[3];
  };
  expect_near(given(0), scores(f, false));
  f.softcap = 0.7;
  expect_near(given(1), scores(f, false));
  expect_near(given(2), scores(f, true));
}

TEST(StandardAttention, HalfPrecision) {
  const Formula f = heads_of(4, 2, 2, 3);
  const auto half = [](const Tensor& x) { return convert(x, ElementType::f16); };
  const Tensor y =
      attention().with("is_causal", 1).with("softcap", 2.0F)(half(f.q), half(f.k), half(f.v));
  EXPECT_EQ(y.type(), ElementType::f16);
}

TEST(StandardAttention, Refusals) {
  const Formula f = heads_of(4, 2);
  const auto refusal = [](FileOp op, std::vector<Tensor> operands) {
    return error_of([&] { op.all(operands); });
  };
  const auto expect = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(refusal(attention(), {merged(f.q), merged(f.k), merged(f.v)}),
         "q_num_heads is 0 and kv_num_heads 0; with operands of rank 3 they must be positive");
  expect(refusal(attention(), {f.q, heads_of(4, 3).k, heads_of(4, 3).v}),
         "4 heads of queries cannot share 3 heads of keys evenly");
  expect(refusal(attention(), {f.q, f.k, f.v, none, f.k}),
         "past_key and past_value must be given together");
  expect(refusal(attention(), {f.q, f.k, f.v, none, f.k, f.v, list({1, 1})}),
         "nonpad_kv_seqlen must not be given together with past_key");
  expect(refusal(attention(4).with("qk_matmul_output_mode", 4), {f.q, f.k, f.v}),
         "qk_matmul_output_mode is 4; it must be from 0 to 3");
  expect(refusal(attention(), {floats({2}, {1, 2}), f.k, f.v}),
         "operand 0 has rank 1; it must have rank 3 or 4");
}

TEST(StandardRotary, TurnsPairs) {
  // Cosine 0 and sine 1: (a, b) becomes (-b, a).
  const Tensor x = floats({1, 1, 1, 4}, {1, 2, 3, 4});
  const Tensor cosines(ElementType::f32, {1, 1, 2}), sines = floats({1, 1, 2}, {1, 1});
  const auto op = [] { return FileOp("RotaryEmbedding"); };
  expect_near(op()(x, cosines, sines), {-3, -4, 1, 2});
  expect_near(op().with("interleaved", 1)(x, cosines, sines), {-2, 1, -4, 3});
  const Tensor part = floats({1, 1, 1}, {1});
  expect_near(op().with("rotary_embedding_dim", 2)(x, Tensor(ElementType::f32, {1, 1, 1}), part),
              {-2, 1, 3, 4});
}

TEST(StandardRotary, LooksUpPositions) {
  // Angles 0 and 90 degrees at positions 0 and 1; two heads side by side.
  const Tensor cosines = floats({2, 1}, {1, 0}), sines = floats({2, 1}, {0, 1});
  const Tensor x = floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor positions = int64s({1, 2}, {1, 0});
  expect_near(FileOp("RotaryEmbedding").with("num_heads", 2)(x, cosines, sines, positions),
              {-2, 1, -4, 3, 5, 6, 7, 8});
}

}  // namespace
}  // namespace intact

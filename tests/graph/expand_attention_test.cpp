// Attention of com.microsoft in its packings, against the formula.
#include <cmath>

#include "graph/convert.hpp"
#include "tests/graph/file_op.hpp"

namespace intact {
namespace {

using namespace intact::testing;

const Tensor none;
constexpr std::int64_t batch = 2, heads = 2, size = 3, width = heads * size;

/// x [B, S, columns] in f64.
struct Sequence {
  std::int64_t length, columns;
  std::vector<double> values;
  double at(std::int64_t b, std::int64_t s, std::int64_t c) const {
    return values[static_cast<std::size_t>((b * length + s) * columns + c)];
  }
};

Sequence sequence_of(const Tensor& x) {
  const Tensor wide = convert(x, ElementType::f64);
  return {x.shape()[1], x.shape()[2], {wide.data<double>().begin(), wide.data<double>().end()}};
}

/// x * w + bias.
Sequence projected(const Sequence& x, const Tensor& w, const Tensor& bias, std::int64_t first) {
  Sequence y{x.length, width, {}};
  const std::int64_t columns = w.shape()[1];
  for (std::int64_t row = 0; row < batch * x.length; ++row)
    for (std::int64_t c = 0; c < width; ++c) {
      double sum = static_cast<double>(bias.data<float>()[static_cast<std::size_t>(first + c)]);
      for (std::int64_t k = 0; k < x.columns; ++k)
        sum +=
            x.values[static_cast<std::size_t>(row * x.columns + k)] *
            static_cast<double>(w.data<float>()[static_cast<std::size_t>(k * columns + first + c)]);
      y.values.push_back(sum);
    }
  return y;
}

/// Whether, or how much less, key t counts for query s of sequence b.
using Mask = std::function<double(std::int64_t b, std::int64_t s, std::int64_t t)>;

std::vector<double> attention(const Sequence& q, const Sequence& k, const Sequence& v,
                              const Mask& mask, double scale = 1 / std::sqrt(double{size})) {
  std::vector<double> result(static_cast<std::size_t>(batch * q.length * width));
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t s = 0; s < q.length; ++s) {
        std::vector<double> weights;
        double sum = 0;
        for (std::int64_t t = 0; t < k.length; ++t) {
          double score = 0;
          for (std::int64_t c = h * size; c < (h + 1) * size; ++c)
            score += q.at(b, s, c) * k.at(b, t, c);
          weights.push_back(std::exp(score * scale + mask(b, s, t)));
          sum += weights.back();
        }
        for (std::int64_t t = 0; t < k.length; ++t)
          for (std::int64_t c = h * size; c < (h + 1) * size; ++c)
            result[static_cast<std::size_t>((b * q.length + s) * width + c)] +=
                weights[static_cast<std::size_t>(t)] / sum * v.at(b, t, c);
      }
  return result;
}

void expect_near(const Tensor& actual, const std::vector<double>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(actual.data<float>()[i]), expected[i], 1e-5) << "element " << i;
}

const Mask everything = [](auto, auto, auto) { return 0.0; };
constexpr double hidden = -10000;

struct Packed {
  Tensor x = random_floats({batch, 4, 5}, 1), w = random_floats({5, 3 * width}, 2),
         bias = random_floats({3 * width}, 3);

  FileOp op() const { return FileOp("Attention").in("com.microsoft").with("num_heads", 2); }
  std::vector<double> expected(const Mask& mask, double scale = 1 / std::sqrt(double{size})) const {
    const Sequence in = sequence_of(x);
    return attention(projected(in, w, bias, 0), projected(in, w, bias, width),
                     projected(in, w, bias, 2 * width), mask, scale);
  }
};

Tensor int32s(Shape shape, std::vector<std::int32_t> values) {
  return Tensor::from<std::int32_t>(std::move(shape), values);
}

TEST(ExpandAttention, OneMatrix) {
  const Packed p;
  expect_near(p.op()(p.x, p.w, p.bias), p.expected(everything));
  expect_near(p.op().with("scale", 0.25F)(p.x, p.w, p.bias), p.expected(everything, 0.25));
}

TEST(ExpandAttention, Masks) {
  const Packed p;
  const Tensor keys = int32s({batch, 4}, {1, 1, 1, 0, 1, 1, 0, 0});
  const Mask padded = [](auto b, auto, auto t) { return t < 3 - b ? 0 : hidden; };
  expect_near(p.op()(p.x, p.w, p.bias, keys), p.expected(padded));
  expect_near(p.op()(p.x, p.w, p.bias, int32s({batch}, {3, 2})), p.expected(padded));
  const Tensor pairs(ElementType::s32, {batch, 4, 4});
  for (std::size_t i = 0; i < 32; ++i)
    Tensor(pairs).data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 7 % 3 != 0 || i % 5 == 0);
  expect_near(p.op()(p.x, p.w, p.bias, pairs), p.expected([&](auto b, auto s, auto t) {
    return pairs.data<std::int32_t>()[static_cast<std::size_t>((b * 4 + s) * 4 + t)] != 0 ? 0
                                                                                          : hidden;
  }));
  expect_near(p.op().with("unidirectional", 1)(p.x, p.w, p.bias),
              p.expected([](auto, auto s, auto t) { return t <= s ? 0 : hidden; }));
}

TEST(ExpandAttention, AddedToTheScores) {
  const Packed p;
  const Tensor bias = random_floats({1, 1, 4, 4}, 9);
  expect_near(p.op()(p.x, p.w, p.bias, none, none, bias), p.expected([&](auto, auto s, auto t) {
    return static_cast<double>(bias.data<float>()[static_cast<std::size_t>(s * 4 + t)]);
  }));
}

TEST(ExpandAttention, RefusesWhatItCannotExpress) {
  const Packed p;
  const auto refusal = [&](FileOp op, const Tensor& mask) {
    return error_of([&] { op(p.x, p.w, p.bias, mask); });
  };
  EXPECT_NE(refusal(p.op().with("do_rotary", 1), none).find("do_rotary is not supported"),
            std::string::npos);
  EXPECT_NE(refusal(p.op(), Tensor(ElementType::s32, {2, 1, 4, 4}))
                .find("a mask of rank 4 is not supported; ranks 1 (lengths), 2 and 3 are"),
            std::string::npos);
  EXPECT_NE(refusal(FileOp("Attention").in("com.microsoft"), none)
                .find("num_heads is 0; it must be positive"),
            std::string::npos);
  EXPECT_NE(refusal(FileOp("Attention").in("com.microsoft").with("num_heads", 4), none)
                .find("the weights have 18 columns, which are not three times 4 heads"),
            std::string::npos);
}

TEST(ExpandAttention, SeparateProjections) {
  const Tensor q = random_floats({batch, 4, width}, 1), k = random_floats({batch, 5, width}, 2),
               v = random_floats({batch, 5, width}, 3);
  const auto op = [] {
    return FileOp("MultiHeadAttention").in("com.microsoft").with("num_heads", 2);
  };
  expect_near(op()(q, k, v), attention(sequence_of(q), sequence_of(k), sequence_of(v), everything));
  const Tensor zeros(ElementType::f32, {3 * width});
  expect_near(op()(q, k, v, zeros),
              attention(sequence_of(q), sequence_of(k), sequence_of(v), everything));
  // Keys and values that are packed [B, S, heads, 2, H].
  Tensor kv(ElementType::f32, {batch, 5, heads, 2, size});
  for (std::int64_t i = 0; i < kv.size(); ++i) {
    const std::int64_t row = i / (2 * width), head = i / (2 * size) % heads, c = i % size;
    const Tensor& from = i / size % 2 == 0 ? k : v;
    kv.data<float>()[static_cast<std::size_t>(i)] =
        from.data<float>()[static_cast<std::size_t>(row * width + head * size + c)];
  }
  expect_near(op()(q, kv), attention(sequence_of(q), sequence_of(k), sequence_of(v), everything));
}

TEST(ExpandAttention, PastKeysComeFirst) {
  // All zero but the values: every key counts the same, so the result is the mean of the values.
  const Tensor q(ElementType::f32, {1, 1, 2}), k = q, v = floats({1, 1, 2}, {4, 8});
  const Tensor past_k(ElementType::f32, {1, 1, 1, 2}), past_v = floats({1, 1, 1, 2}, {2, 2});
  const auto y = FileOp("MultiHeadAttention", 3)
                     .in("com.microsoft")
                     .with("num_heads", 1)
                     .all({q, k, v, none, none, none, past_k, past_v});
  expect_near(y[0], {3, 5});
  EXPECT_EQ(y[1].shape(), (Shape{1, 1, 2, 2}));
  expect_near(y[2], {2, 2, 4, 8});
}

/// One head of queries and keys of size 2, all alike, so that every visible key counts the same.
struct Decoder {
  Tensor q = Tensor(ElementType::f32, {1, 1, 4}), k = Tensor(ElementType::f32, {1, 1, 2});
  Tensor past_k = Tensor(ElementType::f32, {1, 1, 3, 2}),
         past_v = floats({1, 1, 3, 2}, {1, 2, 3, 6, 100, 100});
  Tensor v = floats({1, 1, 2}, {5, 10});

  std::vector<Tensor> run(FileOp op, std::int32_t total, std::int32_t length) const {
    return op.all({q, k, v, past_k, past_v, int32s({1}, {length - 1}), int32s({}, {total})});
  }
};

FileOp group_query(int outputs) {
  return FileOp("GroupQueryAttention", outputs)
      .in("com.microsoft")
      .with("num_heads", 2)
      .with("kv_num_heads", 1);
}

TEST(ExpandGroupQuery, NewRowsFollowThePast) {
  // Two rows of the cache are in use, the third one is room for the new keys.
  const Decoder d;
  const auto y = d.run(group_query(3), 3, 3);
  expect_near(y[0], {3, 6, 3, 6});  // both heads
  EXPECT_EQ(y[2].shape(), (Shape{1, 1, 3, 2}));
  expect_near(y[2], {1, 2, 3, 6, 5, 10});
  expect_near(d.run(group_query(1).with("local_window_size", 2), 3, 3)[0], {4, 8, 4, 8});
}

TEST(ExpandGroupQuery, AFullCacheGrows) {
  const Decoder d;
  const auto y = d.run(group_query(3), 4, 4);
  EXPECT_EQ(y[2].shape(), (Shape{1, 1, 4, 2}));
  expect_near(y[0], {27.25, 29.5, 27.25, 29.5});
}

TEST(ExpandGroupQuery, PackedOperandsAndPositions) {
  // Heads of q, k and v side by side; two positions, of which the first sees itself only.
  const Tensor packed = floats({1, 2, 8}, {1, 0, 1, 0, 1, 0, 2, 4, 1, 0, 1, 0, 1, 0, 4, 8});
  const auto run = [&](FileOp op, const Tensor& cosines, const Tensor& sines) {
    return op.all(
        {packed, none, none, none, none, int32s({1}, {1}), int32s({}, {2}), cosines, sines});
  };
  expect_near(run(group_query(1), none, none)[0], {2, 4, 2, 4, 3, 6, 3, 6});
  // A quarter turn between the positions: the second query meets the first key at a right angle.
  const Tensor cosines = floats({2, 1}, {1, 0}), sines = floats({2, 1}, {0, 1});
  const double own = std::exp(1.0), weight = own / (own + 1);
  const auto y = run(group_query(2).with("do_rotary", 1).with("scale", 1.0F), cosines, sines);
  const double a = 2 + 2 * weight, b = 4 + 4 * weight;
  expect_near(y[0], {2, 4, 2, 4, a, b, a, b});
  expect_near(y[1], {1, 0, 0, 1});
}

TEST(ExpandGroupQuery, Refusals) {
  const Decoder d;
  const auto refusal = [&](FileOp op) { return error_of([&] { d.run(std::move(op), 3, 3); }); };
  const auto expect = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(refusal(group_query(1).with("kv_num_heads", 3)),
         "num_heads is 2 and kv_num_heads 3; the second must divide the first");
  expect(refusal(group_query(1).with("smooth_softmax", 1)), "smooth_softmax is not supported");
  expect(error_of([&] {
           group_query(1).all({d.q, d.k, d.v, d.past_k, none, int32s({1}, {2}), int32s({}, {3})});
         }),
         "past_key and past_value must be given together");
}

TEST(ExpandRotary, TurnsPairs) {
  // One position of a table with cosine 0 and sine 1: (a, b) becomes (-b, a).
  const Tensor cosines(ElementType::f32, {1, 2}), sines = floats({1, 2}, {1, 1});
  const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4}), at = int64s({1, 1}, {0});
  const auto op = [] { return FileOp("RotaryEmbedding").in("com.microsoft"); };
  expect_near(op()(x, at, cosines, sines), {-3, -4, 1, 2});
  expect_near(op().with("interleaved", 1)(x, at, cosines, sines), {-2, 1, -4, 3});
  expect_near(op()(x, int64s({1}, {0}), cosines, sines), {-3, -4, 1, 2});
  expect_near(op().with("num_heads", 1)
                  .with("rotary_embedding_dim", 2)(x, at, Tensor(ElementType::f32, {1, 1}),
                                                   floats({1, 1}, {1})),
              {-2, 1, 3, 4});
}

}  // namespace
}  // namespace intact

// Operators that other tools add to ONNX, written in ONNX's own: by hand, one node each.
#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/graph/canonical.hpp"
#include "tests/graph/file_op.hpp"

namespace intact {
namespace {

using namespace intact::testing;
using Bytes = std::vector<std::uint8_t>;
using Ints = std::vector<std::int64_t>;

Tensor bytes(Shape shape, Bytes values) {
  return Tensor::from<std::uint8_t>(std::move(shape), values);
}
Tensor signeds(Shape shape, std::vector<std::int8_t> values) {
  return Tensor::from<std::int8_t>(std::move(shape), values);
}
Tensor one(float value) {
  return Tensor::scalar(value);
}
Tensor zero_at(std::uint8_t value) {
  return Tensor::scalar(value);
}
void expect_near(const Tensor& actual, const std::vector<double>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(actual.data<float>()[i]), expected[i], 1e-6) << "element " << i;
}
const Tensor none;

TEST(QLinearConv, RequantizesPerChannel) {
  const Tensor x = bytes({1, 1, 2}, {12, 14});
  const Tensor w = signeds({2, 1, 1}, {3, -2});
  const Tensor bias = Tensor::from<std::int32_t>({2}, std::vector<std::int32_t>{1, 2});
  const Tensor y = FileOp("QLinearConv")(x, one(0.5F), zero_at(10), w, floats({2}, {1, 0.25F}),
                                         signeds({2}, {0, 0}), one(0.5F), zero_at(100), bias);
  // Accumulators 7 13 and -2 -6; times 1 and 0.25.
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{107, 113, 100, 98}));
}

TEST(QLinearMatMul, PerColumnScales) {
  const Tensor a = bytes({1, 2}, {3, 5}), b = signeds({2, 2}, {1, 2, 3, 4});
  const Tensor y = FileOp("QLinearMatMul")(a, one(1), zero_at(1), b, floats({2}, {1, 0.5F}),
                                           signeds({2}, {0, 0}), one(2), zero_at(0));
  // (2 4) times (1 2; 3 4) = 14 20; times (1, 0.5) / 2.
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{7, 5}));
}

TEST(Microsoft, AddMulAndActivations) {
  const Tensor a = bytes({2}, {10, 20}), b = bytes({1}, {4});
  EXPECT_EQ(values_of<std::uint8_t>(FileOp("QLinearAdd")
                                        .in("com.microsoft")(a, one(1), zero_at(0), b, one(0.5F),
                                                             zero_at(2), one(2), zero_at(1))),
            (Bytes{7, 11}));  // 11 / 2 and 21 / 2 are ties
  EXPECT_EQ(values_of<std::uint8_t>(
                FileOp("QLinearMul")
                    .in("com.microsoft")(a, one(1), Tensor(), b, one(0.5F), Tensor(), one(1))),
            (Bytes{20, 40}));
  EXPECT_EQ(values_of<std::uint8_t>(
                FileOp("QLinearLeakyRelu")
                    .in("com.microsoft")
                    .with("alpha", 0.5F)(a, one(1), zero_at(14), one(1), zero_at(100))),
            (Bytes{98, 106}));
  EXPECT_EQ(values_of<std::uint8_t>(
                FileOp("QLinearSigmoid")
                    .in("com.microsoft")(a, one(1), zero_at(10), one(1.0F / 256), zero_at(0))),
            (Bytes{128, 255}));
}

TEST(Microsoft, PoolsInEitherLayout) {
  const Tensor first = bytes({1, 2, 1, 2}, {1, 3, 10, 30}),
               last = bytes({1, 1, 2, 2}, {1, 10, 3, 30});
  const auto pool = [](const char* op, int channels_last) {
    return FileOp(op).in("com.microsoft").with("channels_last", channels_last);
  };
  const Tensor a =
      pool("QLinearGlobalAveragePool", 0)(first, one(1), zero_at(0), one(1), zero_at(0));
  const Tensor b =
      pool("QLinearGlobalAveragePool", 1)(last, one(1), zero_at(0), one(1), zero_at(0));
  EXPECT_EQ(a.shape(), (Shape{1, 2, 1, 1}));
  EXPECT_EQ(b.shape(), (Shape{1, 1, 1, 2}));
  EXPECT_EQ(values_of<std::uint8_t>(a), (Bytes{2, 20}));
  EXPECT_EQ(values_of<std::uint8_t>(b), (Bytes{2, 20}));
  EXPECT_EQ(values_of<std::uint8_t>(pool("QLinearAveragePool", 1)
                                        .with("kernel_shape", Ints{1, 2})(last, one(1), zero_at(0),
                                                                          one(1), zero_at(5))),
            (Bytes{7, 25}));
}

TEST(Microsoft, ConcatSoftmaxReduceMean) {
  EXPECT_EQ(values_of<std::uint8_t>(FileOp("QLinearConcat")
                                        .in("com.microsoft")
                                        .with("axis", 0)(one(2), zero_at(1), bytes({1}, {6}),
                                                         one(1), zero_at(0), bytes({1}, {5}),
                                                         one(4), zero_at(3))),
            (Bytes{4, 5}));
  EXPECT_EQ(values_of<std::uint8_t>(FileOp("QLinearSoftmax")
                                        .in("com.microsoft")
                                        .with("axis", 0)
                                        .with("opset", 13)(bytes({2}, {9, 9}), one(1), zero_at(0),
                                                           one(1.0F / 256), zero_at(0))),
            (Bytes{128, 128}));
  const Tensor mean =
      FileOp("QLinearReduceMean")
          .in("com.microsoft")
          .with("axes", Ints{1})
          .with("keepdims", 0)(bytes({1, 3}, {1, 2, 6}), one(1), zero_at(0), one(1), zero_at(0));
  EXPECT_EQ(mean.shape(), Shape{1});
  EXPECT_EQ(values_of<std::uint8_t>(mean), Bytes{3});
}

TEST(Microsoft, QGemm) {
  const Tensor a = bytes({1, 2}, {3, 5}), b = signeds({2, 1}, {1, 2});
  const Tensor c = Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{4});
  FileOp gemm("QGemm");
  gemm.in("com.microsoft");
  const Tensor real = gemm(a, one(0.5F), zero_at(1), b, one(0.5F), signeds({}, {0}), c);
  EXPECT_EQ(real.type(), ElementType::f32);
  EXPECT_EQ(values_of<float>(real), std::vector<float>{3.5F});  // (2 + 8 + 4) / 4
  EXPECT_EQ(values_of<std::uint8_t>(gemm(a, one(0.5F), zero_at(1), b, one(0.5F), signeds({}, {0}),
                                         c, one(0.5F), zero_at(10))),
            Bytes{17});
}

FileOp microsoft(const char* op, int outputs = 1) {
  return FileOp(op, outputs).in("com.microsoft");
}

TEST(Fused, IntegerProducts) {
  const Tensor a = Tensor::from<std::uint8_t>({1, 2}, std::vector<std::uint8_t>{3, 5});
  const Tensor b = Tensor::from<std::int8_t>({2, 2}, std::vector<std::int8_t>{1, 2, 3, 4});
  // Steps (2 4) times b = 14 20.
  expect_near(
      microsoft("MatMulIntegerToFloat")(a, b, Tensor::scalar(0.5F), floats({2}, {1, 2}),
                                        Tensor::scalar<std::uint8_t>(1), none, floats({2}, {1, 0})),
      {8, 20});
  // 0 and 255 span the grid with scale 1.
  expect_near(
      microsoft("DynamicQuantizeMatMul")(floats({1, 2}, {255, 1.4F}), b, Tensor::scalar(1.0F)),
      {258, 514});
}

TEST(Fused, MatMulGemmConv) {
  expect_near(microsoft("FusedMatMul")
                  .with("transB", 1)
                  .with("alpha", 2.0F)(floats({1, 2}, {1, 2}), floats({2, 2}, {1, 10, 100, 1000})),
              {42, 4200});
  expect_near(microsoft("FusedGemm")
                  .with("activation", "LeakyRelu")
                  .with("activation_alpha", 0.5F)(floats({1, 1}, {2}), floats({1, 2}, {3, -3}),
                                                  floats({2}, {1, 1})),
              {7, -2.5});
  expect_near(microsoft("FusedConv")
                  .with("activation", "Relu")(floats({1, 1, 2}, {1, 5}), floats({1, 1, 1}, {1}),
                                              none, floats({1, 1, 2}, {-3, -3})),
              {0, 2});
}

TEST(Fused, GeluAndSkipLayerNormalization) {
  expect_near(microsoft("BiasGelu")(floats({2}, {1, -1}), floats({2}, {-1, 2})),
              {0, 0.5 * (1 + std::erf(std::sqrt(0.5)))});
  const auto y = microsoft("SkipLayerNormalization", 4)
                     .with("epsilon", 0.0F)
                     .all({floats({1, 2}, {1, 2}), floats({1, 2}, {0, 1}), floats({2}, {1, 2})});
  expect_near(y[0], {-1, 2});
  expect_near(y[3], {1, 3});
}

TEST(QLinearConv, RefusesWhatDoesNotFit) {
  const Tensor x = bytes({1, 1, 2}, {12, 14}), w = signeds({2, 1, 1}, {3, -2});
  EXPECT_NE(error_of([&] {
              FileOp("QLinearConv")(x, one(0.5F), zero_at(10), w, floats({3}, {1, 1, 1}),
                                    signeds({3}, {0, 0, 0}), one(0.5F), zero_at(100));
            }).find("has shape [3]; it must have one element, or 2 for axis 0"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              FileOp("QLinearConv")(x, one(0.5F), zero_at(10), w, none, none, one(0.5F));
            }).find("QLinearConv 'n' (opset 17): operand 4 is missing"),
            std::string::npos);
}

TEST(Microsoft, WhereTakesAByteOfEither) {
  const Tensor y = FileOp("QLinearWhere")
                       .in("com.microsoft")(booleans({2}, {true, false}), bytes({2}, {12, 14}),
                                            one(0.5F), zero_at(10), bytes({2}, {1, 3}), one(1),
                                            zero_at(0), one(0.25F), zero_at(2));
  EXPECT_EQ(values_of<std::uint8_t>(y), (Bytes{6, 14}));
}

TEST(Microsoft, TypesOfOperatorSet21) {
  const Tensor q = FileOp("QuantizeLinear")
                       .in("com.microsoft")(floats({2}, {1, -1}), one(0.001F),
                                            Tensor::scalar<std::uint16_t>(30000));
  EXPECT_EQ(values_of<std::uint16_t>(q), (std::vector<std::uint16_t>{31000, 29000}));
}

// Packed weights: entries 1 2 3 ... of a row of 16, one block, scale 2.
TEST(MatMulNBits, UnpacksBlocks) {
  const auto product = [](int bits, const Bytes& row, const Tensor& zero, float scale = 2) {
    const auto size = static_cast<std::int64_t>(row.size());
    Tensor a(ElementType::f32, {1, 16});
    a.data<float>()[0] = 1;
    a.data<float>()[3] = 10;
    return FileOp("MatMulNBits")
        .in("com.microsoft")
        .with("K", 16)
        .with("N", 1)
        .with("bits", bits)
        .with("block_size", 16)(a, bytes({1, 1, size}, row), floats({1}, {scale}), zero);
  };
  // Low nibble first; without a zero point the middle, 8 or 128, is zero.
  const Bytes nibbles = {0x21, 0x43, 0x65, 0x87, 0, 0, 0, 0};
  expect_near(product(4, nibbles, none), {2 * ((1 - 8) + 10 * (4 - 8))});
  expect_near(product(4, nibbles, bytes({1}, {3})), {2 * ((1 - 3) + 10 * (4 - 3))});
  expect_near(product(4, nibbles, bytes({1}, {3}), -2), {-2 * ((1 - 3) + 10 * (4 - 3))});
  expect_near(product(4, nibbles, none, 0), {0});
  Bytes row(16, 0);
  row[0] = 200;
  row[3] = 100;
  expect_near(product(8, row, none), {2 * ((200 - 128) + 10 * (100 - 128))});
}

TEST(MatMulNBits, RefusesWrongSizes) {
  const auto refusal = [](int bits, int block, std::int64_t bytes_given, const Tensor& order) {
    return error_of([&] {
      FileOp("MatMulNBits")
          .in("com.microsoft")
          .with("K", 16)
          .with("N", 1)
          .with("bits", bits)
          .with("block_size", block)
          .all({Tensor(ElementType::f32, {1, 16}), Tensor(ElementType::u8, {1, 1, bytes_given}),
                floats({1}, {2}), none, order});
    });
  };
  EXPECT_NE(refusal(4, 16, 9, none).find("K, N, bits and block_size make it 8 bytes (u8)"),
            std::string::npos);
  EXPECT_NE(refusal(3, 16, 8, none).find("weights of 3 bits are not supported, only 2, 4 and 8"),
            std::string::npos);
  EXPECT_NE(refusal(4, 24, 8, none).find("block_size is 24; it must be a power of two"),
            std::string::npos);
  EXPECT_NE(refusal(4, 16, 8, Tensor(ElementType::s32, {15})).find("g_idx is s32 [15]"),
            std::string::npos);
  EXPECT_NE(refusal(4, 16, 8, Tensor::from<std::int32_t>({16}, std::vector<std::int32_t>(16, 1)))
                .find("g_idx contains 1; there are 1 blocks"),
            std::string::npos);
}

TEST(MatMulNBits, TwoBits) {
  Tensor a(ElementType::f32, {1, 16});
  a.data<float>()[0] = 1;
  a.data<float>()[3] = 10;
  const auto product = [&](const Tensor& zero) {
    return FileOp("MatMulNBits")
        .in("com.microsoft")
        .with("K", 16)
        .with("N", 1)
        .with("bits", 2)
        .with("block_size", 16)(a, bytes({1, 1, 4}, {0xc1, 0, 0, 0}), floats({1}, {2}), zero);
  };
  expect_near(product(none), {2 * ((1 - 2) + 10 * (3 - 2))});
  expect_near(product(bytes({1}, {1})), {2 * (10 * (3 - 1))});
  // Zero points as reals, which need not be integers.
  expect_near(product(floats({1}, {1})), {2 * (10 * (3 - 1))});
  expect_near(product(floats({1}, {0.5F})), {2 * (0.5F + 10 * 2.5F)});
}

TEST(MatMulNBits, RowsInGroups) {
  // Rows 2 k belong to group 1 and the others to group 0; all weights are 9 - 8.
  std::vector<std::int32_t> groups(32);
  Tensor a(ElementType::f32, {1, 32});
  for (std::size_t k = 0; k < groups.size(); ++k) {
    groups[k] = k % 2 == 0 ? 1 : 0;
    a.data<float>()[k] = k % 2 == 0 ? 1.0F : 100.0F;
  }
  const auto product = [&] {
    return FileOp("MatMulNBits")
        .in("com.microsoft")
        .with("K", 32)
        .with("N", 1)
        .with("block_size", 16)(a, bytes({1, 2, 8}, Bytes(16, 0x99)), floats({2}, {2, 3}), none,
                                Tensor::from<std::int32_t>({32}, groups));
  };
  expect_near(product(), {16 * 100 * 2 + 16 * 1 * 3});
  groups[0] = 0;  // no longer 16 rows each
  expect_near(product(), {16 * 100 * 2 + 1 * 2 + 15 * 1 * 3});
}

TEST(GatherBlockQuantized, ScalesTheRowsThatItGathers) {
  // Rows of 20 in blocks of 16: the second block is short.
  Bytes table(3 * 10, 0x98);  // 8, 9, 8, 9, ...
  table[2 * 10 + 9] = 0x7a;   // the last two of row 2: 10, 7
  const Tensor scale = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  const auto gathered = [&](const Tensor& zero) {
    return FileOp("GatherBlockQuantized")
        .in("com.microsoft")
        .with("block_size", 16)
        .with("quantize_axis", 1)(bytes({3, 10}, table), int64s({1, 2}, {2, 0}), scale, zero);
  };
  const Tensor y = gathered(none);
  ASSERT_EQ(y.shape(), (Shape{1, 2, 20}));
  EXPECT_EQ(y.data<float>()[1], 5);
  EXPECT_EQ(y.data<float>()[18], 12);
  EXPECT_EQ(y.data<float>()[19], -6);
  EXPECT_EQ(y.data<float>()[39], 2);
  EXPECT_EQ(gathered(bytes({3, 1}, {0, 0, 0x90})).data<float>()[19], 6 * (7 - 9));
  EXPECT_NE(error_of([&] {
              FileOp("GatherBlockQuantized")
                  .in("com.microsoft")
                  .with("block_size", 16)
                  .with("gather_axis", 1)(bytes({3, 10}, table), list({0}), scale);
            }).find("only gather_axis 0 and blocks along the last axis are supported"),
            std::string::npos);
}

TEST(MatMulBnb4, LooksUpItsReals) {
  const auto product = [](int kind) {
    return FileOp("MatMulBnb4")
        .in("com.microsoft")
        .with("K", 16)
        .with("N", 1)
        .with("block_size", 16)
        .with("quant_type", kind)(
            [] {
              Tensor a(ElementType::f32, {1, 16});
              a.data<float>()[0] = 1;
              a.data<float>()[1] = 10;
              return a;
            }(),
            bytes({8}, {0x3f, 0, 0, 0, 0, 0, 0, 0}), floats({1}, {2}));
  };
  expect_near(product(0), {2 * (1 + 10 * -0.25F)});
  expect_near(product(1), {2 * (-0.39491749F + 10 * 1)});
}

TEST(Fused, MatMulWithBatchAxesInTheMiddle) {
  // A [rows 2, batch 1, depth 1], B [columns 1, batch 1, depth 1] transposed in both ways.
  const Tensor y = FileOp("FusedMatMul")
                       .in("com.microsoft")
                       .with("transBatchA", 1)
                       .with("transB", 1)(floats({2, 1, 1}, {3, 5}), floats({1, 1, 1}, {2}));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 1}));
  expect_near(y, {6, 10});
}

TEST(Fused, RefusesAnUnknownActivation) {
  EXPECT_NE(
      error_of([] {
        FileOp("FusedConv")
            .in("com.microsoft")
            .with("activation", "Cosh")(floats({1, 1, 2}, {1, 5}), floats({1, 1, 1}, {1}));
      }).find("com.microsoft.FusedConv 'n' (opset 1): the activation 'Cosh' is not supported"),
      std::string::npos);
}

TEST(Fused, SmallOnes) {
  const auto microsoft_op = [](const char* op) { return FileOp(op).in("com.microsoft"); };
  expect_near(microsoft_op("QuickGelu")(floats({1}, {1})), {1 / (1 + std::exp(-1.702))});
  expect_near(microsoft_op("BiasAdd")(floats({1, 2}, {1, 2}), floats({2}, {10, 20}),
                                      floats({1, 2}, {100, 200})),
              {111, 222});
  expect_near(microsoft_op("BiasSplitGelu")(floats({1, 2}, {1, 3}), floats({2}, {1, -3})), {0});
  const Tensor y = microsoft_op("ExpandDims")(floats({2}, {1, 2}), Tensor::scalar<std::int32_t>(0));
  EXPECT_EQ(y.shape(), (Shape{1, 2}));
  expect_near(microsoft_op("GroupNorm")
                  .with("groups", 1)
                  .with("epsilon", 0.0F)(floats({1, 1, 1, 2}, {1, 3}), floats({2}, {1, 2}),
                                         floats({2}, {0, 1})),
              {-1, 3});
}

TEST(Fused, SimplifiedNormalizations) {
  // Mean of squares of (3, 4) with a skip of zeros: 12.5.
  const double root = std::sqrt(12.5);
  const auto y =
      FileOp("SkipSimplifiedLayerNormalization", 4).in("com.microsoft").with("epsilon", 0.0F);
  FileOp op = y;
  const Tensor x = floats({1, 2}, {3, 4});
  expect_near(FileOp("SimplifiedLayerNormalization").with("epsilon", 0.0F)(x, floats({2}, {1, 2})),
              {3 / root, 8 / root});
  EXPECT_NE(error_of([&] {
              op.all({x, floats({1, 2}, {0, 0}), floats({2}, {1, 2})});
            }).find("its output 1 is not supported"),
            std::string::npos);
}

TEST(Fused, EmbedLayerNormalization) {
  const auto ids = Tensor::from<std::int32_t>({1, 2}, std::vector<std::int32_t>{1, 0});
  const Tensor words = floats({2, 2}, {0, 2, 0, 4}), positions = floats({3, 2}, {1, 1, 2, 0, 9, 9});
  const auto y =
      FileOp("EmbedLayerNormalization", 3)
          .in("com.microsoft")
          .with("epsilon", 0.0F)
          .all({ids, none, words, positions, none, floats({2}, {1, 2}), floats({2}, {0, 0}),
                Tensor::from<std::int32_t>({1, 2}, std::vector<std::int32_t>{1, 0})});
  expect_near(y[2], {1, 5, 2, 2});
  EXPECT_EQ(values_of<std::int32_t>(y[1]), (std::vector<std::int32_t>{1}));
  EXPECT_FLOAT_EQ(y[0].data<float>()[1], 2);
}

TEST(Fused, RanksThatNobodyTells) {
  ModelBuilder model(17);
  const ValueId a = model.input("a", ElementType::f32, {2, 3});
  model.graph().value(a).declared.reset();
  const ValueId w = model.constant("w", floats({3, 1}, {1, 2, 3}));
  const auto product_of = [&](ValueId x) {
    return model.node("FusedMatMul", "n", {x, w}, {{"transA", std::int64_t{1}}}, "com.microsoft");
  };
  EXPECT_NE(error_of([&] { model.build({product_of(a)}); }).find("the rank of 'a' is not known"),
            std::string::npos);
  model.graph().nodes.clear();
  // Nodes in between tell ranks on.
  const ValueId rows = model.node("Reshape", "rows", {a, model.constant("to", list({3, 2}))});
  const ValueId y = product_of(model.node("Relu", "relu", {rows}));
  expect_near(
      interpret(model.build({y}), std::vector<Tensor>{floats({3, 2}, {1, 0, 0, 1, 1, 1})})[0],
      {4, 5});
}

TEST(ChannelsLast, OperatorsOfTheInternalDomain) {
  // Two channels: their sum, and their difference.
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 10, 20});
  const Tensor y = FileOp("Conv").in("com.ms.internal.nhwc")(x, floats({2, 2, 1, 1}, {1, 1, 1, -1}),
                                                             floats({2}, {0, 100}));
  EXPECT_EQ(y.shape(), (Shape{1, 1, 2, 2}));
  expect_near(y, {3, 99, 30, 90});
  expect_near(FileOp("MaxPool").in("com.ms.internal.nhwc").with("kernel_shape", Ints{1, 2})(x),
              {10, 20});
}

/// Two pools of channels-last images, and what `between` puts there.
Graph two_pools(const std::function<ValueId(ModelBuilder&, ValueId)>& between) {
  ModelBuilder model(17);
  const ValueId x = model.input("x", ElementType::u8, {1, 4, 4, 3});
  const AttributeList window = {{"kernel_shape", Ints{2, 2}}};
  const ValueId a = model.node("NhwcMaxPool", "a", {x}, window, "com.microsoft");
  const ValueId y = model.node("NhwcMaxPool", "b", {between(model, a)}, window, "com.microsoft");
  model.graph().value(y).type = ElementType::u8;
  return model.build({y});
}

TEST(ChannelsLast, WhatTakesAnyOrderOfAxesKeepsTheirs) {
  const Graph graph = two_pools([](ModelBuilder& model, ValueId a) {
    const ValueId s = model.scalar("s", 0.5f), z = model.scalar("z", std::uint8_t{3});
    const ValueId one_byte = model.scalar("b", std::uint8_t{9});
    const auto linear = [&](const char* op, const std::vector<ValueId>& inputs,
                            const AttributeList& attributes = {}) {
      return model.node(op, op, inputs, attributes, "com.microsoft");
    };
    const ValueId b = linear("QLinearLeakyRelu", {a, s, z, s, z}, {{"alpha", 0.5f}});
    const ValueId c = linear("QLinearAdd", {a, s, z, b, s, z, s, z});
    const ValueId d = linear("QLinearMul", {c, s, z, one_byte, s, z, s, z});
    return linear("QLinearConcat", {s, z, a, s, z, d, s, z}, {{"axis", std::int64_t{-1}}});
  });
  // One at either end.
  const Graph plain = canonical(graph);
  EXPECT_EQ(std::count_if(plain.nodes.begin(), plain.nodes.end(),
                          [](const Node& node) { return node.is("Transpose"); }),
            2);
  const Tensor x = random_integers<std::uint8_t>({1, 4, 4, 3}, 1);
  const Tensor y = interpret(graph, std::vector<Tensor>{x})[0];
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2, 6}));
}

TEST(ChannelsLast, NodesThatFollowEachOtherMeetWithoutTranspose) {
  const Graph graph = two_pools([](ModelBuilder&, ValueId a) { return a; });
  const auto pool = [&](std::size_t i) {
    return std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
      return node.sources == std::vector<std::string>{i == 0 ? "a" : "b"};
    });
  };
  ASSERT_NE(pool(0), graph.nodes.end());
  ASSERT_NE(pool(1), graph.nodes.end());
  EXPECT_EQ(pool(1)->inputs[0], pool(0)->outputs[0]);
}

TEST(Fused, BlockedFilesAreRefused) {
  EXPECT_NE(error_of([] {
              FileOp("Conv").in("com.microsoft.nchwc")(floats({1, 1, 1, 1}, {1}),
                                                       floats({1, 1, 1, 1}, {1}));
            })
                .find("its tensors are blocked for one processor; write the optimized file at the "
                      "level ORT_ENABLE_EXTENDED"),
            std::string::npos);
}

}  // namespace
}  // namespace intact

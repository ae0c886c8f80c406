// Quantizers of other tools, against their definitions.
#include <limits>

#include "graph/convert.hpp"
#include "tests/graph/canonical.hpp"
#include "tests/graph/file_op.hpp"

namespace intact {
namespace {

using namespace intact::testing;

using Floats = std::vector<float>;

FileOp quant(const char* op = "Quant") {
  return FileOp(op).in("onnx.brevitas");
}
Tensor number(float value) {
  return Tensor::scalar(value);
}
void expect_refusal(const std::string& text, const char* part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

/// The operators of x -> op -> y in canonical form.
std::string canonical_operators(const char* op, const char* domain, const std::vector<Tensor>& rest,
                                const AttributeList& attributes) {
  ModelBuilder b;
  std::vector<ValueId> operands = {b.input("x", ElementType::f32, {2, 3})};
  for (const Tensor& constant : rest)
    operands.push_back(b.constant("c" + std::to_string(operands.size()), constant));
  return operators(canonical(b.build({b.node(op, "n", operands, attributes, domain)})));
}

TEST(Quant, RoundsToTheIntegersOfItsBits) {
  const Tensor x = floats({5}, {-1.3f, 0.26f, 0.75f, 100, -100});
  EXPECT_EQ(values_of<float>(quant()(x, number(0.5f), number(0), number(4))),
            (Floats{-1.5f, 0.5f, 1, 3.5f, -4}));
  EXPECT_EQ(values_of<float>(quant().with("narrow", 1)(x, number(0.5f), number(0), number(4))),
            (Floats{-1.5f, 0.5f, 1, 3.5f, -3.5f}));
  EXPECT_EQ(values_of<float>(quant().with("signed", 0)(x, number(0.5f), number(2), number(2))),
            (Floats{-1, 0.5f, 0.5f, 0.5f, -1}));
  EXPECT_EQ(values_of<float>(
                quant().with("signed", 0).with("narrow", 1)(x, number(0.5f), number(2), number(2))),
            (Floats{-1, 0, 0, 0, -1}));
}

TEST(Quant, ScalesPerChannel) {
  const Tensor x = floats({2, 2}, {0.6f, 9, 0.6f, 9});
  EXPECT_EQ(values_of<float>(quant()(x, floats({2, 1}, {1, 0.5f}), number(0), number(3))),
            (Floats{1, 3, 0.5f, 1.5f}));
  EXPECT_EQ(values_of<float>(quant()(x, floats({2}, {1, 0.5f}), number(0), number(3))),
            (Floats{1, 1.5f, 1, 1.5f}));
}

TEST(Quant, RoundingModes) {
  const Tensor x = floats({6}, {5.5f, 2.5f, 1.6f, 1.1f, -1.1f, -2.5f});
  const auto rounded = [&](const char* mode) {
    return values_of<float>(
        quant().with("rounding_mode", mode)(x, number(1), number(0), number(8)));
  };
  EXPECT_EQ(rounded("ROUND"), (Floats{6, 2, 2, 1, -1, -2}));
  EXPECT_EQ(rounded("CEIL"), (Floats{6, 3, 2, 2, -1, -2}));
  EXPECT_EQ(rounded("floor"), (Floats{5, 2, 1, 1, -2, -3}));
  EXPECT_EQ(rounded("UP"), (Floats{6, 3, 2, 2, -2, -3}));
  EXPECT_EQ(rounded("DOWN"), (Floats{5, 2, 1, 1, -1, -2}));
  EXPECT_EQ(rounded("HALF_UP"), (Floats{6, 3, 2, 1, -1, -3}));
  EXPECT_EQ(rounded("HALF_DOWN"), (Floats{5, 2, 2, 1, -1, -2}));
  expect_refusal(error_of([&] { rounded("NEAREST"); }), "rounding_mode is 'NEAREST'");
}

TEST(Quant, ManyBitsStayFloat) {
  const Tensor x = floats({2}, {1.00001f, -3e9f});
  EXPECT_EQ(values_of<float>(quant()(x, number(0.5f), number(0), number(32))),
            (Floats{1, -1073741824}));
  expect_refusal(error_of([&] { quant()(x, number(0.5f), number(0), number(2.5f)); }),
                 "the number of bits is 2.5; it must be an integer from 1 to 32");
}

TEST(Quant, IsARound) {
  const std::vector<Tensor> rest = {number(0.5f), number(0), number(8)};
  EXPECT_EQ(canonical_operators("Quant", "qonnx.custom_op.general", rest, {}), "Round");
  EXPECT_EQ(canonical_operators("IntQuant", "qonnx.custom_op.general", rest,
                                {{"narrow", std::int64_t{1}}}),
            "Clip Round");
}

TEST(BipolarQuant, KeepsTheSign) {
  const Tensor x = floats({3}, {-0.1f, 0, 7});
  EXPECT_EQ(values_of<float>(quant("BipolarQuant")(x, number(0.25f))),
            (Floats{-0.25f, 0.25f, 0.25f}));
}

FileOp fake(int levels) {
  return FileOp("FakeQuantize").in("org.openvinotoolkit").with("levels", levels);
}

TEST(FakeQuantize, RoundsBetweenItsBounds) {
  const Tensor x = floats({4}, {-9, 0.3f, 0.9f, 9});
  const Tensor low = number(-1), high = number(0.5f);
  EXPECT_EQ(values_of<float>(fake(4)(x, low, high, low, high)), (Floats{-1, 0.5f, 0.5f, 0.5f}));
  // The levels stand for other reals behind it.
  EXPECT_EQ(values_of<float>(fake(4)(x, low, high, number(-4), number(2))), (Floats{-4, 2, 2, 2}));
  // Zero is no level: no grid.
  const Tensor odd = number(-0.7f), top = number(0.8f);
  const Tensor y = fake(4)(x, odd, top, odd, top);
  EXPECT_EQ(values_of<float>(y)[0], -0.7f);
  EXPECT_FLOAT_EQ(values_of<float>(y)[1], 0.3f);
  expect_refusal(error_of([&] { fake(1)(x, low, high, low, high); }),
                 "levels is 1; it must be from 2 to 65536");
}

TEST(FakeQuantize, BoundsPerChannel) {
  const Tensor x = floats({2, 2}, {0.6f, 9, 0.6f, 9});
  const Tensor low = floats({2, 1}, {-3, -1.5f}), high = floats({2, 1}, {3, 1.5f});
  EXPECT_EQ(values_of<float>(fake(7)(x, low, high, low, high)), (Floats{1, 3, 0.5f, 1.5f}));
}

TEST(FakeQuantize, IsARound) {
  const Tensor low = number(-1.28f), high = number(1.27f), narrow = number(-1.27f);
  const char* domain = "org.openvinotoolkit";
  EXPECT_EQ(canonical_operators("FakeQuantize", domain, {low, high, low, high},
                                {{"levels", std::int64_t{256}}}),
            "Round");
  EXPECT_EQ(canonical_operators("FakeQuantize", domain, {narrow, high, narrow, high},
                                {{"levels", std::int64_t{255}}}),
            "Clip Round");
}

TEST(ExtendedQuantize, StandardTypes) {
  const Tensor x = floats({3}, {-1.3f, 0.26f, 900});
  for (const auto& [domain, prefix] :
       {std::pair("com.vai.quantize", "Vitis"), std::pair("com.amd.quark", "Extended")}) {
    const auto op = [&](const char* name) { return FileOp(std::string(prefix) + name).in(domain); };
    const Tensor zero = Tensor::scalar(std::int16_t{3});
    const Tensor q = op("QuantizeLinear")(x, number(0.5f), zero);
    EXPECT_EQ(values_of<std::int16_t>(q), (std::vector<std::int16_t>{0, 4, 1803}));
    EXPECT_EQ(values_of<float>(op("DequantizeLinear")(q, number(0.5f), zero)),
              (Floats{-1.5f, 0.5f, 900}));
  }
}

TEST(ExtendedQuantize, WideTypes) {
  const Tensor x = floats({3}, {-1.3f, 0.26f, 9e9f});
  const auto op = [&](const char* name) { return FileOp(name).in("com.amd.quark"); };
  const Tensor zero = Tensor::scalar(std::int32_t{3});
  const Tensor q = op("ExtendedQuantizeLinear")(x, number(0.5f), zero);
  EXPECT_EQ(values_of<std::int32_t>(q),
            (std::vector<std::int32_t>{0, 4, std::numeric_limits<std::int32_t>::max()}));
  EXPECT_EQ(values_of<float>(op("ExtendedDequantizeLinear")(q, number(0.5f), zero))[1], 0.5f);
  const Tensor none = convert(number(0), ElementType::bf16);
  const Tensor half = op("ExtendedQuantizeLinear")(x, number(1), none);
  EXPECT_EQ(half.type(), ElementType::bf16);
  EXPECT_EQ(values_of<float>(op("ExtendedDequantizeLinear")(half, number(1), none))[1],
            0.259765625f);
}

}  // namespace
}  // namespace intact

// Fused float operators of com.microsoft between grids, as optimizers leave them in QDQ files.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

const char* const microsoft = "com.microsoft";
using Ints = std::vector<std::int64_t>;

ValueId byte_input(ModelBuilder& b, const std::string& name, const Shape& shape,
                   float scale = 0.02f, std::uint8_t zero_point = 119) {
  return b.dequantize(name + ".dq", b.input(name, ElementType::u8, shape), scale, zero_point);
}
Tensor byte_tensor(const Shape& shape, unsigned seed) {
  return random_integers<std::uint8_t>(shape, seed);
}

FoldCase conv_case(const std::string& name, const AttributeList& attributes, bool residual) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const Shape image = {1, 4, 7, 8}, result = {1, 8, 5, 6};
            const ValueId w = grid_weights(b, "w", {8, 4, 3, 3});
            const ValueId bias = b.constant("bias", random_floats({8}, 5));
            std::vector<ValueId> operands = {byte_input(b, "x", image), w, bias};
            std::vector<Tensor> inputs = {byte_tensor(image, 3)};
            if (residual) {
              operands.push_back(byte_input(b, "z", result, 0.05f, 130));
              inputs.push_back(byte_tensor(result, 4));
            }
            const ValueId y = b.node("FusedConv", "conv", operands, attributes, microsoft);
            return {{b.round("y", y, 0.06f, std::uint8_t{90})}, inputs};
          }};
}

FoldCase gemm_case(const std::string& name, const AttributeList& attributes) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            const ValueId x = byte_input(b, "x", {5, 24}), w = grid_weights(b, "w", {24, 16});
            const ValueId bias = b.constant("bias", random_floats({16}, 5));
            const ValueId y = b.node("FusedGemm", "gemm", {x, w, bias}, attributes, microsoft);
            return {{b.round("y", y, 0.05f, std::uint8_t{90})}, {byte_tensor({5, 24}, 3)}};
          }};
}

FoldCase matmul_case(const std::string& name, const Shape& a, const Shape& c,
                     const AttributeList& attributes) {
  return {
      name, [=](ModelBuilder& b) -> FoldModel {
        const ValueId x = byte_input(b, "a", a), y = byte_input(b, "b", c, 0.017f, 131);
        const ValueId p = b.node("FusedMatMul", "matmul", {x, y}, attributes, microsoft);
        return {{b.round("y", p, 0.1f, std::uint8_t{119})}, {byte_tensor(a, 3), byte_tensor(c, 4)}};
      }};
}

FoldCase function_case(const std::string& name, const std::string& op, bool biased) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            std::vector<ValueId> operands = {byte_input(b, "x", {3, 40}, 0.03f, 128)};
            if (biased) operands.push_back(b.constant("bias", Tensor::scalar(0.25f)));
            const ValueId y = b.node(op, "f", operands, {}, microsoft);
            return {{b.round("y", y, 0.02f, std::uint8_t{20})}, {byte_tensor({3, 40}, 3)}};
          }};
}

std::vector<FoldCase> fused() {
  const AttributeList relu = {{"activation", std::string("Relu")}};
  const AttributeList clip = {{"activation", std::string("Clip")},
                              {"activation_params", std::vector<float>{-1, 3}}};
  const AttributeList leaky = {{"activation", std::string("LeakyRelu")},
                               {"activation_params", std::vector<float>{0.1f}}};
  const AttributeList sigmoid = {{"activation", std::string("Sigmoid")}};
  return {
      conv_case("fused_conv", {}, false),
      conv_case("fused_conv_relu", relu, false),
      conv_case("fused_conv_clip", clip, false),
      conv_case("fused_conv_leaky_relu", leaky, false),
      conv_case("fused_conv_sigmoid", sigmoid, false),
      conv_case("fused_conv_residual", {}, true),
      conv_case("fused_conv_residual_relu", relu, true),
      gemm_case("fused_gemm", {}),
      gemm_case("fused_gemm_relu", relu),
      gemm_case("fused_gemm_clip", clip),
      matmul_case("fused_matmul", {2, 5, 24}, {2, 24, 9}, {}),
      matmul_case("fused_matmul_transposed", {2, 5, 24}, {2, 9, 24}, {{"transB", std::int64_t{1}}}),
      matmul_case("fused_matmul_both", {2, 24, 5}, {2, 9, 24},
                  {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}}),
      matmul_case("fused_matmul_batch", {5, 2, 24}, {2, 24, 9}, {{"transBatchA", std::int64_t{1}}}),
      function_case("microsoft_gelu", "Gelu", false),
      function_case("bias_gelu", "BiasGelu", true),
      function_case("fast_gelu", "FastGelu", false),
      function_case("fast_gelu_bias", "FastGelu", true),
      function_case("quick_gelu", "QuickGelu", false),
  };
}

/// Products of integers whose result is float.
std::vector<FoldCase> integer_products() {
  const auto operands = [](ModelBuilder& b, bool columns) {
    const ValueId a = b.input("a", ElementType::u8, {2, 5, 24});
    const ValueId w = b.constant("w", random_integers<std::int8_t>({24, 6}, 5));
    const ValueId scale = columns ? b.vector<float>("ws", {.01f, .02f, .01f, .03f, .01f, .02f})
                                  : b.scalar("ws", .01f);
    return std::vector<ValueId>{a, w, b.scalar("as", 0.02f), scale,
                                b.scalar("az", std::uint8_t{120})};
  };
  return {
      {"matmul_integer_to_float",
       [=](ModelBuilder& b) -> FoldModel {
         return {{b.node("MatMulIntegerToFloat", "m", operands(b, false), {}, microsoft)},
                 {byte_tensor({2, 5, 24}, 3)}};
       }},
      {"matmul_integer_to_float_columns_and_bias",
       [=](ModelBuilder& b) -> FoldModel {
         auto inputs = operands(b, true);
         inputs.push_back(no_value);
         inputs.push_back(b.constant("bias", random_floats({6}, 9)));
         return {{b.node("MatMulIntegerToFloat", "m", inputs, {}, microsoft)},
                 {byte_tensor({2, 5, 24}, 3)}};
       }},
  };
}

/// MatMulNBits of bytes: integer products block by block.
FoldCase packed_case(const std::string& name, std::int64_t bits, std::int64_t depth,
                     bool zero_point, bool rounded) {
  return {name, [=](ModelBuilder& b) -> FoldModel {
            constexpr std::int64_t columns = 10, block = 16;
            const std::int64_t blocks = (depth + block - 1) / block;
            std::vector<ValueId> operands = {
                byte_input(b, "a", {2, 5, depth}),
                b.constant("w", byte_tensor({columns, blocks, block * bits / 8}, 5)),
                b.constant("s", random_floats({columns * blocks}, 6, 0.5f / (1 << bits),
                                              1.5f / (1 << bits)))};
            if (zero_point)
              operands.push_back(
                  b.constant("z", byte_tensor({columns * ((blocks * bits + 7) / 8)}, 7)));
            const ValueId y = b.node(
                "MatMulNBits", "matmul", operands,
                {{"K", depth}, {"N", columns}, {"bits", bits}, {"block_size", block}}, microsoft);
            return {{rounded ? b.round("y", y, 0.11f, std::uint8_t{119}) : y},
                    {byte_tensor({2, 5, depth}, 3)}};
          }};
}

std::vector<FoldCase> packed() {
  return {packed_case("matmul_2_bits", 2, 48, true, true),
          packed_case("matmul_4_bits", 4, 48, false, true),
          packed_case("matmul_4_bits_zero_points", 4, 48, true, true),
          packed_case("matmul_4_bits_tail", 4, 40, true, true),
          packed_case("matmul_8_bits", 8, 48, false, true),
          packed_case("matmul_8_bits_zero_points", 8, 64, true, true),
          packed_case("matmul_4_bits_stored", 4, 48, true, false)};
}

}  // namespace

std::vector<FoldCase> msft_cases() {
  std::vector<FoldCase> all = fused();
  for (FoldCase& fold : packed()) all.push_back(std::move(fold));
  for (FoldCase& fold : integer_products()) all.push_back(std::move(fold));
  return all;
}

}  // namespace intact::testing

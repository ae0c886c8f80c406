// Reasons of float steps.
#include "engine/lower/reasons.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "graph/definition.hpp"

namespace intact {
namespace {

/// What in the model could take the place of an operator that computes in float.
std::string_view advice(std::string_view op) {
  constexpr std::pair<std::string_view, std::string_view> list[] = {
      {"LpPool", "an AveragePool or MaxPool in its place runs on bytes"},
      {"GlobalLpPool", "a GlobalAveragePool or GlobalMaxPool in its place runs on bytes"},
      {"LRN", "at most 32 neighbouring channels run on bytes"},
      {"LayerNormalization", "it runs on bytes without outputs of mean and deviation"},
      {"CumSum", "a MatMul with a constant triangular matrix in its place runs on bytes"},
      {"ReduceLogSumExp", "LogSoftmax runs on bytes"},
      {"Einsum", "Transpose and MatMul in its place run on bytes"},
      {"Resize", "constant scales or sizes, and at most three resized axes, run on bytes"},
      {"Upsample", "constant scales run on bytes"},
      {"Pad", "constant pads, and a value on the grid of the input, run on bytes"},
      {"Hardmax", "ArgMax runs on bytes"},
      {"GridSample", "a Resize in its place runs on bytes where the grid is regular"},
      {"Mod", "it has a kernel for one tensor and a constant number, as a table"},
      {"Pow", "it has a kernel for one tensor and a constant number, as a table"},
      {"LSTM", "as com.microsoft.DynamicQuantizeLSTM its products run on bytes"},
      {"DynamicQuantizeLSTM",
       "constant weights, equal lengths, no peepholes and the usual functions run on bytes"},
      {"GRU", "its MatMuls run on bytes when they are written as operators of their own"},
      {"RNN", "its MatMuls run on bytes when they are written as operators of their own"},
      {"TopK",
       "bytes are sorted along the last axis; a Transpose in front of it would bring it there"},
      {"ArgMax",
       "a QuantizeLinear and DequantizeLinear pair before it would let bytes be compared"},
      {"ArgMin",
       "a QuantizeLinear and DequantizeLinear pair before it would let bytes be compared"},
      {"Gather", "a QuantizeLinear and DequantizeLinear pair before it would let bytes move"},
      {"Where", "operands on one grid of 8 bits would let bytes move"},
      {"Cast", "a DequantizeLinear in its place gives integers a grid"},
      {"PRelu", "a constant slope on an 8-bit grid, or one behind a product, runs on bytes"},
      {"ReduceProd", "Log, ReduceSum and Exp, with grids between them, run on bytes"},
      {"MaxUnpool", "a Resize or ConvTranspose in its place runs on bytes"},
      {"QuantizeLinear", "a constant scale and zero point make a grid of it"},
      {"DequantizeLinear",
       "a constant scale and zero point make a grid of it, and so does a DynamicQuantizeLinear for "
       "products with quantized weights"},
      {"NonMaxSuppression", "it chooses by floats; everything before it can run on bytes"},
      {"RoiAlign", "a Resize of a Slice in its place runs on bytes"},
      {"Conv", "constant weights and bias, and at most three spatial axes, run on bytes"},
      {"ConvInteger",
       "u8 activations with one zero point, constant weights and a Cast behind it run on bytes"},
      {"MatMulInteger",
       "u8 activations with one zero point, constant weights and a Cast behind it run on bytes"},
  };
  for (const auto& [name, help] : list)
    if (name == op) return help;
  return "operators with an integer kernel (docs/dataflow.md) in its place would run on bytes";
}

/// What keeps operands on grids from an integer kernel.
std::string_view form_advice(std::string_view op) {
  if (op == "Add" || op == "Sub" || op == "Mul")
    return "scales of operands and result that differ less would keep its numbers in range";
  if (op.find("Pool") != std::string_view::npos)
    return "windows of at most 2^22 elements and scales that differ less run on bytes";
  if (op == "ReduceMean" || op == "ReduceSum" || op == "ReduceMax" || op == "ReduceMin")
    return "constant axes, at most 2^22 joined elements and scales that differ less run on bytes";
  if (op == "Max" || op == "Min") return "two operands at a time run on bytes";
  return advice(op);
}

}  // namespace

std::string float_reason(const std::string& tensor) {
  return fmt::format(
      "'{}' is float; a QuantizeLinear and DequantizeLinear pair behind what computes it would "
      "make "
      "it bytes",
      tensor);
}

std::string float_constant_reason(const std::string& tensor) {
  return fmt::format("'{}' is a float constant; quantized with one scale it would be bytes",
                     tensor);
}

std::string form_reason(const Node& node) {
  return fmt::format("there is no integer kernel for this form of {}; {}", node.op,
                     form_advice(node.op));
}

std::string reference_reason(const Node& node) {
  const Definition* definition = find_definition(node.op, node.domain);
  const bool function = definition != nullptr && definition->elementwise && node.inputs.size() == 1;
  return fmt::format("{} has no fast kernel and runs the reference; {}", node.op,
                     function ? "a QuantizeLinear and DequantizeLinear pair before it would make "
                                "it a table of bytes"
                              : advice(node.op));
}

}  // namespace intact

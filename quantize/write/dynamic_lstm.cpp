// LSTM whose weights are integers and whose activations are rounded while it runs.
#include "quantize/grids/grids.hpp"
#include "quantize/write/write.hpp"

namespace intact {
namespace {

/// [directions][rows][terms] as [directions][terms][rows].
Tensor last_axes_exchanged(const Tensor& integers, const Shape& shape) {
  const std::int64_t rows = shape[1], terms = shape[2];
  Tensor result(ElementType::s8, {shape[0], terms, rows});
  const std::int8_t* source = integers.data<std::int8_t>().data();
  for (std::int64_t d = 0; d < shape[0]; ++d)
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t k = 0; k < terms; ++k)
        result.data<std::int8_t>()[static_cast<std::size_t>((d * terms + k) * rows + row)] =
            *source++;
  return result;
}

}  // namespace

Node dynamic_lstm(Graph& graph, FreshNames& names, Node lstm, const QuantizeOptions& options) {
  constexpr std::size_t w = 1, r = 2, first_grid = 8;
  lstm.inputs.resize(first_grid, no_value);
  for (const std::size_t i : {w, r}) {
    const Value& matrix = graph.value(lstm.inputs[i]);
    const std::string name = matrix.name;
    const Shape shape = matrix.constant.shape();
    const Shape scales = options.per_channel ? Shape{shape[0], shape[1]} : Shape{shape[0]};
    const std::int64_t channels = element_count(scales);
    const QuantizedWeights quantized =
        quantize_weights(matrix.constant.reshaped({channels, matrix.constant.size() / channels}), 0,
                         {}, 1, largest_weight(options));
    Tensor scale(ElementType::f32, scales);
    std::copy(quantized.grid.scale.begin(), quantized.grid.scale.end(),
              scale.data<float>().begin());
    lstm.inputs[i] = graph.add_constant(names.get(name + "/quantized"),
                                        last_axes_exchanged(quantized.integers, shape));
    lstm.inputs.push_back(graph.add_constant(names.get(name + "/scale"), scale));
    lstm.inputs.push_back(
        graph.add_constant(names.get(name + "/zero_point"), Tensor(ElementType::s8, scales)));
    if (i == r) lstm.attributes.set("hidden_size", shape[2]);
  }
  lstm.op = "DynamicQuantizeLSTM";
  lstm.domain = "com.microsoft";
  lstm.version = graph.opsets[lstm.domain] = 1;
  return lstm;
}

}  // namespace intact

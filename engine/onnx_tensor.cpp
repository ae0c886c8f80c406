// Tensor files behind the public API; the format is read in graph/onnx.
#include "intact/onnx_tensor.hpp"

#include "graph/onnx/onnx.hpp"

namespace intact {

Tensor load_onnx_tensor(const std::filesystem::path& path) {
  return load_tensor_proto(path);
}

Datum load_onnx_datum(const std::filesystem::path& path, const TensorInfo& info) {
  return load_data_proto(path, info.is_sequence, info.is_optional);
}

}  // namespace intact

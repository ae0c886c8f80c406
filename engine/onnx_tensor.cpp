// Tensor files behind the public API; the format is read in graph/onnx.
#include "intact/onnx_tensor.hpp"

#include "graph/onnx/onnx.hpp"

namespace intact {

Tensor load_onnx_tensor(const std::filesystem::path& path) {
  return load_tensor_proto(path);
}

}  // namespace intact

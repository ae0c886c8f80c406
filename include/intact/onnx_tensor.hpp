// Tensors in files of their own, as ONNX test cases hold inputs and expected outputs.
#pragma once

#include <filesystem>

#include "intact/tensor.hpp"

namespace intact {

/// Reads a TensorProto (.pb). Throws Error naming the file when it is missing, broken or larger
/// than its data, Unsupported for element types that Intact lacks.
Tensor load_onnx_tensor(const std::filesystem::path& path);

}  // namespace intact

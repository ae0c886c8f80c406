// Tensors in files of their own, as ONNX test cases hold inputs and expected outputs.
#pragma once

#include <filesystem>

#include "intact/session.hpp"

namespace intact {

/// Reads a TensorProto (.pb). Throws Error naming the file when it is missing, broken or larger
/// than its data, Unsupported for element types that Intact lacks.
Tensor load_onnx_tensor(const std::filesystem::path& path);
/// The same for an input or output of any kind, which the file's message has to fit.
Datum load_onnx_datum(const std::filesystem::path& path, const TensorInfo& info);

}  // namespace intact

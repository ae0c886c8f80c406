// What the files of this folder share: protobuf's classes, element types by number, and tensors.
// Included only inside graph/onnx/.
#pragma once

#include <onnx/onnx-data_pb.h>
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <span>
#include <string>

#include "graph/onnx/external_data.hpp"
#include "intact/tensor.hpp"

namespace intact {

/// The type behind a TensorProto data type number, also of numbers newer than the packaged onnx.
/// Throws Unsupported naming `where` for the others (complex numbers, 4-bit floats, ...).
ElementType element_type_from_onnx(int number, const std::string& where);

/// Reads a tensor. `lifted`, when not null, holds the bytes of a raw_data field that was cut out of
/// the message. Sizes are checked before memory is taken. Throws Error naming `where`.
Tensor tensor_from_proto(const onnx::TensorProto& proto, ExternalData& external,
                         const std::string& where,
                         const std::span<const std::byte>* lifted = nullptr);

/// How many elements of `type` raw data packs into a byte: 1 for bytes and more.
int elements_per_byte(ElementType type);

/// Name, type and shape.
void describe_tensor(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);
/// The same and the data in raw form, elements_per_byte() of them in each byte.
void tensor_to_proto(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);

}  // namespace intact

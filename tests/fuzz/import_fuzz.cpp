// Hostile model files: import and canonical form either succeed or throw Error.
#include <cstddef>
#include <cstdint>

#include "graph/onnx/onnx.hpp"
#include "graph/passes/passes.hpp"
#include "intact/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    intact::Graph graph = intact::parse_onnx({reinterpret_cast<const std::byte*>(data), size});
    intact::canonicalize(graph);
  } catch (const intact::Error&) {
  }
  return 0;
}

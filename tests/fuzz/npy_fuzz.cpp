// Hostile .npy and .npz files: they are either read or refused with Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "intact/error.hpp"
#include "tools/npy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    intact::tools::parse_npy(bytes, "npy");
  } catch (const intact::Error&) {
  }
  try {
    intact::tools::parse_npz(bytes, "npz");
  } catch (const intact::Error&) {
  }
  return 0;
}

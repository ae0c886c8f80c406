// NumPy's array files: .npy (formats 1 to 3, both orders, both byte orders) and .npz (stored and
// deflated entries). Files are hostile until checked: every size is compared with the file before
// memory is allocated, and pickled objects are refused.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "intact/tensor.hpp"

namespace intact::tools {

/// Reads a whole .npy file into a row-major tensor. Throws Error naming the file.
Tensor read_npy(const std::filesystem::path& path);
/// The same from memory; `where` names the source in errors.
Tensor parse_npy(std::span<const std::byte> bytes, const std::string& where);

/// Writes format 1.0, row-major, little endian. bf16 is written as float32 and 4-bit types as
/// bytes, because NumPy has no such types. Throws Error when the file cannot be written.
void write_npy(const std::filesystem::path& path, const Tensor& tensor);

/// The arrays of an .npz file with their names (without ".npy"), in the order of the file.
using NamedArrays = std::vector<std::pair<std::string, Tensor>>;
NamedArrays read_npz(const std::filesystem::path& path);
/// The same from memory; `where` names the source in errors.
NamedArrays parse_npz(std::span<const std::byte> bytes, const std::string& where);

}  // namespace intact::tools

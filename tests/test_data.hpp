// Files that are no part of the repository: real models and images. Tests on them skip when they
// are not there, and say how to get them run.
#pragma once

#include <filesystem>
#include <string>

namespace intact::testing {

inline std::filesystem::path test_data(const std::string& file) {
  return std::filesystem::path(INTACT_TEST_DATA) / file;
}

/// For GTEST_SKIP; empty when the file or folder is there.
inline std::string why_missing(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return "";
  return "real models are not there (" + path.string() +
         "): configure with -DINTACT_TEST_DATA=FOLDER, which holds models/ and images/";
}

inline std::string why_missing_cases(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return "";
  return "ONNX's test cases are not there (" + path.string() +
         "): install the package libonnx-testdata";
}

}  // namespace intact::testing

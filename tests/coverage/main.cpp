// intact_coverage FILE: compares docs/coverage.md with what the code does; with --write it writes
// the document instead. Exits with 77 where ONNX's test cases are not installed.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

#include "tests/coverage/coverage.hpp"
#include "tests/test_data.hpp"

namespace intact::testing {
namespace {

constexpr int skipped = 77;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The first line that one has and the other has not; empty when they are equal.
std::string first_difference(const std::string& committed, const std::string& current) {
  const auto a = lines_of(committed), b = lines_of(current);
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string left = i < a.size() ? a[i] : "(end)", right = i < b.size() ? b[i] : "(end)";
    if (left != right) return fmt::format("committed: {}\ncurrent:   {}\n", left, right);
  }
  return "";
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

int run(const std::string& path, bool write) {
  const std::filesystem::path cases = "/usr/share/libonnx-testdata/data";
  if (const auto why = why_missing_cases(cases); !why.empty()) {
    fmt::print("skipped: {}\n", why);
    return skipped;
  }
  Coverage coverage;
  coverage.try_onnx_cases(cases);
  coverage.try_fold_cases();
  const std::string current = coverage.document();
  if (write) {
    std::ofstream(path) << current;
    return 0;
  }
  const std::string difference = first_difference(content_of(path), current);
  if (difference.empty()) return 0;
  fmt::print("{}operators or kernels have changed: run `make coverage` and commit {}\n", difference,
             path);
  return 1;
}

}  // namespace
}  // namespace intact::testing

int main(int argc, char** argv) {
  const bool write = argc == 3 && std::string_view(argv[2]) == "--write";
  if (argc != 2 && !write) {
    fmt::print("usage: intact_coverage FILE [--write]\n");
    return 2;
  }
  return intact::testing::run(argv[1], write);
}

// Runs the program as a user does and returns what the user sees.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace intact::tools {

struct ProgramResult {
  int code = -1;  ///< exit code; 128 + signal after a crash
  std::string out, err;
};

/// Starts build/intact with these arguments and waits. `environment` holds "NAME=value" entries.
ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {});

/// A folder of its own for each test, removed behind it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string text() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Expects exit code `code` and one line "error: ..." on stderr that holds every one of `parts`.
void expect_error(const ProgramResult& result, int code, const std::vector<std::string>& parts);

/// The model that ships with the repository, and its data.
std::string digits(const std::string& file);

}  // namespace intact::tools

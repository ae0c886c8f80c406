// README.md promises things that must stay true: its first commands, its C++ example, its options.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cli/run_program.hpp"

namespace intact::tools {
namespace {

const std::string source = INTACT_SOURCE;
const std::string readme = file_text(source + "/README.md");

/// Text of the fenced blocks of one language, in order.
std::vector<std::string> blocks(const std::string& language) {
  std::vector<std::string> found;
  const std::string begin = "```" + language + "\n";
  for (std::size_t at = readme.find(begin); at != std::string::npos; at = readme.find(begin, at)) {
    at += begin.size();
    found.push_back(readme.substr(at, readme.find("```", at) - at));
  }
  return found;
}

TEST(Readme, begins_with_the_two_commands) {
  ASSERT_FALSE(blocks("sh").empty());
  EXPECT_EQ(blocks("sh")[0], "make demo\nmake test\n");
}

TEST(Readme, shows_the_example_that_is_compiled) {
  ASSERT_EQ(blocks("cpp").size(), 1U);
  EXPECT_EQ(blocks("cpp")[0], file_text(source + "/examples/run_model.cpp"));
}

TEST(Readme, uses_options_that_exist) {
  for (const std::string& block : blocks("sh")) {
    std::istringstream lines(block);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string word, subcommand;
      words >> word >> subcommand;
      if (word != "intact") continue;
      const std::string help = run_program({subcommand, "--help"}).out;
      EXPECT_FALSE(help.empty()) << subcommand;
      while (words >> word) {
        if (word[0] == '-') EXPECT_NE(help.find(word), std::string::npos) << line << ": " << word;
      }
    }
  }
}

TEST(Readme, preprocessing_example_is_accepted) {
  const TemporaryFolder folder;
  ASSERT_EQ(blocks("json").size(), 1U);
  write_file(folder / "p.json", blocks("json")[0]);
  write_file(folder / "a.pgm", "P5\n300 300\n255\n" + std::string(90000, 'x'));
  // The model takes 16 x 16 pixels, so a crop to 224 is refused with both sizes; every key was
  // read.
  expect_error(run_program({"run", digits("digits.onnx"), "--images", folder / "a.pgm",
                            "--preprocess", folder / "p.json"}),
               1, {"16 x 16", "224 x 224"});
}

}  // namespace
}  // namespace intact::tools

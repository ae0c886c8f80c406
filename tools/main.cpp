// The program `intact`: one subcommand per file. Exit codes: 0, 1 for an error (one line on
// stderr), 2 for wrong usage.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include "intact/version.hpp"
#include "tools/common.hpp"

namespace {

int report(std::string message, int code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  while (message.ends_with(' ')) message.pop_back();
  fmt::print(stderr, "error: {}\n", message);
  return code;
}

int run_program(int argc, char** argv) {
  using namespace intact::tools;
  CLI::App app("Runs quantized ONNX models in integers, makes them, measures and explains them.",
               "intact");
  app.set_version_flag("--version", std::string("intact ") + intact::version);
  app.require_subcommand(1);
  Action chosen;
  add_run(app, chosen);
  add_quantize(app, chosen);
  add_compare(app, chosen);
  add_flow(app, chosen);
  add_bench(app, chosen);
  add_check(app, chosen);
  add_info(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto used = app.get_subcommands();
    const auto unknown = app.remaining();
    const std::string help = used.empty() ? "" : used[0]->get_name() + " ";
    const std::string what = used.empty() && !unknown.empty()
                                 ? fmt::format("unknown subcommand '{}'", unknown[0])
                                 : error.what();
    return report(fmt::format("{} (see intact {}--help)", what, help), 2);
  }
  try {
    return chosen();
  } catch (const UsageError& error) {
    return report(fmt::format("{} (see intact {} --help)", error.what(),
                              app.get_subcommands()[0]->get_name()),
                  2);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::bad_alloc&) {
    return report("memory is exhausted", 1);
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
}

// What the subcommands share: the options of every run, model inputs by name, JSON files, and how a
// subcommand registers itself.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "intact/error.hpp"
#include "intact/session.hpp"

namespace intact::tools {

/// Keeps the order in which fields are written.
using Json = nlohmann::ordered_json;

/// Arguments that cannot be right, whatever the files hold: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// What main() calls after parsing; returns the exit code.
using Action = std::function<int()>;

void add_run(CLI::App& app, Action& chosen);
void add_quantize(CLI::App& app, Action& chosen);
void add_compare(CLI::App& app, Action& chosen);
void add_flow(CLI::App& app, Action& chosen);
void add_bench(CLI::App& app, Action& chosen);
void add_check(CLI::App& app, Action& chosen);
void add_info(CLI::App& app, Action& chosen);

/// Options of every subcommand that runs models.
struct EngineFlags {
  int threads = 0;
  std::string isa;
  bool no_fusion = false;
  bool reference = false;
  std::vector<std::string> shapes;
};
/// The option takes one of these words; help shows them as "a|b".
CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& words);
/// The check without a text of its own in help.
CLI::Validator without_text(const CLI::Validator& check);
/// --threads, --isa
void add_engine_flags(CLI::App& command, EngineFlags& flags);
/// --shape NAME=1x3x224x224
CLI::Option* add_shape_flag(CLI::App& command, EngineFlags& flags);
SessionOptions session_options(const EngineFlags& flags);

/// The model's input shapes: those given with --shape, else the declared ones with 1 for an unknown
/// first extent. Throws Error naming inputs that stay unknown and names that the model lacks.
std::vector<Shape> input_shapes(const Session& session, const EngineFlags& flags);

/// "'x' f32 [1,3,224,224]", with names for unknown extents.
std::string describe(const TensorInfo& info);
/// "[N,3,224,224]"
std::string shape_text(const TensorInfo& info);

/// Null where there is no number, or an infinite one, which JSON does not know.
Json number_or_null(std::optional<double> value);
void write_json(const std::filesystem::path& path, const Json& json);

}  // namespace intact::tools

// Shared by the subcommands; see common.hpp.
#include "tools/common.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "intact/cpu.hpp"
#include "intact/error.hpp"
#include "tools/files.hpp"

namespace intact::tools {
namespace {

/// "3x224x224" or "3,224,224"; extents are positive.
Shape parse_shape(const std::string& text, const std::string& whole) {
  Shape shape;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    std::int64_t extent = 0;
    const auto [stop, code] = std::from_chars(at, end, extent);
    const bool separated = stop == end || ((*stop == 'x' || *stop == ',') && stop + 1 != end);
    if (code != std::errc() || extent < 1 || !separated) {
      throw UsageError(fmt::format("--shape {}: NAME=1x3x224x224 is expected", whole));
    }
    shape.push_back(extent);
    at = stop == end ? end : stop + 1;
  }
  return shape;
}

}  // namespace

CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& words) {
  return option->type_name(fmt::format("{}", fmt::join(words, "|")))
      ->check(without_text(CLI::IsMember(words)));
}

CLI::Validator without_text(const CLI::Validator& check) {
  return check.description("");
}

void add_engine_flags(CLI::App& command, EngineFlags& flags) {
  command
      .add_option("--threads", flags.threads, "Threads per run (0: the CPUs this process may use)")
      ->type_name("N")
      ->check(without_text(CLI::Range(0, 1024)));
  one_of(command.add_option("--isa", flags.isa,
                            "Greatest instruction set to use (or variable INTACT_ISA)"),
         {"scalar", "avx2", "avxvnni", "avx512vnni", "amx"});
}

CLI::Option* add_shape_flag(CLI::App& command, EngineFlags& flags) {
  return command
      .add_option("--shape", flags.shapes, "Shape of an input with unknown extents (repeatable)")
      ->type_name("NAME=1x3x224x224")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

SessionOptions session_options(const EngineFlags& flags) {
  SessionOptions options;
  options.threads = flags.threads;
  if (!flags.isa.empty()) options.isa = parse_isa(flags.isa);
  options.fusion = !flags.no_fusion;
  options.reference = flags.reference;
  return options;
}

std::vector<Shape> input_shapes(const Session& session, const EngineFlags& flags) {
  if (flags.shapes.empty()) return session.default_shapes();
  const auto& inputs = session.inputs();
  std::vector<Shape> shapes(inputs.size());
  std::vector<bool> given(inputs.size(), false);
  for (const std::string& text : flags.shapes) {
    const std::size_t equals = text.rfind('=');
    const std::string name = text.substr(0, std::min(equals, text.size()));
    const auto found = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const TensorInfo& info) { return info.name == name; });
    if (equals == std::string::npos || found == inputs.end()) {
      std::vector<std::string> names;
      for (const TensorInfo& info : inputs) names.push_back(describe(info));
      throw Error(fmt::format("--shape {}: the model has no such input; its inputs are {}", text,
                              fmt::join(names, ", ")));
    }
    const auto index = static_cast<std::size_t>(found - inputs.begin());
    shapes[index] = parse_shape(text.substr(equals + 1), text);
    given[index] = true;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (given[i]) continue;
    if (inputs[i].is_sequence)
      throw Error(fmt::format("input {} cannot be given here, only tensors; the C++ API takes it",
                              describe(inputs[i])));
    shapes[i] = inputs[i].shape;
    if (!shapes[i].empty() && shapes[i][0] < 0) shapes[i][0] = 1;
    const bool known =
        inputs[i].rank_known && std::count(shapes[i].begin(), shapes[i].end(), -1) == 0;
    if (!known) {
      throw Error(fmt::format("the shape of input {} is not known; give it with --shape",
                              describe(inputs[i])));
    }
  }
  return shapes;
}

std::string shape_text(const TensorInfo& info) {
  if (!info.rank_known) return "[...]";
  std::vector<std::string> extents;
  for (std::size_t i = 0; i < info.shape.size(); ++i) {
    if (info.shape[i] >= 0)
      extents.push_back(fmt::format("{}", info.shape[i]));
    else
      extents.push_back(i < info.symbols.size() && !info.symbols[i].empty() ? info.symbols[i]
                                                                            : "?");
  }
  return fmt::format("[{}]", fmt::join(extents, ","));
}

std::string describe(const TensorInfo& info) {
  if (info.is_sequence)
    return fmt::format("'{}' sequence of {}", info.name, element_name(info.type));
  return fmt::format("'{}' {} {}", info.name, element_name(info.type), shape_text(info));
}

Json number_or_null(std::optional<double> value) {
  return value && std::isfinite(*value) ? Json(*value) : Json();
}

void write_json(const std::filesystem::path& path, const Json& json) {
  // Names in models need not be UTF-8; they must not make the whole report unwritable.
  write_text(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace intact::tools

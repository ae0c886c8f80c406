// `intact check`: ONNX test cases, a folder with model.onnx and test_data_set_*/input_*.pb,
// output_*.pb each.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "intact/error.hpp"
#include "intact/onnx_tensor.hpp"
#include "tools/common.hpp"
#include "tools/progress.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> folders;
  double rtol = 1e-3, atol = 1e-5;
  std::string json;
  EngineFlags engine;
};

struct Case {
  std::string name;
  fs::path folder;
};

struct Verdict {
  std::string status, reason;  ///< "pass", "fail" or "unsupported"
};

std::vector<Case> find_cases(const std::vector<std::string>& folders) {
  std::vector<Case> cases;
  for (const std::string& text : folders) {
    const fs::path top = text;
    if (!fs::is_directory(top)) throw Error(fmt::format("{}: no such folder", text));
    const std::size_t before = cases.size();
    if (fs::exists(top / "model.onnx")) {
      const fs::path full = fs::canonical(top);
      cases.push_back({full.filename().string(), top});
    } else {
      for (const auto& entry : fs::recursive_directory_iterator(top)) {
        if (entry.path().filename() != "model.onnx") continue;
        const fs::path folder = entry.path().parent_path();
        cases.push_back({folder.lexically_relative(top).string(), folder});
      }
    }
    if (cases.size() == before) {
      throw Error(fmt::format("{}: holds no test case (a folder with model.onnx)", text));
    }
  }
  std::sort(cases.begin(), cases.end(),
            [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

/// NumPy has no bfloat16, so the published cases hold its bits as u16.
Datum as_declared(Datum datum, ElementType declared) {
  if (std::holds_alternative<std::vector<Tensor>>(datum)) return datum;
  const Tensor& tensor = std::get<Tensor>(datum);
  if (declared != ElementType::bf16 || tensor.type() != ElementType::u16) return tensor;
  Tensor result(ElementType::bf16, tensor.shape());
  std::memcpy(result.raw(), tensor.raw(), tensor.bytes());
  return result;
}

std::vector<Datum> load_numbered(const fs::path& folder, const char* kind,
                                 const std::vector<TensorInfo>& declared) {
  std::vector<Datum> data;
  for (std::size_t i = 0;; ++i) {
    const fs::path file = folder / fmt::format("{}_{}.pb", kind, i);
    if (!fs::exists(file)) return data;
    const TensorInfo info = i < declared.size() ? declared[i] : TensorInfo{};
    data.push_back(as_declared(load_onnx_datum(file, info), info.type));
  }
}

/// Some published cases come with data of another shape than their own model declares: no engine
/// that checks its inputs can run them.
void check_shapes(const std::vector<TensorInfo>& declared, const std::vector<Datum>& inputs) {
  for (std::size_t i = 0; i < std::min(declared.size(), inputs.size()); ++i) {
    const auto* tensor = std::get_if<Tensor>(&inputs[i]);
    if (tensor == nullptr || !tensor->defined()) continue;
    const Shape& have = tensor->shape();
    const Shape& want = declared[i].shape;
    const bool fits =
        !declared[i].rank_known || std::equal(have.begin(), have.end(), want.begin(), want.end(),
                                              [](auto h, auto w) { return w < 0 || h == w; });
    if (!fits) {
      throw Unsupported(
          fmt::format("the case contradicts itself: its data for input {} have shape {}",
                      describe(declared[i]), to_string(have)));
    }
  }
}

/// Empty when they agree; otherwise what differs.
std::string difference(const Tensor& expected, const Tensor& actual, const Options& options) {
  if (expected.type() != actual.type()) {
    return fmt::format("type {}, expected {}", element_name(actual.type()),
                       element_name(expected.type()));
  }
  if (expected.shape() != actual.shape()) {
    return fmt::format("shape {}, expected {}", to_string(actual.shape()),
                       to_string(expected.shape()));
  }
  // The published bfloat16 results are truncated, those of ONNX's later text rounded: one step
  // apart.
  const double rtol =
      expected.type() == ElementType::bf16 ? std::max(options.rtol, 0x1p-7) : options.rtol;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const double want = value_at(expected, i), got = value_at(actual, i);
    const bool same = want == got || (std::isnan(want) && std::isnan(got));
    if (!same && !(std::abs(want - got) <= options.atol + rtol * std::abs(want))) {
      return fmt::format("element {} is {:.9g}, expected {:.9g}", i, got, want);
    }
  }
  return "";
}

std::string difference(const Datum& expected, const Datum& actual, const Options& options) {
  if (expected.index() != actual.index()) return "a sequence and a tensor";
  if (const auto* tensor = std::get_if<Tensor>(&expected))
    return difference(*tensor, std::get<Tensor>(actual), options);
  const auto& want = std::get<std::vector<Tensor>>(expected);
  const auto& got = std::get<std::vector<Tensor>>(actual);
  if (want.size() != got.size())
    return fmt::format("{} tensors, expected {}", got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::string text = difference(want[i], got[i], options);
    if (!text.empty()) return fmt::format("tensor {}: {}", i, text);
  }
  return "";
}

/// Operators that draw random numbers.
bool is_random(const ModelInfo& info) {
  constexpr std::array<std::string_view, 6> random = {"RandomUniform",     "RandomNormal",
                                                      "RandomUniformLike", "RandomNormalLike",
                                                      "Bernoulli",         "Multinomial"};
  return std::any_of(info.operators.begin(), info.operators.end(), [&](const auto& used) {
    return std::find(random.begin(), random.end(), used.first) != random.end();
  });
}

/// What can be said about random results: they have the expected form, and come again.
std::string unlike(const Tensor& expected, const Tensor& actual, const Tensor& again) {
  if (expected.type() != actual.type() || expected.shape() != actual.shape())
    return fmt::format("{} {}, expected {} {}", element_name(actual.type()),
                       to_string(actual.shape()), element_name(expected.type()),
                       to_string(expected.shape()));
  const bool repeated = std::memcmp(actual.raw(), again.raw(), actual.bytes()) == 0;
  return repeated ? "" : "a second run gives other numbers";
}

Verdict check_random(const Session& session, const std::vector<Datum>& inputs,
                     const std::vector<Datum>& expected, const std::vector<Datum>& outputs) {
  const std::vector<Datum> again = session.run_data(inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string text = unlike(std::get<Tensor>(expected[i]), std::get<Tensor>(outputs[i]),
                                    std::get<Tensor>(again[i]));
    if (!text.empty())
      return {"fail", fmt::format("output '{}': {}", session.outputs()[i].name, text)};
  }
  return {"unsupported", "random results; type, shape and repetition are right"};
}

Verdict check_data_set(const Session& session, const fs::path& folder, const Options& options) {
  const auto inputs = load_numbered(folder, "input", session.inputs());
  const auto expected = load_numbered(folder, "output", session.outputs());
  check_shapes(session.inputs(), inputs);
  const auto outputs = session.run_data(inputs);
  if (outputs.size() != expected.size()) {
    return {"fail", fmt::format("{} outputs, expected {}", outputs.size(), expected.size())};
  }
  if (is_random(session.info())) return check_random(session, inputs, expected, outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string text = difference(expected[i], outputs[i], options);
    if (!text.empty()) {
      return {"fail", fmt::format("output '{}': {}", session.outputs()[i].name, text)};
    }
  }
  return {"pass", ""};
}

Verdict check_case(const Case& test, const Options& options) {
  try {
    const Session session =
        Session::load(test.folder / "model.onnx", session_options(options.engine));
    int data_sets = 0;
    for (const auto& entry : fs::directory_iterator(test.folder)) {
      if (!entry.path().filename().string().starts_with("test_data_set_")) continue;
      ++data_sets;
      const Verdict verdict = check_data_set(session, entry.path(), options);
      if (verdict.status != "pass") return verdict;
    }
    if (data_sets == 0) return {"fail", "the case holds no test_data_set_*"};
    return {"pass", ""};
  } catch (const Unsupported& error) {
    return {"unsupported", error.what()};
  } catch (const std::exception& error) {
    return {"fail", error.what()};
  }
}

/// A reason without the names in it: what the skipped cases have in common.
std::string category_of(std::string reason) {
  // "Op 'name' (opset 9): reason", "'name': reason"
  for (const char* end : {"): ", "': "}) {
    const std::size_t at = reason.find(end);
    if (at != std::string::npos && reason.find('\'') < at) reason.erase(0, at + 3);
  }
  for (std::size_t open = 0; (open = reason.find('\'', open)) != std::string::npos; open += 5) {
    const std::size_t close = reason.find('\'', open + 1);
    if (close == std::string::npos) break;
    reason.replace(open, close - open + 1, "'...'");
  }
  return reason;
}

int check(const Options& options) {
  const auto cases = find_cases(options.folders);
  int passed = 0, failed = 0, skipped = 0;
  Json report = {{"cases", Json::array()}};
  std::map<std::string, int> categories;  // of skipped cases
  Progress progress("cases", static_cast<int>(cases.size()));
  for (const Case& test : cases) {
    Verdict verdict = check_case(test, options);
    std::replace(verdict.reason.begin(), verdict.reason.end(), '\n', ' ');
    // The line names the case already.
    const std::string file = (test.folder / "model.onnx").string() + ": ";
    if (verdict.reason.starts_with(file)) verdict.reason.erase(0, file.size());
    passed += verdict.status == "pass" ? 1 : 0;
    failed += verdict.status == "fail" ? 1 : 0;
    if (verdict.status == "unsupported") {
      ++skipped;
      ++categories[category_of(verdict.reason)];
    }
    fmt::print("{} {}{}{}\n", verdict.status, test.name, verdict.reason.empty() ? "" : " ",
               verdict.reason);
    report["cases"].push_back(
        {{"status", verdict.status}, {"name", test.name}, {"reason", verdict.reason}});
    progress.update(passed + failed + skipped);
  }
  for (const auto& [category, count] : categories) fmt::print("skipped {}: {}\n", count, category);
  fmt::print("{} passed, {} failed, {} skipped\n", passed, failed, skipped);
  report["skipped_by_reason"] = categories;
  report["passed"] = passed;
  report["failed"] = failed;
  report["skipped"] = skipped;
  if (!options.json.empty()) write_json(options.json, report);
  return failed > 0 ? 1 : 0;
}

}  // namespace

void add_check(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("check", "Runs ONNX test cases");
  command->add_option("DIR", options->folders, "Test case, or any folder above test cases")
      ->type_name("")
      ->required();
  command->add_option("--rtol", options->rtol, "Relative tolerance (default 1e-3)")
      ->type_name("R")
      ->check(without_text(CLI::NonNegativeNumber));
  command->add_option("--atol", options->atol, "Absolute tolerance (default 1e-5)")
      ->type_name("A")
      ->check(without_text(CLI::NonNegativeNumber));
  command->add_flag("--no-fusion", options->engine.no_fusion,
                    "One kernel per operator; same result");
  command->add_flag("--reference", options->engine.reference,
                    "Interpret each file node by node with reference operators");
  command->add_option("--json", options->json, "Write the results as JSON")->type_name("FILE");
  add_engine_flags(*command, options->engine);
  command->callback([options, &chosen] { chosen = [options] { return check(*options); }; });
}

}  // namespace intact::tools

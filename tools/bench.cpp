// `intact bench`: how long loading and running take, and how much memory.
#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <thread>

#include "intact/cpu.hpp"
#include "intact/error.hpp"
#include "tools/common.hpp"
#include "tools/progress.hpp"
#include "tools/samples.hpp"
#include "tools/stats.hpp"
#include "tools/table.hpp"

namespace intact::tools {
namespace {

using Clock = std::chrono::steady_clock;

/// Without --runs: as many as fit into this time, within limits.
constexpr double default_seconds = 2;
constexpr int fewest_runs = 10, most_runs = 1000;

struct Options {
  std::string model, json, profile;
  int runs = 0, streams = 1;
  bool nodes = false;
  EngineFlags engine;
};

double milliseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

struct Timings {
  std::vector<double> ms;  ///< each run of each stream
  double wall_ms = 0;
};

/// Each stream is a thread that runs the session on its own, as a server's requests do.
Timings run_streams(const Session& session, const std::vector<Tensor>& inputs, int runs,
                    int streams) {
  std::vector<std::vector<double>> times(static_cast<std::size_t>(streams));
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(streams));
  const auto stream = [&](std::size_t index, Progress* progress) {
    try {
      for (int i = 0; i < runs; ++i) {
        const auto begin = Clock::now();
        session.run(inputs);
        times[index].push_back(milliseconds(begin));
        if (progress != nullptr) progress->update(i + 1);
      }
    } catch (...) {
      failures[index] = std::current_exception();
    }
  };
  const auto begin = Clock::now();
  {
    Progress progress("runs", runs);
    std::vector<std::thread> threads;
    for (int i = 1; i < streams; ++i)
      threads.emplace_back(stream, static_cast<std::size_t>(i), nullptr);
    stream(0, &progress);
    for (std::thread& thread : threads) thread.join();
  }
  Timings timings;
  timings.wall_ms = milliseconds(begin);
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  for (const auto& part : times) timings.ms.insert(timings.ms.end(), part.begin(), part.end());
  return timings;
}

/// The kernel's high-water mark of this process. (getrusage would report the parent's where that
/// was larger at the time of the fork.)
double peak_rss_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;  // kilobytes
  return 0;
}

/// The trace-event format that chrome://tracing and Perfetto read.
void write_trace(const std::string& path, const std::vector<StepTime>& steps) {
  Json events = Json::array();
  for (const StepTime& step : steps) {
    events.push_back(
        {{"name", step.name},
         {"cat", step.op},
         {"ph", "X"},
         {"ts", step.begin_us},
         {"dur", step.end_us - step.begin_us},
         {"pid", 1},
         {"tid", 1},
         {"args",
          {{"op", step.op}, {"kernel", step.kernel}, {"macs", step.macs}, {"bytes", step.bytes}}}});
  }
  write_json(path, {{"traceEvents", events}, {"displayTimeUnit", "ms"}});
}

/// Per step: the median over runs of its time, and its rates. `peak` is in multiply-adds per second
/// of all threads.
Json profile_nodes(const Session& session, const std::vector<Tensor>& inputs, int runs,
                   double peak) {
  std::vector<std::string> order;
  std::map<std::string, StepTime> steps;
  std::map<std::string, std::vector<double>> times;
  for (int i = 0; i < runs; ++i) {
    std::vector<StepTime> profile;
    session.run(inputs, &profile);
    std::map<std::string, double> sums;  // the body of a loop runs often
    for (const StepTime& step : profile) {
      if (steps.emplace(step.name, step).second) order.push_back(step.name);
      sums[step.name] += step.end_us - step.begin_us;
    }
    for (const auto& [name, time] : sums) times[name].push_back(time);
  }
  double total = 0;
  for (const auto& [name, list] : times) total += median(list);
  Json nodes = Json::array();
  for (const std::string& name : order) {
    const StepTime& step = steps[name];
    const double us = median(times[name]);
    nodes.push_back({{"name", name},
                     {"op", step.op},
                     {"kernel", step.kernel},
                     {"us", us},
                     {"share", us / total},
                     {"macs", step.macs},
                     {"bytes", step.bytes},
                     {"gmacs_per_s", static_cast<double>(step.macs) / us / 1000},
                     {"share_of_peak", static_cast<double>(step.macs) / us * 1e6 / peak},
                     {"gb_per_s", static_cast<double>(step.bytes) / us / 1000}});
  }
  return nodes;
}

void print_nodes(const Json& nodes) {
  Table table;
  table.column("name");
  table.column("op");
  table.column("kernel");
  for (const char* title : {"us", "share", "MMAC", "GMAC/s", "of peak", "KB", "GB/s"})
    table.column(title, Table::Align::right);
  for (const Json& node : nodes) {
    table.row({shorten(node["name"], 40), node["op"], node["kernel"],
               fmt::format("{:.1f}", node["us"].get<double>()),
               fmt::format("{:.1f} %", node["share"].get<double>() * 100),
               fmt::format("{:.2f}", node["macs"].get<double>() / 1e6),
               fmt::format("{:.1f}", node["gmacs_per_s"].get<double>()),
               fmt::format("{:.0f} %", node["share_of_peak"].get<double>() * 100),
               fmt::format("{:.1f}", node["bytes"].get<double>() / 1e3),
               fmt::format("{:.1f}", node["gb_per_s"].get<double>())});
  }
  fmt::print("{}", table.text());
}

int bench(const Options& options) {
  auto begin = Clock::now();
  const Session session = Session::load(options.model, session_options(options.engine));
  const double load_ms = milliseconds(begin);
  const auto shapes = input_shapes(session, options.engine);
  std::mt19937_64 generator(1);
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    inputs.push_back(random_tensor(session.inputs()[i].type, shapes[i], generator));
  }
  begin = Clock::now();
  session.run(inputs);
  const double first_ms = milliseconds(begin);
  int runs = options.runs;
  if (runs == 0) {
    begin = Clock::now();
    session.run(inputs);  // the first run plans, so it says little about the others
    runs = std::clamp(static_cast<int>(default_seconds * 1000 / (milliseconds(begin) + 1e-3)),
                      fewest_runs, most_runs);
  }
  const Timings timings = run_streams(session, inputs, runs, options.streams);
  const Flow flow = session.flow(shapes);
  Json json = {{"model", options.model},
               {"load_ms", load_ms},
               {"first_ms", first_ms},
               {"min_ms", quantile(timings.ms, 0)},
               {"median_ms", median(timings.ms)},
               {"p95_ms", quantile(timings.ms, 0.95)},
               {"throughput", static_cast<double>(timings.ms.size()) * 1000 / timings.wall_ms},
               {"peak_rss_mb", peak_rss_mb()},
               {"macs", flow.total_macs},
               {"int8_macs", flow.int8_macs},
               {"isa", isa_name(session.isa())},
               {"threads", session.threads()},
               {"streams", options.streams},
               {"runs", runs},
               {"cpu", cpu_name()}};
  if (const std::string withheld = withheld_isa(); !withheld.empty()) json["note"] = withheld;
  for (const auto& [key, value] : json.items()) {
    fmt::print("{:<12} {}\n", key,
               value.is_number_float() ? fmt::format("{:.3f}", value.get<double>())
               : value.is_string()     ? value.get<std::string>()
                                       : value.dump());
  }
  if (options.nodes) {
    // Measured now, at the clock that the runs had.
    const double peak = peak_macs(session.isa()) * session.threads();
    json["peak_gmacs_per_s"] = peak / 1e9;
    json["nodes"] = profile_nodes(session, inputs, std::min(runs, 50), peak);
    fmt::print("\nPeak of {} on {} thread(s), from registers: {:.0f} GMAC/s.\n",
               isa_name(session.isa()), session.threads(), peak / 1e9);
    print_nodes(json["nodes"]);
  }
  if (!options.json.empty()) write_json(options.json, json);
  if (!options.profile.empty()) {
    std::vector<StepTime> profile;
    session.run(inputs, &profile);
    write_trace(options.profile, profile);
  }
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("bench", "Measures loading, latency, throughput and memory");
  command->add_option("MODEL", options->model, "ONNX file")->type_name("")->required();
  command
      ->add_option("--runs", options->runs, "Runs per stream (default: about two seconds of them)")
      ->type_name("R")
      ->check(without_text(CLI::PositiveNumber));
  command->add_option("--streams", options->streams, "Threads that run the model at the same time")
      ->type_name("S")
      ->check(without_text(CLI::Range(1, 1024)));
  command->add_flag("--no-fusion", options->engine.no_fusion,
                    "One kernel per operator; same result");
  command->add_flag("--nodes", options->nodes, "Time of each step");
  command->add_option("--profile", options->profile, "Write one run as a Chrome trace")
      ->type_name("FILE");
  command->add_option("--json", options->json, "Write the figures as JSON")->type_name("FILE");
  add_engine_flags(*command, options->engine);
  add_shape_flag(*command, options->engine);
  command->callback([options, &chosen] { chosen = [options] { return bench(*options); }; });
}

}  // namespace intact::tools

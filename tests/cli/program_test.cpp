// The program as a user calls it: results, error texts and exit codes of every subcommand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "intact/cpu.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/test_data.hpp"
#include "tools/npy.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

using nlohmann::json;

const std::string model = digits("digits.onnx");

json read_json(const std::string& path) {
  return json::parse(file_text(path));
}

/// The first test image as the model's input.
void write_image(const std::string& path) {
  const Tensor images = read_npy(digits("digits_test.npy"));
  Tensor image(ElementType::f32, {1, 1, 16, 16});
  std::copy_n(images.data<float>().begin(), 256, image.data<float>().begin());
  write_npy(path, image);
}

TEST(Program, wrong_usage_exits_with_2) {
  expect_error(run_program({}), 2, {"subcommand is required"});
  expect_error(run_program({"walk"}), 2, {"walk"});
  expect_error(run_program({"run"}), 2, {"MODEL", "intact run --help"});
  expect_error(run_program({"run", model, "--speed", "9"}), 2, {"--speed"});
  expect_error(run_program({"run", model, "--threads", "many"}), 2, {"--threads", "many"});
  expect_error(run_program({"run", model, "--isa", "sse2"}), 2, {"sse2", "avx512vnni"});
  expect_error(run_program({"quantize", model, "-o", "x.onnx", "--mode", "best"}), 2, {"best"});
  expect_error(run_program({"quantize", model, "-o", "x.onnx"}), 2, {"--mode"});
  expect_error(run_program({"bench", model, "--runs", "0"}), 2, {"--runs"});
  expect_error(run_program({"run", model, "--random", "-1"}), 2, {"--random", "-1"});
}

TEST(Program, options_without_effect_are_refused) {
  const std::vector<std::string> run = {"run", model}, quantize = {"quantize", model, "-o", "x.onnx", "--mode", "static"},
                                 compare = {"compare", model, model};
  for (const auto& [command, option, needed] :
       {std::tuple{run, "--labels=x", "--images"}, std::tuple{run, "--preprocess=unit", "--images"},
        std::tuple{run, "--shape=image=1x1x16x16", "--random"},
        std::tuple{compare, "--labels=x", "--inputs"},
        std::tuple{compare, "--preprocess=unit", "--inputs"},
        std::tuple{compare, "--shape=image=1x1x16x16", "--random"},
        std::tuple{quantize, "--preprocess=unit", "--calibration"},
        std::tuple{quantize, "--shape=image=1x1x16x16", "--random"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back(option);
    const std::string name = arguments.back().substr(0, arguments.back().find('='));
    expect_error(run_program(arguments), 2, {name + " requires " + needed});
  }
}

TEST(Program, help_and_version) {
  const ProgramResult help = run_program({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* name : {"run", "quantize", "compare", "flow", "bench", "check", "info"}) {
    EXPECT_NE(help.out.find(name), std::string::npos) << name;
    EXPECT_EQ(run_program({name, "--help"}).code, 0) << name;
  }
  EXPECT_EQ(run_program({"--version"}).out.rfind("intact ", 0), 0U);
}

TEST(Program, help_names_what_options_take) {
  for (const auto& [command, parts] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"run", {"--input NAME=FILE.npy", "--images PATH", "--preprocess P", "--labels FILE",
                    "--output DIR", "--random SEED", "--threads N", "--shape NAME=1x3x224x224",
                    "--isa scalar|avx2|avxvnni|avx512vnni|amx"}},
           {"quantize", {"--output OUT", "--mode static|dynamic", "--calibration PATH",
                         "--method auto|minmax|average|percentile|entropy|mse", "--exclude NODE",
                         "--random N", "--max-drop SHARE"}},
           {"compare", {"--inputs PATH", "--random N", "--labels FILE", "--json FILE"}},
           {"flow", {"--json FILE", "--html FILE", "--dot FILE"}},
           {"bench", {"--runs R", "--streams S", "--profile FILE"}},
           {"check", {"--rtol R", "--atol A"}},
           {"info", {"--json FILE"}}}) {
    const std::string help = run_program({command, "--help"}).out;
    for (const std::string& part : parts)
      EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
    for (const char* unwanted : {"TEXT", "INT:", "FLOAT:", " in ["})
      EXPECT_EQ(help.find(unwanted), std::string::npos) << unwanted << "\n" << help;
  }
}

TEST(Program, broken_models_are_errors_for_every_subcommand) {
  const TemporaryFolder folder;
  const std::string garbage = folder / "garbage.onnx", truncated = folder / "truncated.onnx";
  write_file(garbage, "this is not a model at all, but it has some bytes");
  write_file(truncated, file_text(model).substr(0, 100000));
  for (const std::string& path : {folder / "missing.onnx", garbage, truncated, folder.text()}) {
    expect_error(run_program({"run", path, "--random", "1"}), 1, {path});
    expect_error(run_program({"flow", path}), 1, {path});
    expect_error(run_program({"bench", path}), 1, {path});
    expect_error(run_program({"info", path}), 1, {path});
    expect_error(run_program({"compare", path, model, "--random", "1"}), 1, {path});
    expect_error(run_program({"compare", model, path, "--random", "1"}), 1, {path});
    expect_error(run_program({"quantize", path, "-o", folder / "q.onnx", "--mode", "static",
                              "--random", "1"}),
                 1, {path});
  }
}

TEST(Program, instruction_sets_beyond_the_machine_are_refused) {
  for (const Isa isa : {Isa::avx2, Isa::avxvnni, Isa::avx512vnni, Isa::amx}) {
    const std::string name(isa_name(isa));
    if (cpu_supports(isa)) {
      EXPECT_EQ(run_program({"run", model, "--random", "1", "--isa", name}).code, 0) << name;
      continue;
    }
    expect_error(run_program({"run", model, "--random", "1", "--isa", name}), 1, {name});
    expect_error(run_program({"run", model, "--random", "1"}, {"INTACT_ISA=" + name}), 1, {name});
  }
  expect_error(run_program({"run", model, "--random", "1"}, {"INTACT_ISA=mmx"}), 1, {"mmx"});
}

TEST(Run, missing_and_wrong_inputs_are_named) {
  const TemporaryFolder folder;
  expect_error(run_program({"run", model}), 1, {"'image' f32 [N,1,16,16]", "--random"});
  expect_error(run_program({"run", model, "--input", "picture=a.npy"}), 1, {"picture", "'image'"});
  expect_error(run_program({"run", model, "--input", "image"}), 1, {"NAME=FILE.npy"});
  const std::string file = folder / "x.npy";
  expect_error(run_program({"run", model, "--input", "image=" + file}), 1, {file, "no such file"});
  write_npy(file, Tensor(ElementType::f32, {1, 1, 16, 15}));
  expect_error(run_program({"run", model, "--input", "image=" + file}), 1,
               {"image", "[1,1,16,15]", "16,16]"});
  write_npy(file, Tensor(ElementType::f64, {1, 1, 16, 16}));
  expect_error(run_program({"run", model, "--input", "image=" + file}), 1, {"image", "f64", "f32"});
  write_image(file);
  const std::string text = file_text(file);
  write_file(file, text.substr(0, text.size() - 1));
  expect_error(run_program({"run", model, "--input", "image=" + file}), 1, {file, "truncated"});
  std::string pickled = text;
  pickled.replace(pickled.find("<f4"), 3, "|O'");
  write_file(file, pickled);
  expect_error(run_program({"run", model, "--input", "image=" + file}), 1, {file});
}

TEST(Run, prints_and_writes_outputs) {
  const TemporaryFolder folder;
  write_image(folder / "x.npy");
  const std::vector<std::string> command = {"run", model, "--input", "image=" + (folder / "x.npy")};
  const ProgramResult printed = run_program(command);
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_NE(printed.out.find("logits  f32 [1,10]"), std::string::npos) << printed.out;
  auto writing = command;
  writing.insert(writing.end(), {"--output", folder / "new/out", "--json", folder / "r.json"});
  EXPECT_EQ(run_program(writing).code, 0);
  const Tensor logits = read_npy(folder / "new/out/0.npy");
  EXPECT_EQ(logits.shape(), (Shape{1, 10}));
  const auto values = to_doubles(logits);
  // The first test image shows the digit on the first line of the labels.
  EXPECT_EQ(std::max_element(values.begin(), values.end()) - values.begin(),
            std::stoi(file_text(digits("digits_test_labels.txt"))));
  EXPECT_EQ(read_json(folder / "r.json")["outputs"][0]["shape"], json::array({1, 10}));
  expect_error(run_program({"run", model, "--random", "1", "--output", folder / "x.npy"}), 1,
               {folder / "x.npy"});
}

TEST(Run, every_way_of_running_agrees) {
  const TemporaryFolder folder;
  const auto logits = [&](std::vector<std::string> flags) {
    std::vector<std::string> command = {"run", model, "--random", "7", "--output", folder.text()};
    command.insert(command.end(), flags.begin(), flags.end());
    const ProgramResult result = run_program(command);
    EXPECT_EQ(result.code, 0) << result.err;
    return to_doubles(read_npy(folder / "0.npy"));
  };
  const auto expected = logits({});
  ASSERT_EQ(expected.size(), 10U);
  const std::vector<std::vector<std::string>> ways = {{"--reference"},
                                                      {"--no-fusion", "--threads", "1"},
                                                      {"--threads", "2"},
                                                      {"--isa", "scalar", "--threads", "1"}};
  for (const auto& flags : ways) {
    const auto actual = logits(flags);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(actual[i], expected[i], 1e-3) << flags[0];
  }
}

TEST(Run, shapes_of_inputs_can_be_given) {
  const ProgramResult result =
      run_program({"run", model, "--random", "1", "--shape", "image=3x1x16x16"});
  EXPECT_NE(result.out.find("[3,10]"), std::string::npos) << result.out << result.err;
  expect_error(run_program({"run", model, "--random", "1", "--shape", "y=1x2"}), 1, {"'image'"});
  expect_error(run_program({"run", model, "--random", "1", "--shape", "image=1x"}), 2,
               {"--shape image=1x: NAME=1x3x224x224 is expected", "(see intact run --help)"});
}

/// Test images as files, with a labels file that knows their classes.
void write_pictures(const TemporaryFolder& folder, int count) {
  const Tensor images = read_npy(digits("digits_test.npy"));
  std::istringstream classes(file_text(digits("digits_test_labels.txt")));
  std::string labels;
  for (int i = 0; i < count; ++i) {
    std::string pixels = "P5\n16 16\n255\n";
    for (int p = 0; p < 256; ++p) {
      const float value = images.data<float>()[static_cast<std::size_t>(i * 256 + p)];
      pixels += static_cast<char>(std::lround(value * 255));
    }
    const std::string name = std::to_string(i) + ".pgm";
    write_file(folder / name, pixels);
    std::string digit;
    std::getline(classes, digit);
    labels += name + "\t" + digit + "\tdigit " + digit + "\n";
  }
  write_file(folder / "labels.tsv", labels);
}

TEST(Run, images_with_labels_give_top_5_and_accuracy) {
  const TemporaryFolder folder;
  write_pictures(folder, 4);
  const ProgramResult result = run_program(
      {"run", model, "--threads", "1", "--images", folder.text(), "--preprocess", "unit",
       "--labels", folder / "labels.tsv", "--output", folder / "out", "--json", folder / "r.json"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("top-1 100.00 %, top-5 100.00 % of 4 images"), std::string::npos)
      << result.out;
  EXPECT_EQ(read_npy(folder / "out/0.npy").shape(), (Shape{4, 10}));
  const json report = read_json(folder / "r.json");
  EXPECT_EQ(report["top1"], 100);
  EXPECT_EQ(report["images"][3]["file"], "3.pgm");
  EXPECT_EQ(report["images"][3]["top"].size(), 5U);
  EXPECT_EQ(report["images"][0]["top"][0]["class"], report["images"][0]["true_class"]);
}

TEST(Run, the_first_input_is_images_or_an_array) {
  const TemporaryFolder folder;
  write_pictures(folder, 1);
  write_image(folder / "x.npy");
  expect_error(run_program({"run", model, "--images", folder / "0.pgm", "--input",
                            "image=" + (folder / "x.npy")}),
               1, {"--input: input 'image' takes the images"});
}

TEST(Run, broken_images_are_errors) {
  const TemporaryFolder folder;
  const std::string file = folder / "a.png";
  write_file(file, "\x89PNG\r\n\x1a\n and then nothing that makes sense");
  expect_error(run_program({"run", model, "--images", file}), 1, {file});
  expect_error(run_program({"run", model, "--images", folder / "none.png"}), 1, {"none.png"});
  expect_error(run_program({"run", model, "--images", file, "--preprocess", "vgg"}), 1,
               {"vgg", "imagenet"});
  const TemporaryFolder empty;
  expect_error(run_program({"run", model, "--images", empty.text()}), 1, {"no image"});
}

TEST(Info, tells_what_the_file_holds) {
  const TemporaryFolder folder;
  const ProgramResult result = run_program({"info", model, "--json", folder / "i.json"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("'image' f32 [N,1,16,16]"), std::string::npos) << result.out;
  const json report = read_json(folder / "i.json");
  EXPECT_EQ(report["inputs"][0]["shape"], json::array({"N", 1, 16, 16}));
  EXPECT_EQ(report["opsets"]["ai.onnx"], 13);
  EXPECT_EQ(report["operators"]["Conv"], 11);
  EXPECT_EQ(report["file_bytes"], std::filesystem::file_size(model));
}

TEST(Bench, reports_every_figure) {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_program({"bench", model, "--runs", "3", "--streams", "2", "--threads", "1", "--nodes",
                   "--json", folder / "b.json", "--profile", folder / "trace.json"});
  EXPECT_EQ(result.code, 0) << result.err;
  const json report = read_json(folder / "b.json");
  for (const char* key :
       {"load_ms", "first_ms", "min_ms", "median_ms", "p95_ms", "throughput", "peak_rss_mb"}) {
    EXPECT_GT(report[key].get<double>(), 0) << key;
    EXPECT_NE(result.out.find(key), std::string::npos) << key;
  }
  EXPECT_LE(report["min_ms"], report["median_ms"]);
  EXPECT_LE(report["median_ms"], report["p95_ms"]);
  EXPECT_EQ(report["macs"], 10032384);
  EXPECT_EQ(report["isa"], isa_name(best_isa()));
  EXPECT_GT(report["nodes"].size(), 5U);
  EXPECT_GT(report["peak_gmacs_per_s"], 0);
  double share = 0;
  for (const json& node : report["nodes"]) {
    share += node["share"].get<double>();
    EXPECT_GE(node["share_of_peak"], 0);
    EXPECT_LE(node["share_of_peak"], 1.5) << node["name"];  // clocks change between measurements
    EXPECT_GT(node["gb_per_s"], 0) << node["name"];
  }
  EXPECT_NEAR(share, 1, 1e-6);
  const json trace = read_json(folder / "trace.json");
  EXPECT_EQ(trace["traceEvents"][0]["ph"], "X");
  EXPECT_GE(trace["traceEvents"][0]["dur"], 0);
}

TEST(Flow, accounts_for_every_source_node_in_every_form) {
  const TemporaryFolder folder;
  const ProgramResult result = run_program({"flow", model, "--json", folder / "f.json", "--html",
                                            folder / "f.html", "--dot", folder / "f.dot"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("0 operators on int8"), std::string::npos) << result.out;
  const json flow = read_json(folder / "f.json");
  std::size_t accounted = 0;
  for (const json& node : flow["nodes"]) {
    accounted += node["onnx_nodes"].size();
    if (node["precision"] == "float") EXPECT_NE(node["reason"], "") << node["name"];
  }
  for (const json& removed : flow["removed"]) accounted += removed["onnx_nodes"].size();
  EXPECT_GE(accounted, 27U) << "the model has 27 nodes; a Concat may be several steps";
  EXPECT_EQ(flow["summary"]["total_macs"], 10032384);
  EXPECT_NE(file_text(folder / "f.html").find("<svg"), std::string::npos);
  EXPECT_EQ(file_text(folder / "f.dot").rfind("digraph", 0), 0U);
}

TEST(Quantize, what_does_not_fit_together_is_said) {
  const TemporaryFolder folder;
  const std::string out = folder / "q.onnx";
  const std::string ranges = "--save-ranges=" + (folder / "r.json");
  for (const auto& [option, message] :
       {std::pair{std::string("--method=mse"), "--mode dynamic finds ranges at run time"},
        std::pair{ranges, "--mode dynamic finds ranges at run time"},
        std::pair{std::string("--target-sqnr=20"),
                  "--target-sqnr and --max-drop are measured on samples"},
        std::pair{std::string("--max-drop=0"),
                  "--target-sqnr and --max-drop are measured on samples"},
        std::pair{std::string("--symmetric"), "neither --activations s8 nor --symmetric"},
        std::pair{std::string("--effort=low"), "--effort needs --calibration"}})
    expect_error(run_program({"quantize", model, "-o", out, "--mode", "dynamic", option}), 2,
                 {message, "(see intact quantize --help)"});
  expect_error(run_program({"quantize", model, "-o", out, "--mode", "static", "--random", "2",
                            "--calibration", folder / "none"}),
               2, {"either --calibration PATH or --random N"});
  expect_error(run_program({"quantize", model, "-o", out, "--mode", "dynamic", "--isa", "scalar"}),
               2, {"INTACT_ISA"});
  expect_error(run_program({"quantize", model, "-o", out, "--mode", "static", "--method", "best",
                            "--random", "2"}),
               2, {"best"});
  expect_error(run_program({"quantize", model, "-o", out, "--mode", "static"}), 2,
               {"--calibration", "--random"});
  expect_error(run_program({"quantize", model, "-o", out, "--mode", "static", "--calibration",
                            folder / "none"}),
               1, {folder / "none"});
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(Quantize, does_not_overwrite_the_float_model) {
  const TemporaryFolder folder;
  const std::string own = folder / "m.onnx";
  std::filesystem::copy_file(model, own);
  std::filesystem::create_symlink("m.onnx", folder / "link.onnx");
  for (const std::string& out : {own, folder / "./m.onnx", folder / "link.onnx"})
    expect_error(run_program({"quantize", own, "-o", out, "--mode", "dynamic"}), 2,
                 {"-o " + out, "would overwrite " + own});
  write_file(own + ".data", "weights");
  expect_error(run_program({"quantize", own, "-o", own + ".data", "--mode", "dynamic"}), 2,
               {"would overwrite " + own + ".data"});
  EXPECT_EQ(file_text(own), file_text(model));
  EXPECT_EQ(file_text(own + ".data"), "weights");
}

TEST(Quantize, makes_a_dynamic_model_without_samples) {
  const TemporaryFolder folder;
  const std::string out = folder / "q.onnx";
  const ProgramResult made =
      run_program({"quantize", model, "-o", out, "--mode", "dynamic", "--json", folder / "q.json"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_NE(made.out.find("operators quantized"), std::string::npos) << made.out;
  EXPECT_NE(made.out.find("ONNX Runtime refuses before version 1.31"), std::string::npos)
      << made.out;
  EXPECT_GT(read_json(folder / "q.json")["quantized"].size(), 0U);
  const ProgramResult compared =
      run_program({"compare", model, out, "--inputs", digits("digits_test.npy"), "--threads", "1",
                   "--json", folder / "c.json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_LT(read_json(folder / "c.json")["models"][0]["disagree"], 0.02);
}

TEST(Quantize, calibrates_by_entropy) {
  const TemporaryFolder folder;
  const std::string out = folder / "q.onnx";
  const ProgramResult made =
      run_program({"quantize", model, "-o", out, "--mode", "static", "--method", "entropy",
                   "--calibration", digits("digits_calibration.npy")});
  ASSERT_EQ(made.code, 0) << made.err;
  const ProgramResult compared =
      run_program({"compare", model, out, "--inputs", digits("digits_test.npy"), "--threads", "1",
                   "--json", folder / "c.json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_LT(read_json(folder / "c.json")["models"][0]["disagree"], 0.02);
}

TEST(Quantize, makes_a_model_that_compares_well) {
  const TemporaryFolder folder;
  const std::string out = folder / "q.onnx";
  const ProgramResult made =
      run_program({"quantize", model, "-o", out, "--mode", "static", "--calibration",
                   digits("digits_calibration.npy"), "--json", folder / "q.json"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(read_json(folder / "q.json")["samples"], 100);
  EXPECT_NE(made.out.find("operators quantized"), std::string::npos) << made.out;

  const ProgramResult compared =
      run_program({"compare", model, out, "--inputs", digits("digits_test.npy"), "--labels",
                   digits("digits_test_labels.txt"), "--threads", "1", "--json", folder / "c.json",
                   "--chart", folder / "c.svg", "--per-layer"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  const json row = read_json(folder / "c.json")["models"][0];
  for (const char* key : {"size_ratio", "mean_diff", "mean_max", "sqnr_db", "disagree",
                          "time_float_ms", "time_int8_ms", "ratio", "top1_float", "top1_int8"}) {
    EXPECT_TRUE(row[key].is_number()) << key;
    EXPECT_NE(compared.out.find(key), std::string::npos) << key;
  }
  EXPECT_LT(row["size_ratio"], 0.4);
  EXPECT_LT(row["disagree"], 0.02);
  // What quantizing said of its samples holds for others.
  EXPECT_NEAR(row["sqnr_db"], read_json(folder / "q.json")["sqnr_db"], 3);
  ASSERT_EQ(row["outputs"].size(), 1U);
  EXPECT_EQ(row["outputs"][0]["sqnr_db"], row["sqnr_db"]);
  EXPECT_GE(row["top1_int8"].get<double>(), row["top1_float"].get<double>() - 1);
  EXPECT_NE(file_text(folder / "c.svg").find("signal to noise along the model"), std::string::npos);
  // The channels of some tensors have other factors than in the float model.
  int scaled = 0;
  EXPECT_GT(row["layers"].size(), 10U);
  for (const json& layer : row["layers"]) {
    EXPECT_GT(layer["sqnr_db"], 20) << layer;
    scaled += layer["scaled_channels"] ? 1 : 0;
  }
  EXPECT_GT(scaled, 0);
  EXPECT_NE(compared.out.find("None is below 10 dB."), std::string::npos) << compared.out;

  const ProgramResult flow = run_program({"flow", out, "--json", folder / "f.json"});
  EXPECT_NE(flow.out.find("0 float round trips"), std::string::npos) << flow.out;
  EXPECT_EQ(read_json(folder / "f.json")["summary"]["int8_macs"], 10032384);
}

TEST(Quantize, options_of_grids_reach_the_file) {
  const TemporaryFolder folder;
  const std::string out = folder / "q.onnx";
  const ProgramResult made =
      run_program({"quantize", model, "-o", out, "--mode", "static", "--calibration",
                   digits("digits_calibration.npy"), "--activations", "s8", "--symmetric",
                   "--narrow-weights", "--report", folder / "q.json"});
  ASSERT_EQ(made.code, 0) << made.err;
  for (const json& tensor : read_json(folder / "q.json")["tensors"]) {
    EXPECT_EQ(tensor["type"], "s8");
    EXPECT_EQ(tensor["zero_point"], 0);
  }
  const std::string options = "narrow per-channel weights, normal effort, symmetric s8 activations";
  const ProgramResult info = run_program({"info", out});
  EXPECT_NE(info.out.find(options), std::string::npos) << info.out;
}

TEST(Quantize, report_is_a_page_too) {
  const TemporaryFolder folder;
  const ProgramResult made = run_program(
      {"quantize", model, "-o", folder / "q.onnx", "--mode", "static", "--calibration",
       digits("digits_calibration.npy"), "--report", folder / "q.html", "--target-sqnr", "60"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_NE(made.out.find("gain in float"), std::string::npos) << made.out;
  const std::string page = file_text(folder / "q.html");
  for (const char* part : {"</html>", "<svg", "Tensors on grids", "for accuracy: "})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("http"), std::string::npos) << "nothing is loaded from elsewhere";
}

TEST(Compare, needs_samples) {
  expect_error(run_program({"compare", model, model}), 2,
               {"--inputs", "--random", "(see intact compare --help)"});
  expect_error(run_program({"compare", model, model, "--random", "1", "--inputs", "x"}), 2,
               {"exclude each other"});
  const ProgramResult same =
      run_program({"compare", model, model, "--random", "2", "--threads", "1"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_NE(same.out.find("2 samples"), std::string::npos);
  EXPECT_NE(same.out.find(" inf "), std::string::npos) << "no noise\n" << same.out;
}

/// The engine, where tests/conformance has the interpreter.
TEST(Check, the_engine_passes_onnx_cases) {
  const std::string data = "/usr/share/libonnx-testdata/data";
  if (const auto why = testing::why_missing_cases(data); !why.empty()) GTEST_SKIP() << why;
  const TemporaryFolder folder;
  const ProgramResult result =
      run_program({"check", data + "/node", data + "/simple", data + "/pytorch-converted",
                   data + "/pytorch-operator", "--json", folder / "c.json"});
  EXPECT_EQ(result.code, 0) << result.err;
  const json report = read_json(folder / "c.json");
  EXPECT_EQ(report["failed"], 0);
  EXPECT_GE(report["passed"], 1000);
}

TEST(Check, reports_cases_and_fails_when_one_fails) {
  const std::string data = "/usr/share/libonnx-testdata/data/node";
  if (const auto why = testing::why_missing_cases(data); !why.empty()) GTEST_SKIP() << why;
  const TemporaryFolder folder;
  namespace fs = std::filesystem;
  for (const char* name : {"test_relu", "test_add", "test_bernoulli"}) {
    fs::copy(data + "/" + name, folder / name, fs::copy_options::recursive);
  }
  const ProgramResult good = run_program({"check", folder.text(), "--json", folder / "c.json"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out.rfind("pass test_add\nunsupported test_bernoulli ", 0), 0U) << good.out;
  EXPECT_NE(good.out.find("pass test_relu\n"
                          "skipped 1: random results; type, shape and repetition are right\n"
                          "2 passed, 0 failed, 1 skipped\n"),
            std::string::npos)
      << good.out;
  EXPECT_EQ(read_json(folder / "c.json")["passed"], 2);
  EXPECT_EQ(run_program({"check", folder / "test_relu"}).out,
            "pass test_relu\n1 passed, 0 failed, 0 skipped\n");
  fs::copy(folder / "test_add/test_data_set_0/output_0.pb",
           folder / "test_relu/test_data_set_0/output_0.pb", fs::copy_options::overwrite_existing);
  const ProgramResult bad = run_program({"check", folder.text()});
  EXPECT_EQ(bad.code, 1);
  EXPECT_NE(bad.out.find("fail test_relu output 'y': "), std::string::npos) << bad.out;
  EXPECT_NE(bad.out.find("1 passed, 1 failed, 1 skipped\n"), std::string::npos) << bad.out;
  expect_error(run_program({"check", folder / "none"}), 1, {folder / "none"});
}

}  // namespace
}  // namespace intact::tools

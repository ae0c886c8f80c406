// Published float models quantized by the program: no float tensor is left between their integer
// operators. Skipped when the test data is not there.
#include <nlohmann/json.hpp>

#include "tests/cli/run_program.hpp"

namespace intact::tools {
namespace {

struct RealModel {
  const char* name;
  const char* preprocess;
  std::vector<std::string> shapes;  ///< of the input, where the file leaves it open
};

void PrintTo(const RealModel& model, std::ostream* out) {
  *out << model.name;
}

class QuantizeReal : public ::testing::TestWithParam<RealModel> {};

/// Two photos, which fix the ranges well enough.
void copy_photos(const std::filesystem::path& from, const std::string& to) {
  std::filesystem::create_directory(to);
  for (const char* photo : {"000000000139.jpg", "000000000632.jpg"})
    std::filesystem::copy(from / photo, std::filesystem::path(to) / photo);
}

TEST_P(QuantizeReal, runs_without_float_round_trips) {
  const auto data = std::filesystem::path(INTACT_TEST_DATA);
  const auto model = data / "models" / GetParam().name;
  const auto photos = data / "images" / "coco50";
  if (!std::filesystem::exists(model) || !std::filesystem::exists(photos))
    GTEST_SKIP() << model << " or " << photos << " is not there";
  const TemporaryFolder folder;
  copy_photos(photos, folder / "photos");
  write_file(folder / "p.json", GetParam().preprocess);
  const ProgramResult made = run_program(
      {"quantize", model.string(), "-o", folder / "q.onnx", "--mode", "static", "--calibration",
       folder / "photos", "--preprocess", folder / "p.json", "--target-sqnr", "-1000"});
  ASSERT_EQ(made.code, 0) << made.err;
  std::vector<std::string> shapes = GetParam().shapes;
  if (shapes.empty()) shapes.emplace_back();
  for (const std::string& shape : shapes) {
    std::vector<std::string> arguments = {"flow", folder / "q.onnx", "--json", folder / "f.json"};
    if (!shape.empty()) arguments.insert(arguments.end(), {"--shape", shape});
    const ProgramResult flow = run_program(arguments);
    ASSERT_EQ(flow.code, 0) << flow.err;
    const auto summary = nlohmann::json::parse(file_text(folder / "f.json"))["summary"];
    EXPECT_EQ(summary["float_round_trips"], 0) << shape << "\n" << flow.out;
    EXPECT_EQ(summary["int8_macs"], summary["total_macs"]) << shape;
    EXPECT_GT(summary["int8_nodes"].get<int>(), 50) << shape;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, QuantizeReal,
    ::testing::Values(
        RealModel{"yolox_nano.onnx", R"({"resize":416,"crop":416,"channels":"bgr"})", {}},
        RealModel{"ultraface_RFB_320.onnx",
                  R"({"resize":[240,320],"mean":[127,127,127],"std":[128,128,128]})",
                  {}},
        RealModel{"nanodet_m_320.onnx",
                  R"({"resize":[320,320],"mean":[103.53,116.28,123.675],)"
                  R"("std":[57.375,57.12,58.395],"channels":"bgr"})",
                  {}},
        RealModel{"ppocrv3_det.onnx",
                  R"({"resize":[320,320],"scale":0.00392157,"mean":[0.485,0.456,0.406],)"
                  R"("std":[0.229,0.224,0.225],"channels":"bgr"})",
                  {"x=1x3x320x320", "x=1x3x480x640", "x=1x3x736x320"}}));

}  // namespace
}  // namespace intact::tools

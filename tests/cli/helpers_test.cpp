// The program's small helpers: labels, statistics, tables, charts, drawing, progress, samples,
// flow.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "intact/error.hpp"
#include "tests/cli/run_program.hpp"
#include "tools/chart.hpp"
#include "tools/draw.hpp"
#include "tools/flow_view.hpp"
#include "tools/images.hpp"
#include "tools/labels.hpp"
#include "tools/npy.hpp"
#include "tools/progress.hpp"
#include "tools/samples.hpp"
#include "tools/stats.hpp"
#include "tools/table.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

TEST(Labels, names_by_line) {
  const TemporaryFolder folder;
  write_file(folder / "l.txt", "cat\r\ndog\n");
  const Labels labels(folder / "l.txt");
  EXPECT_EQ(labels.name(1), "dog");
  EXPECT_EQ(labels.name(2), "class 2");
  EXPECT_FALSE(labels.true_class("a.jpg", 0).has_value());
}

TEST(Labels, true_classes_by_file_and_by_position) {
  const TemporaryFolder folder;
  write_file(folder / "l.tsv", "a.jpg\t17\ttench\nb.jpg\t3\tray\n");
  const Labels by_file(folder / "l.tsv");
  EXPECT_EQ(by_file.name(17), "tench");
  EXPECT_EQ(by_file.true_class("b.jpg", 0), 3);
  EXPECT_FALSE(by_file.true_class("c.jpg", 0).has_value());
  write_file(folder / "n.txt", "6\n3\n");
  EXPECT_EQ(Labels(folder / "n.txt").true_class("", 1), 3);
  EXPECT_FALSE(Labels(folder / "n.txt").true_class("", 2).has_value());
  write_file(folder / "c.tsv", "0\tzero\n1\tone\n");
  EXPECT_EQ(Labels(folder / "c.tsv").name(1), "one");
}

TEST(Labels, refuses_mixed_lines) {
  const TemporaryFolder folder;
  for (const char* text : {"a.jpg\tx\ty\n", "a\tb\n", "a.jpg\t1\tx\nplain\n", ""}) {
    write_file(folder / "l.tsv", text);
    EXPECT_THROW(Labels(folder / "l.tsv"), Error) << text;
  }
}

TEST(Stats, quantiles_ranks_and_probabilities) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({1, 2, 3, 4}), 2.5);
  EXPECT_EQ(quantile({5, 1}, 0), 1);
  EXPECT_NEAR(quantile({0, 10, 20}, 0.95), 19, 1e-9);
  EXPECT_EQ(top_indices({1, 5, 5, 2}, 3), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(top_indices({NAN, -1}, 1), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(probabilities({0.25, 0.75}), (std::vector<double>{0.25, 0.75}));
  EXPECT_NEAR(probabilities({0, std::log(3.0)})[1], 0.75, 1e-12);
}

TEST(Table, aligns_columns) {
  Table table;
  table.column("name");
  table.column("ms", Table::Align::right);
  table.row({"a", "1.5"});
  table.row({"longer", "10.25"});
  EXPECT_EQ(table.text(), "name       ms\n------  -----\na         1.5\nlonger  10.25\n");
  EXPECT_EQ(shorten("abcdefghij", 6), "ab..ij");
}

TEST(Chart, writes_svg_with_escaped_text) {
  const TemporaryFolder folder;
  write_chart(folder / "c.svg", "a < b", {{"time & more", " ms", {{"x", 1}, {"y", 2}}}});
  const std::string text = file_text(folder / "c.svg");
  EXPECT_EQ(text.rfind("<svg ", 0), 0U);
  EXPECT_NE(text.find("a &lt; b"), std::string::npos);
  EXPECT_NE(text.find("time &amp; more"), std::string::npos);
  EXPECT_NE(text.find("height=\"100.0\""), std::string::npos) << "the half as high bar";
}

TEST(Chart, writes_png_with_bars_and_curves) {
  const TemporaryFolder folder;
  write_chart(folder / "c.png", "title", {{"time", " ms", {{"float", 1}, {"y", 2}}}},
              {"along", " dB", {{"y", {30, 10, INFINITY}}}});
  const Image image = read_image(folder / "c.png", 3);
  EXPECT_EQ(image.width, 2 * (146 + 2 * 36));
  std::map<std::vector<int>, int> colours;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3)
    ++colours[{image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]}];
  const int first = colours[{0x4c, 0x78, 0xa8}], second = colours[{0xf5, 0x85, 0x18}];
  EXPECT_EQ(first, 4 * 46 * 100);
  EXPECT_GT(second, 4 * 46 * 200 + 400) << "a bar, a curve and its mark";
  EXPECT_LT(second, 4 * 46 * 200 + 4000);
  const int ink = colours[{0, 0, 0}];
  EXPECT_GT(ink, 500) << "text";
}

TEST(Draw, characters_and_blocks) {
  const GreyImage image{2, 2, {0, 1, 0, 1}, "six"};
  EXPECT_EQ(draw_images({image}, false), " @  \nsix \n");
  EXPECT_NE(draw_images({image}, true).find("\033[38;5;255m"), std::string::npos);
}

TEST(Progress, text_says_how_much_is_left) {
  const std::string text = progress_text(50, 100, 10);
  EXPECT_NE(text.find("50/100, 10 s left"), std::string::npos) << text;
  EXPECT_NE(text.find("[###############---------------]"), std::string::npos) << text;
  EXPECT_EQ(progress_text(3, 0, 1), "3");
}

TensorInfo info(const std::string& name, Shape shape) {
  TensorInfo result;
  result.name = name;
  result.type = ElementType::f32;
  result.shape = std::move(shape);
  return result;
}

std::vector<std::vector<Tensor>> all_samples(SampleSource& source) {
  std::vector<std::vector<Tensor>> samples;
  while (auto sample = source.next()) samples.push_back(sample->inputs);
  EXPECT_EQ(std::ssize(samples), source.count());
  return samples;
}

TEST(Samples, rows_of_an_array_are_samples) {
  const TemporaryFolder folder;
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  write_npy(folder / "a.npy", Tensor::from<float>({3, 2}, values));
  const auto source = open_samples(folder / "a.npy", {info("x", {-1, 2})}, {});
  const auto samples = all_samples(*source);
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples[2][0].shape(), (Shape{1, 2}));
  EXPECT_EQ(samples[2][0].data<float>()[1], 5);
  // Rank 1 is one sample without its batch extent; a fixed batch takes several rows.
  write_npy(folder / "b.npy", Tensor::from<float>({6}, values));
  EXPECT_EQ(all_samples(*open_samples(folder / "b.npy", {info("x", {-1, 6})}, {}))[0][0].shape(),
            (Shape{1, 6}));
  EXPECT_EQ(all_samples(*open_samples(folder / "b.npy", {info("x", {3})}, {})).size(), 2U);
  EXPECT_THROW(open_samples(folder / "b.npy", {info("x", {4})}, {}), Error);
  EXPECT_THROW(open_samples(folder / "b.npy", {info("x", {1, 2, 3, 4})}, {}), Error);
}

TEST(Samples, folders_with_one_file_per_input) {
  const TemporaryFolder folder;
  const std::vector<float> values = {0, 1, 2, 3};
  write_npy(folder / "x.npy", Tensor::from<float>({2, 2}, values));
  write_npy(folder / "y.npy", Tensor::from<float>({1, 4}, values));
  const std::vector<TensorInfo> inputs = {info("x", {-1, 2}), info("y", {1, 4})};
  const auto samples = all_samples(*open_samples(folder.text(), inputs, {}));
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[1][0].data<float>()[0], 2);
  EXPECT_EQ(samples[1][1].data<float>()[3], 3) << "the single sample of y serves both of x";
  EXPECT_EQ(all_samples(*open_samples(folder.text(), {info("z", {-1, 2})}, {})).size(), 3U)
      << "any .npy file serves a model with one input: two rows and one array";
  EXPECT_THROW(open_samples(folder.text(), {inputs[0], info("z", {1})}, {}), Error);
  EXPECT_THROW(open_samples(folder / "x.npy", inputs, {}), Error);
  EXPECT_THROW(open_samples(folder / "missing", inputs, {}), Error);
}

TEST(Samples, random_numbers_are_reproducible) {
  std::mt19937_64 generator(1), again(1);
  const Tensor floats = random_tensor(ElementType::f32, {1000}, generator);
  EXPECT_EQ(to_doubles(floats), to_doubles(random_tensor(ElementType::f32, {1000}, again)));
  for (const float value : floats.data<float>()) EXPECT_TRUE(value >= 0 && value < 1);
  const Tensor integers = random_tensor(ElementType::s64, {100}, generator);
  for (const std::int64_t value : integers.data<std::int64_t>()) {
    EXPECT_TRUE(value >= 0 && value < 10);
  }
}

Flow small_flow() {
  Flow flow;
  flow.nodes = {{"quant", "Round", {"q"}, "int8", "quantize", "avx2", "", 0},
                {"conv", "Conv+Relu", {"c", "r"}, "int8", "conv_1x1", "avx512vnni", "", 100},
                {"end", "Softmax", {"s"}, "float", "softmax", "avx2", "no integer form <yet>", 0}};
  flow.edges = {{"x", "f32", "", "", {"quant"}},
                {"xq", "u8", "(u8, 0.1, 3)", "quant", {"conv"}},
                {"y", "f32", "", "conv", {"end"}},
                {"z", "f32", "", "end", {}}};
  flow.removed = {{{"d"}, "Dropout does nothing"}};
  flow.int8_nodes = 2;
  flow.float_nodes = 1;
  flow.int8_macs = flow.total_macs = 100;
  return flow;
}

TEST(FlowView, json_has_the_fields_that_scripts_read) {
  const Json json = flow_json(small_flow());
  EXPECT_EQ(json["nodes"][1]["name"], "conv");
  EXPECT_EQ(json["nodes"][1]["op"], "Conv+Relu");
  EXPECT_EQ(json["nodes"][1]["onnx_nodes"], Json::array({"c", "r"}));
  EXPECT_EQ(json["nodes"][1]["precision"], "int8");
  EXPECT_EQ(json["nodes"][1]["kernel"], "conv_1x1");
  EXPECT_EQ(json["nodes"][1]["isa"], "avx512vnni");
  EXPECT_EQ(json["nodes"][2]["reason"], "no integer form <yet>");
  EXPECT_EQ(json["edges"][1]["tensor"], "xq");
  EXPECT_EQ(json["edges"][1]["storage"], "u8");
  EXPECT_EQ(json["edges"][1]["grid"], "(u8, 0.1, 3)");
  EXPECT_EQ(json["edges"][1]["from"], "quant");
  EXPECT_EQ(json["edges"][1]["to"], Json::array({"conv"}));
  EXPECT_EQ(json["removed"][0]["onnx_nodes"], Json::array({"d"}));
  EXPECT_EQ(json["summary"]["int8_nodes"], 2);
  EXPECT_EQ(json["summary"]["float_nodes"], 1);
  EXPECT_EQ(json["summary"]["float_round_trips"], 0);
  EXPECT_EQ(json["summary"]["int8_macs"], 100);
  EXPECT_EQ(json["summary"]["total_macs"], 100);
  EXPECT_EQ(flow_summary(small_flow()), "2 operators on int8, 1 on float, 0 float round trips");
}

TEST(FlowView, page_and_graph_name_every_step) {
  const std::string page = flow_html(small_flow(), "model");
  const std::string graph = flow_dot(small_flow());
  for (const char* name : {"quant", "conv", "end"}) {
    EXPECT_NE(page.find(name), std::string::npos) << name;
    EXPECT_NE(graph.find(std::string("\"") + name + "\""), std::string::npos) << name;
  }
  EXPECT_NE(page.find("no integer form &lt;yet&gt;"), std::string::npos);
  EXPECT_NE(page.find("Dropout does nothing"), std::string::npos);
  EXPECT_NE(graph.find("\"quant\" -> \"conv\" [label=\"u8\"]"), std::string::npos);
}

}  // namespace
}  // namespace intact::tools

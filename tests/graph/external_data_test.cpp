// Tensor data in files beside the model, and every way out of the model's folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "proto_model.hpp"

namespace intact::testing {
namespace {

namespace fs = std::filesystem;

class ExternalDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("intact_external_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "sub");
    fs::create_directories(root_ / "model-other");
    write(root_ / "model" / "data.bin", "0123456789");
    write(root_ / "model" / "sub" / "data.bin", "abcdefghij");
    write(root_ / "secret.bin", "secretsecret");
    write(root_ / "model-other" / "data.bin", "secretsecret");
  }
  void TearDown() override { fs::remove_all(root_); }

  static void write(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  /// The four bytes that the model's initializer reads, or the error's text.
  std::string load(const std::string& location, const std::string& offset = "",
                   const std::string& length = "4") {
    onnx::ModelProto model = relu_model();
    onnx::TensorProto& tensor = add_initializer(model, "w", 2, {4});
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    const auto add = [&](const char* key, const std::string& value) {
      if (value.empty()) return;
      tensor.add_external_data()->set_key(key);
      tensor.mutable_external_data(tensor.external_data_size() - 1)->set_value(value);
    };
    add("location", location);
    add("offset", offset);
    add("length", length);
    write(root_ / "model" / "model.onnx", encode(model));
    try {
      const Graph graph = load_onnx(root_ / "model" / "model.onnx");
      file_bytes_ = graph.file_bytes;
      const auto bytes = graph.values[0].constant.data<std::uint8_t>();
      return {bytes.begin(), bytes.end()};
    } catch (const Error& error) {
      return error.what();
    }
  }
  void expect_refused(const std::string& location, const std::string& reason) {
    const std::string error = load(location);
    EXPECT_NE(error.find("initializer 'w'"), std::string::npos) << error;
    EXPECT_NE(error.find(reason), std::string::npos) << error;
  }

  fs::path root_;
  std::size_t file_bytes_ = 0;
};

TEST_F(ExternalDataTest, InsideTheFolder) {
  EXPECT_EQ(load("data.bin"), "0123");
  EXPECT_EQ(file_bytes_, fs::file_size(root_ / "model" / "model.onnx") + 10);
  EXPECT_EQ(load("data.bin", "6"), "6789");
  EXPECT_EQ(load("data.bin", "6", ""), "6789");
  EXPECT_EQ(load("sub/data.bin"), "abcd");
  EXPECT_EQ(load("./sub/./data.bin"), "abcd");
}

TEST_F(ExternalDataTest, LinksInsideTheFolder) {
  fs::create_symlink("sub/data.bin", root_ / "model" / "link.bin");
  EXPECT_EQ(load("link.bin"), "abcd");
  fs::create_symlink(root_ / "model" / "sub", root_ / "model" / "folder");
  EXPECT_EQ(load("folder/data.bin"), "abcd");
}

TEST_F(ExternalDataTest, FolderReachedThroughALink) {
  load("data.bin");
  fs::create_directory_symlink(root_ / "model", root_ / "alias");
  EXPECT_EQ(load_onnx(root_ / "alias" / "model.onnx").values[0].constant.size(), 4);
}

TEST_F(ExternalDataTest, WaysOut) {
  expect_refused("../secret.bin", "contains '..'");
  expect_refused("sub/../../secret.bin", "contains '..'");
  expect_refused((root_ / "secret.bin").string(), "is absolute");
  expect_refused((root_ / "model" / "data.bin").string(), "is absolute");
  expect_refused(std::string("data.bin\0/../../secret.bin", 26), "contains a NUL byte");
  expect_refused("", "is empty");
  expect_refused("missing.bin", "cannot open");
}

TEST_F(ExternalDataTest, LinksOut) {
  fs::create_symlink("../secret.bin", root_ / "model" / "link.bin");
  expect_refused("link.bin", "leads out of the model's folder");
  fs::create_directory_symlink("..", root_ / "model" / "up");
  expect_refused("up/secret.bin", "leads out of the model's folder");
  fs::create_directory_symlink("../model-other", root_ / "model" / "other");
  expect_refused("other/data.bin", "leads out of the model's folder");
  fs::create_symlink("/proc/self/environ", root_ / "model" / "environ");
  expect_refused("environ", "leads out of the model's folder");
}

TEST_F(ExternalDataTest, OnlyRegularFiles) {
  expect_refused("sub", "not a regular file");
  expect_refused(".", "leads out of the model's folder");
}

TEST_F(ExternalDataTest, RangesOutsideOfTheFile) {
  for (const auto& [offset, length] : std::vector<std::pair<std::string, std::string>>{
           {"7", "4"}, {"11", ""}, {"9223372036854775807", "4"}, {"4", "9223372036854775807"}})
    EXPECT_NE(load("data.bin", offset, length).find("'data.bin' has 10 bytes"), std::string::npos);
  EXPECT_NE(load("data.bin", "-1").find("must be a number that is not negative"),
            std::string::npos);
  EXPECT_NE(load("data.bin", "x").find("must be a number"), std::string::npos);
  EXPECT_NE(load("data.bin", "0", "5").find("needs 4 bytes"), std::string::npos);
}

/// Tensors of the same range share one copy, whatever their shapes and the names of the file; the
/// others must not add up to more than the files have.
TEST_F(ExternalDataTest, CopiesAreBoundedByTheFiles) {
  fs::create_hard_link(root_ / "model" / "data.bin", root_ / "model" / "same.bin");
  struct Range {
    std::string location, offset;
    std::vector<std::int64_t> shape;
  };
  const auto load_all = [&](const std::vector<Range>& ranges) {
    onnx::ModelProto model = relu_model();
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      onnx::TensorProto& tensor =
          add_initializer(model, "w" + std::to_string(i), 2, ranges[i].shape);
      tensor.set_data_location(onnx::TensorProto::EXTERNAL);
      const std::int64_t length = element_count(ranges[i].shape);
      for (const auto& [key, value] :
           std::vector<std::pair<std::string, std::string>>{{"location", ranges[i].location},
                                                            {"offset", ranges[i].offset},
                                                            {"length", std::to_string(length)}}) {
        onnx::StringStringEntryProto& entry = *tensor.add_external_data();
        entry.set_key(key);
        entry.set_value(value);
      }
    }
    write(root_ / "model" / "model.onnx", encode(model));
    return load_onnx(root_ / "model" / "model.onnx");
  };
  const std::vector<Range> shared = {{"data.bin", "0", {8}},
                                     {"./data.bin", "0", {2, 4}},
                                     {"same.bin", "0", {8}},
                                     {"data.bin", "8", {2}},
                                     {"sub/data.bin", "0", {10}}};
  const Graph graph = load_all(shared);
  EXPECT_EQ(graph.values[1].constant.shape(), (Shape{2, 4}));
  for (const std::size_t i : {1, 2})
    EXPECT_EQ(graph.values[i].constant.raw(), graph.values[0].constant.raw());
  try {
    load_all({{"data.bin", "0", {8}}, {"same.bin", "1", {8}}});
    ADD_FAILURE() << "overlapping ranges were read";
  } catch (const Error& error) {
    EXPECT_NE(
        std::string(error.what())
            .find("initializer 'w1': the ranges of external data overlap: together they have more "
                  "than the 10 bytes of the files"),
        std::string::npos)
        << error.what();
  }
}

TEST_F(ExternalDataTest, ModelsInMemoryHaveNoFolder) {
  onnx::ModelProto model = relu_model();
  onnx::TensorProto& tensor = add_initializer(model, "w", 2, {4});
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  tensor.add_external_data()->set_key("location");
  tensor.mutable_external_data(0)->set_value("data.bin");
  EXPECT_NE(parse_error(model).find("load it from a file"), std::string::npos);
}

}  // namespace
}  // namespace intact::testing

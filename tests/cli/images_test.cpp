// Images and preprocessing, on files small enough to check by hand.
#include "tools/images.hpp"

#include <gtest/gtest.h>

#include "intact/error.hpp"
#include "tests/cli/run_program.hpp"

namespace intact::tools {
namespace {

/// A binary PNM file; stb reads it.
std::string pnm(int width, int height, const std::string& pixels, bool colour) {
  return (colour ? "P6\n" : "P5\n") + std::to_string(width) + " " + std::to_string(height) +
         "\n255\n" + pixels;
}

TensorInfo input(Shape shape, ElementType type = ElementType::f32) {
  TensorInfo info;
  info.name = "image";
  info.type = type;
  info.shape = std::move(shape);
  info.symbols.resize(info.shape.size());
  return info;
}

Image ramp(int height, int width) {
  Image image{height, width, 1, {}};
  for (int i = 0; i < height * width; ++i) image.pixels.push_back(static_cast<std::uint8_t>(i));
  return image;
}

TEST(Images, reads_pixels_and_refuses_broken_files) {
  const TemporaryFolder folder;
  write_file(folder / "a.ppm", pnm(2, 1, {1, 2, 3, 4, 5, 6}, true));
  const Image image = read_image(folder / "a.ppm", 3);
  EXPECT_EQ(image.pixels, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  write_file(folder / "b.jpg", "this is no image");
  EXPECT_THROW(read_image(folder / "b.jpg", 3), Error);
  EXPECT_THROW(read_image(folder / "missing.png", 3), Error);
}

TEST(Images, resizing_keeps_constant_images_and_averages_when_shrinking) {
  const Image grey{8, 8, 1, std::vector<std::uint8_t>(64, 77)};
  for (const int side : {3, 8, 13}) {
    for (const std::uint8_t pixel : resize(grey, side, side).pixels) EXPECT_EQ(pixel, 77);
  }
  // Triangle filter with support 2 around the middle of each pair: weights 1 3 3 1 inside, and
  // without the pixel beyond the border 3 3 1 at the ends.
  const Image line{1, 4, 1, {0, 70, 140, 210}};
  EXPECT_EQ(resize(line, 1, 2).pixels, (std::vector<std::uint8_t>{50, 160}));
  EXPECT_EQ(resize(Image{1, 2, 1, {0, 100}}, 1, 4).pixels,
            (std::vector<std::uint8_t>{0, 25, 75, 100}));
}

TEST(Images, shorter_side_and_centre_crop) {
  const Image resized = resize_shorter_side(ramp(6, 9), 4);
  EXPECT_EQ(resized.height, 4);
  EXPECT_EQ(resized.width, 6);
  EXPECT_EQ(crop_centre(ramp(4, 4), 2, 2).pixels, (std::vector<std::uint8_t>{5, 6, 9, 10}));
  EXPECT_THROW(crop_centre(ramp(4, 4), 5, 2), Error);
}

TEST(Images, layouts_and_channel_order) {
  const Image image{1, 2, 3, {1, 2, 3, 4, 5, 6}};
  const Tensor nchw = image_to_tensor(image, input({-1, 3, 1, 2}), {});
  EXPECT_EQ(nchw.shape(), (Shape{1, 3, 1, 2}));
  EXPECT_EQ(nchw.data<float>()[1], 4);
  const Tensor nhwc = image_to_tensor(image, input({1, 1, 2, 3}, ElementType::u8), [] {
    Preprocess preprocess;
    preprocess.layout = ChannelLayout::nhwc;
    preprocess.bgr = true;
    return preprocess;
  }());
  EXPECT_EQ(nhwc.data<std::uint8_t>()[0], 3);
  EXPECT_EQ(nhwc.data<std::uint8_t>()[5], 4);
}

TEST(Images, unit_and_imagenet_scale) {
  Image image{256, 256, 3, std::vector<std::uint8_t>(256 * 256 * 3, 255)};
  const Tensor unit = image_to_tensor(image, input({1, 3, 256, 256}), parse_preprocess("unit"));
  EXPECT_EQ(unit.data<float>()[0], 1.0F);
  const Tensor net = image_to_tensor(image, input({1, 3, 224, 224}), parse_preprocess("imagenet"));
  EXPECT_EQ(net.shape(), (Shape{1, 3, 224, 224}));
  EXPECT_FLOAT_EQ(net.data<float>()[0], (1 - 0.485F) / 0.229F);
  EXPECT_FLOAT_EQ(net.data<float>()[2 * 224 * 224], (1 - 0.406F) / 0.225F);
}

TEST(Images, scales_to_cover_the_model_and_fills_a_fixed_batch) {
  const Image image{4, 8, 1, std::vector<std::uint8_t>(32, 9)};
  const Tensor tensor = image_to_tensor(image, input({2, 1, 6, 6}), {});
  EXPECT_EQ(tensor.shape(), (Shape{2, 1, 6, 6}));
  for (const float value : tensor.data<float>()) EXPECT_EQ(value, 9);
}

TEST(Images, preprocessing_from_json) {
  const TemporaryFolder folder;
  write_file(folder / "p.json", R"({"resize": [2, 2], "scale": 0.5, "mean": [1, 2, 3], "std": 2,
                                    "channels": "bgr", "layout": "nchw"})");
  const Preprocess preprocess = parse_preprocess(folder / "p.json");
  const Image image{2, 2, 3, {10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30}};
  const Tensor tensor = image_to_tensor(image, input({1, 3, 2, 2}), preprocess);
  EXPECT_EQ(tensor.data<float>()[0], (30 * 0.5F - 1) / 2);
  EXPECT_EQ(tensor.data<float>()[11], (10 * 0.5F - 3) / 2);
  for (const char* broken : {"{\"size\": 3}", "[]", "{\"resize\": \"x\"}", "{\"std\": 0}", "{",
                             "{\"mean\": [1, 2]}", "{\"layout\": \"chw\"}"}) {
    write_file(folder / "p.json", broken);
    EXPECT_THROW(parse_preprocess(folder / "p.json"), Error) << broken;
  }
  EXPECT_THROW(parse_preprocess("vgg"), Error);
}

TEST(Images, refuses_inputs_that_are_no_images) {
  EXPECT_THROW(image_channels(input({1, 10}), {}), Error);
  EXPECT_THROW(image_channels(input({1, 64, 8, 8}), {}), Error);
  EXPECT_THROW(image_channels(input({1, 3, 8, 8}, ElementType::s64), {}), Error);
  EXPECT_THROW(image_channels(input({1, 3, 8, 8}, ElementType::u8), parse_preprocess("unit")),
               Error);
}

}  // namespace
}  // namespace intact::tools

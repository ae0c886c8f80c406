// Drawings of rectangles, lines and text, as SVG or PNG.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace intact::tools {

/// Text with the characters that XML reserves replaced.
std::string escape_xml(const std::string& text);

/// Units are pixels from the upper left corner; colours are 0xRRGGBB; later shapes cover earlier
/// ones.
class Canvas {
 public:
  Canvas(int width, int height) : width_(width), height_(height) {}

  void rectangle(double x, double y, double width, double height, std::uint32_t colour);
  /// One pixel wide.
  void line(std::vector<std::pair<double, double>> points, std::uint32_t colour);
  enum class Align : std::uint8_t { left, middle, right };
  /// `y` is the base line, `size` the font's in pixels.
  void text(double x, double y, int size, Align align, std::string text);

  /// A file whose name ends in .png becomes PNG, in twice the size and with a plain font that has
  /// ASCII only; all others SVG. Throws Error when the file cannot be written.
  void write(const std::filesystem::path& path) const;

 private:
  struct Rectangle {
    double x = 0, y = 0, width = 0, height = 0;
    std::uint32_t colour = 0;
  };
  struct Line {
    std::vector<std::pair<double, double>> points;
    std::uint32_t colour = 0;
  };
  struct Text {
    double x = 0, y = 0;
    int size = 0;
    Align align = Align::left;
    std::string text;
  };
  std::string svg() const;
  std::string png() const;

  int width_, height_;
  std::vector<std::variant<Rectangle, Line, Text>> shapes_;
};

}  // namespace intact::tools

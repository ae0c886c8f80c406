// Shapes as elements of SVG, or as pixels; see canvas.hpp.
#include "tools/canvas.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "intact/error.hpp"
#include "tools/files.hpp"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_easy_font.h>
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace intact::tools {
namespace {

template <class... Bodies>
struct Overloaded : Bodies... {
  using Bodies::operator()...;
};
template <class... Bodies>
Overloaded(Bodies...) -> Overloaded<Bodies...>;

class Pixels {
 public:
  static constexpr int scale = 2, channels = 3;

  Pixels(int width, int height)
      : width_(width * scale),
        height_(height * scale),
        bytes_(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_) * channels,
               0xff) {}

  /// All pixels whose centre lies inside, in the drawing's units.
  void fill(double x, double y, double width, double height, std::uint32_t colour) {
    const auto pixel = [](double position, int limit) {
      return static_cast<int>(
          std::clamp(std::ceil(position * scale - 0.5), 0.0, static_cast<double>(limit)));
    };
    for (int row = pixel(y, height_); row < pixel(y + height, height_); ++row)
      for (int column = pixel(x, width_); column < pixel(x + width, width_); ++column) {
        auto* const at = &bytes_[static_cast<std::size_t>(row * width_ + column) * channels];
        for (int c = 0; c < channels; ++c)
          at[c] = static_cast<unsigned char>(colour >> (8 * (channels - 1 - c)));
      }
  }

  void line(std::pair<double, double> from, std::pair<double, double> to, std::uint32_t colour) {
    const double dx = to.first - from.first, dy = to.second - from.second;
    const int steps = 1 + static_cast<int>(scale * std::max(std::abs(dx), std::abs(dy)));
    for (int i = 0; i <= steps; ++i)
      fill(from.first + dx * i / steps - 0.5, from.second + dy * i / steps - 0.5, 1, 1, colour);
  }

  std::string png() const {
    std::string out;
    const auto append = [](void* context, void* data, int size) {
      static_cast<std::string*>(context)->append(static_cast<const char*>(data),
                                                 static_cast<std::size_t>(size));
    };
    if (stbi_write_png_to_func(append, &out, width_, height_, channels, bytes_.data(),
                               width_ * channels) == 0)
      throw Error("there is not enough memory for the picture");
    return out;
  }

 private:
  int width_, height_;
  std::vector<unsigned char> bytes_;
};

/// Rectangles of a text whose base line begins at the origin. The font's capitals are 7 units high.
class Lettering {
 public:
  struct Stroke {
    double x = 0, y = 0, width = 0, height = 0;
  };

  Lettering(std::string text, int size) : unit_(size / 10.0) {
    for (char& c : text)
      if (c < ' ' || c > '~') c = '?';
    struct Vertex {
      float x, y, z;
      std::array<unsigned char, 4> colour;
    };
    constexpr std::size_t most_strokes = 24;  // of a character
    std::vector<std::array<Vertex, 4>> quads(most_strokes * text.size() + 1);
    const int count = stb_easy_font_print(0, -7, text.data(), nullptr, quads.data(),
                                          static_cast<int>(quads.size() * sizeof(quads[0])));
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const Vertex &first = quads[i][0], &last = quads[i][2];
      strokes_.push_back({unit_ * static_cast<double>(first.x),
                          unit_ * static_cast<double>(first.y),
                          unit_ * static_cast<double>(last.x - first.x),
                          unit_ * static_cast<double>(last.y - first.y)});
    }
    width_ = unit_ * stb_easy_font_width(text.data());
  }
  double width() const { return width_; }
  const std::vector<Stroke>& strokes() const { return strokes_; }

 private:
  double unit_, width_ = 0;
  std::vector<Stroke> strokes_;
};

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += ' ';
    else
      out += c;
  }
  return out;
}

void Canvas::rectangle(double x, double y, double width, double height, std::uint32_t colour) {
  shapes_.emplace_back(Rectangle{x, y, width, height, colour});
}
void Canvas::line(std::vector<std::pair<double, double>> points, std::uint32_t colour) {
  shapes_.emplace_back(Line{std::move(points), colour});
}
void Canvas::text(double x, double y, int size, Align align, std::string text) {
  shapes_.emplace_back(Text{x, y, size, align, std::move(text)});
}

void Canvas::write(const std::filesystem::path& path) const {
  write_text(path, lower_extension(path) == ".png" ? png() : svg());
}

std::string Canvas::svg() const {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      width_, height_);
  const Overloaded draw{
      [&](const Rectangle& r) {
        out += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
            "fill=\"#{:06x}\"/>\n",
            r.x, r.y, r.width, r.height, r.colour);
      },
      [&](const Line& l) {
        out += "<polyline points=\"";
        for (const auto& [x, y] : l.points) out += fmt::format("{:.1f},{:.1f} ", x, y);
        out += fmt::format("\" fill=\"none\" stroke=\"#{:06x}\"/>\n", l.colour);
      },
      [&](const Text& t) {
        constexpr std::array anchors = {"start", "middle", "end"};
        out += fmt::format(
            "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" text-anchor=\"{}\">{}</text>\n", t.x,
            t.y, t.size, anchors[static_cast<std::size_t>(t.align)], escape_xml(t.text));
      }};
  for (const auto& shape : shapes_) std::visit(draw, shape);
  return out + "</svg>\n";
}

std::string Canvas::png() const {
  Pixels pixels(width_, height_);
  const Overloaded draw{
      [&](const Rectangle& r) { pixels.fill(r.x, r.y, r.width, r.height, r.colour); },
      [&](const Line& l) {
        for (std::size_t i = 1; i < l.points.size(); ++i)
          pixels.line(l.points[i - 1], l.points[i], l.colour);
      },
      [&](const Text& t) {
        const Lettering letters(t.text, t.size);
        const double x = t.x - letters.width() * static_cast<double>(t.align) / 2;
        for (const Lettering::Stroke& stroke : letters.strokes())
          pixels.fill(x + stroke.x, t.y + stroke.y, stroke.width, stroke.height, 0);
      }};
  for (const auto& shape : shapes_) std::visit(draw, shape);
  return pixels.png();
}

}  // namespace intact::tools

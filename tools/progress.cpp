// The progress bar; see progress.hpp.
#include "tools/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace intact::tools {

std::string progress_text(int done, int total, double seconds_elapsed) {
  if (total <= 0) return fmt::format("{}", done);
  constexpr int width = 30;
  const int filled = static_cast<int>(static_cast<long>(width) * done / total);
  std::string text =
      fmt::format("[{:#<{}}{:-<{}}] {}/{}", "", filled, "", width - filled, done, total);
  if (done > 0 && done < total) {
    text += fmt::format(", {:.0f} s left", std::ceil(seconds_elapsed * (total - done) / done));
  }
  return text;
}

Progress::Progress(std::string what, int total)
    : what_(std::move(what)), total_(total), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::update(int done) {
  if (!terminal_) return;
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  // Not for short work, and at most ten times a second.
  if (elapsed < 1 || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "\r\033[K{} {}", what_, progress_text(done, total_, elapsed));
  std::fflush(stderr);
}

}  // namespace intact::tools

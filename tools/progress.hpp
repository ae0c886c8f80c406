// A progress bar on stderr for work that takes longer than a second; silent unless stderr is a
// terminal.
#pragma once

#include <chrono>
#include <string>

namespace intact::tools {

class Progress {
 public:
  /// `total` 0 means that the amount of work is not known: only the count is shown.
  Progress(std::string what, int total);
  ~Progress();  ///< clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` are finished.
  void update(int done);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  int total_;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
};

/// "[#####-----] 50/100, 12 s left"; without total "50".
std::string progress_text(int done, int total, double seconds_elapsed);

}  // namespace intact::tools

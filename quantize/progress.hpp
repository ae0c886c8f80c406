// How far a phase of quantizing has come.
#pragma once

#include <memory>
#include <mutex>

#include "intact/quantize.hpp"

namespace intact {

/// Counts the parts of a phase that are done; from any thread.
class Phase {
 public:
  /// `total` 0: not known.
  Phase(const QuantizeProgress& progress, const char* name, int total)
      : progress_(progress), name_(name), total_(total) {}

  void step() {
    if (!progress_) return;
    const std::lock_guard lock(mutex_);
    progress_(name_, ++done_, total_);
  }

 private:
  const QuantizeProgress& progress_;
  const char* name_;
  int total_, done_ = 0;
  std::mutex mutex_;
};

/// The same samples; each pass over them is a phase of this name. `data` and `progress` have to
/// outlive it. Empty where `data` is.
inline CalibrationData counted(const CalibrationData& data, const QuantizeProgress& progress,
                               const char* name, int total) {
  if (!data || !progress) return data;
  return [&data, &progress, name, total]() -> CalibrationSource {
    return [source = data(), phase = std::make_shared<Phase>(progress, name, total)] {
      auto sample = source();
      if (sample) phase->step();
      return sample;
    };
  };
}

}  // namespace intact

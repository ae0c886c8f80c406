// One parallel region for as many steps as possible.
#include "engine/executor.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>

#include "engine/openmp_threads.hpp"

namespace intact {
namespace {

using Clock = std::chrono::steady_clock;

class Recorder {
 public:
  explicit Recorder(std::vector<StepTime>* profile) : profile_(profile) {}
  double now() const {
    return profile_ ? std::chrono::duration<double, std::micro>(Clock::now() - begin_).count() : 0;
  }
  void add(const Step& step, double begin) {
    if (!profile_) return;
    profile_->push_back({step.name, step.op, step.kernel, begin, now(), step.macs, step.bytes});
  }

 private:
  std::vector<StepTime>* profile_;
  Clock::time_point begin_ = Clock::now();
};

/// After a failure the threads still meet at every barrier, but compute nothing more.
void run_region(std::span<const std::unique_ptr<Step>> steps, const Frame& frame, int threads,
                Recorder& recorder) {
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  std::mutex mutex;
  run_parallel(threads, [&](Part part, Barrier& barrier) {
    for (const auto& step : steps) {
      const double begin = part.index == 0 ? recorder.now() : 0;
      for (int phase = 0; phase < step->phases(); ++phase) {
        if (!failed.load(std::memory_order_acquire)) {
          try {
            step->run_phase(phase, frame, part);
          } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            failed.store(true, std::memory_order_release);
          }
        }
        barrier.wait();
      }
      if (part.index == 0) recorder.add(*step, begin);
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

void execute(std::span<const std::unique_ptr<Step>> steps, const Frame& frame, int threads,
             std::vector<StepTime>* profile) {
  const OpenMpThreads scope(threads);
  Recorder recorder(profile);
  for (std::size_t i = 0; i < steps.size();) {
    if (threads == 1 || steps[i]->brings_threads) {
      const double begin = recorder.now();
      for (int phase = 0; phase < steps[i]->phases(); ++phase)
        steps[i]->run_phase(phase, frame, {});
      recorder.add(*steps[i], begin);
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < steps.size() && !steps[end]->brings_threads) ++end;
    run_region(steps.subspan(i, end - i), frame, threads, recorder);
    i = end;
  }
}

}  // namespace intact

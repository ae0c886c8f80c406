// One parallel region for a whole inference: threads meet at barriers between steps.
#pragma once

#include <atomic>
#include <functional>

namespace intact {

/// The share of one thread in a step: thread `index` of `count`.
struct Part {
  int index = 0;
  int count = 1;
};

/// Splits [0, total) into `part.count` contiguous ranges that differ by at most one `grain`.
struct Range {
  long begin = 0, end = 0;
};
inline Range split(long total, Part part, long grain = 1) {
  const long blocks = (total + grain - 1) / grain;
  const long first = blocks * part.index / part.count * grain;
  const long last = blocks * (part.index + 1) / part.count * grain;
  return {first < total ? first : total, last < total ? last : total};
}

/// A spinning barrier that yields the CPU after a while; reusable.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}
  void wait();

 private:
  const int count_;
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> generation_{0};
};

/// Runs `body` once on each of `threads` threads (OpenMP team shared with oneDNN) and returns when
/// all are done. With one thread it is a plain call. An exception thrown by a body is rethrown
/// here.
void run_parallel(int threads, const std::function<void(Part, Barrier&)>& body);

}  // namespace intact

// Parallel region on OpenMP. Fork and join are repeated with atomics, which race detectors see.
#include "core/thread_team.hpp"

#include <immintrin.h>
#include <omp.h>
#include <sched.h>

#include <exception>
#include <mutex>
#include <optional>

namespace intact {

void Barrier::wait() {
  const unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_acq_rel);
    return;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
    if (spins < 20000)
      _mm_pause();
    else
      sched_yield();
  }
}

void run_parallel(int threads, const std::function<void(Part, Barrier&)>& body) {
  if (threads == 1) {
    Barrier barrier(1);
    body({0, 1}, barrier);
    return;
  }
  std::exception_ptr failure;
  std::mutex failure_mutex;
  // OpenMP may give fewer threads than asked for (nested regions, limits): the barrier counts those
  // that are there.
  std::optional<Barrier> barrier;
  std::atomic<Barrier*> ready{nullptr};
  std::atomic<int> finished{0};
#pragma omp parallel num_threads(threads)
  {
    const Part part{omp_get_thread_num(), omp_get_num_threads()};
    if (part.index == 0) ready.store(&barrier.emplace(part.count), std::memory_order_release);
    Barrier* shared = ready.load(std::memory_order_acquire);
    for (; shared == nullptr; shared = ready.load(std::memory_order_acquire)) _mm_pause();
    try {
      body(part, *shared);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
    finished.fetch_add(1, std::memory_order_release);
  }
  (void)finished.load(std::memory_order_acquire);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace intact

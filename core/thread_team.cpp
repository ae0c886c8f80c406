// Parallel region on OpenMP. Fork and join are repeated with atomics, which race detectors see.
#include "core/thread_team.hpp"

#include <immintrin.h>
#include <omp.h>
#include <sched.h>

#include <exception>
#include <mutex>

namespace intact {

void Barrier::wait() {
  const unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_acq_rel);
    return;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
    if (spins < 20000) _mm_pause(); else sched_yield();
  }
}

void run_parallel(int threads, const std::function<void(Part, Barrier&)>& body) {
  Barrier barrier(threads);
  if (threads == 1) {
    body({0, 1}, barrier);
    return;
  }
  std::exception_ptr failure;
  std::mutex failure_mutex;
  std::atomic<bool> started{false};
  std::atomic<int> finished{0};
  started.store(true, std::memory_order_release);
#pragma omp parallel num_threads(threads)
  {
    (void)started.load(std::memory_order_acquire);
    try {
      body({omp_get_thread_num(), omp_get_num_threads()}, barrier);
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

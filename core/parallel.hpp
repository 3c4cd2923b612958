// A parallel loop over a few large jobs.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace opsched {

/// Number of threads that can run concurrently; at least 1.
inline int processors() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

/// Calls job(0) ... job(jobs - 1), each once, on `threads` threads. Rethrows the first exception; jobs that have not
/// started by then are skipped.
template <class Job>
void parallel_for(int jobs, int threads, const Job& job) {
  std::atomic<int> next = 0;
  std::mutex failing;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (int i = next++; i < jobs; i = next++) job(i);
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
      next = jobs;
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int t = 1; t < threads && t < jobs; ++t) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace opsched

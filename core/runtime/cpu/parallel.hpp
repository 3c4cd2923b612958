// A parallel loop over a few large jobs.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace opsched {

/// Calls job(0) ... job(jobs - 1), each once, on `threads` threads. Jobs must not throw.
template <class Job>
void parallel_for(int jobs, int threads, const Job& job) {
  std::atomic<int> next = 0;
  const auto work = [&] {
    for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < jobs;) job(i);
  };
  std::vector<std::jthread> helpers;
  for (int t = 1; t < threads && t < jobs; ++t) helpers.emplace_back(work);
  work();
}

}  // namespace opsched

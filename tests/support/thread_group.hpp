// Processes as threads, for tests of what processes do together.
#pragma once

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>

#include "core/error.hpp"
#include "core/processes/process_group.hpp"

namespace opsched::test {

/// State shared by the threads. A send waits until it is received, because no more is guaranteed.
class ThreadGroups {
 public:
  explicit ThreadGroups(int size) : size_(size) {}

  /// Runs `body` as every rank, then throws the exception of the first rank that threw.
  void run(const std::function<void(ProcessGroup&)>& body) {
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size_));
    {
      std::vector<std::jthread> threads;
      for (int rank = 0; rank < size_; ++rank)
        threads.emplace_back([&, rank] {
          Group group(*this, rank);
          try {
            body(group);
          } catch (const std::exception& e) {
            failures[static_cast<std::size_t>(rank)] = std::current_exception();
            group.fail(e.what());
          }
        });
    }
    for (const std::exception_ptr& failure : failures)
      if (failure) std::rethrow_exception(failure);
  }

 private:
  struct Letter {
    std::vector<std::byte> bytes;
    bool taken = false;
  };
  using Place = std::tuple<int, int, int>;  // from, to, tag

  class Group final : public ProcessGroup {
   public:
    Group(ThreadGroups& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return all_.size_; }
    void send(int to, int tag, std::span<const std::byte> bytes) override {
      std::unique_lock lock(all_.lock_);
      const auto letter = std::make_shared<Letter>(Letter{{bytes.begin(), bytes.end()}});
      all_.letters_[{rank_, to, tag}].push_back(letter);
      all_.changed_.notify_all();
      wait(lock, [&] { return letter->taken; });
    }
    void receive(int from, int tag, std::span<std::byte> bytes) override {
      std::unique_lock lock(all_.lock_);
      std::deque<std::shared_ptr<Letter>>& letters = all_.letters_[{from, rank_, tag}];
      wait(lock, [&] { return !letters.empty(); });
      if (letters.front()->bytes.size() != bytes.size()) throw Error("another length was sent");
      std::ranges::copy(letters.front()->bytes, bytes.begin());
      letters.front()->taken = true;
      letters.pop_front();
      all_.changed_.notify_all();
    }
    void check() override {
      const std::lock_guard lock(all_.lock_);
      if (!all_.failure_.empty()) throw Error(all_.failure_);
    }
    void fail(const std::string& why) override {
      const std::lock_guard lock(all_.lock_);
      if (all_.failure_.empty()) all_.failure_ = "rank " + std::to_string(rank_) + ": " + why;
      all_.changed_.notify_all();
    }
    void end_all(int) override { std::abort(); }

   private:
    template <class Done>
    void wait(std::unique_lock<std::mutex>& lock, const Done& done) {
      const bool in_time =
          all_.changed_.wait_for(lock, std::chrono::seconds(60), [&] { return done() || !all_.failure_.empty(); });
      if (in_time && done()) return;
      throw Error(in_time ? all_.failure_ : "rank " + std::to_string(rank_) + " waits for ever");
    }

    ThreadGroups& all_;
    int rank_;
  };

  int size_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::map<Place, std::deque<std::shared_ptr<Letter>>> letters_;
  std::string failure_;
};

}  // namespace opsched::test

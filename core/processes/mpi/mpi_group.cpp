#include "core/processes/mpi/mpi_group.hpp"

#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBeat{250};
constexpr std::size_t kPiece = std::size_t{1} << 30;  // MPI counts in int
constexpr int kSignOfLife = 0;                        // tag, in a separate communicator

void mpi_check(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(status, text, &length);
  throw Error(std::string("MPI failed in ") + call + ": " + text);
}
#define OPSCHED_MPI(call) mpi_check(call, #call)

/// A copy of MPI_COMM_WORLD with separate messages.
class Communicator {
 public:
  Communicator() {
    OPSCHED_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm_));
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  }
  ~Communicator() { MPI_Comm_free(&comm_); }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  MPI_Comm get() const { return comm_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

/// Initialises and finalises MPI.
class MpiLibrary {
 public:
  MpiLibrary() {
    int provided = 0;
    OPSCHED_MPI(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided));
    if (provided < MPI_THREAD_MULTIPLE)
      throw Error("this MPI cannot be used by several threads (MPI_THREAD_MULTIPLE); use one that was built for it");
  }
  ~MpiLibrary() { MPI_Finalize(); }
  MpiLibrary(const MpiLibrary&) = delete;
  MpiLibrary& operator=(const MpiLibrary&) = delete;
};

/// Sends a heartbeat to all other processes four times a second, and records when each was last heard.
class SignsOfLife {
 public:
  SignsOfLife(int rank, int size, std::chrono::milliseconds silence)
      : rank_(rank), silence_(silence), heard_(static_cast<std::size_t>(size), Clock::now()) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        say(std::string());
        for (Clock::time_point next = Clock::now() + kBeat; Clock::now() < next && !stop.stop_requested();) {
          listen();
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      }
    });
  }
  void stop() {
    thread_ = {};
    listen();
  }

  /// Throws Error if another process has failed or is silent.
  void check() {
    const std::lock_guard lock(lock_);
    if (!failure_.empty()) throw Error(failure_);
    for (std::size_t r = 0; r < heard_.size(); ++r)
      if (static_cast<int>(r) != rank_ && Clock::now() - heard_[r] > silence_)
        throw Error("rank " + std::to_string(r) + " has given no sign of life for " +
                    human_seconds(std::chrono::duration<double>(silence_).count()) +
                    ": its process has died or stopped, or its host cannot be reached");
  }

  /// Sends a heartbeat if `why` is empty; otherwise tells the others why this process fails.
  void say(const std::string& why) {
    for (int to = 0; to < static_cast<int>(heard_.size()); ++to) {
      if (to == rank_) continue;
      const std::lock_guard lock(lock_);
      if (pending_.size() > kMostPending && why.empty()) continue;  // the receiver is not reading
      Pending& message = *pending_.emplace_back(std::make_unique<Pending>());
      message.text = why;
      MPI_Isend(message.text.data(), static_cast<int>(message.text.size()), MPI_CHAR, to, kSignOfLife, comm_.get(),
                &message.request);
    }
  }

 private:
  static constexpr std::size_t kMostPending = 10000;
  struct Pending {
    std::string text;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  void listen() {
    for (int there = 1; there;) {
      MPI_Status status;
      MPI_Iprobe(MPI_ANY_SOURCE, kSignOfLife, comm_.get(), &there, &status);
      if (!there) break;
      int length = 0;
      MPI_Get_count(&status, MPI_CHAR, &length);
      std::string text(static_cast<std::size_t>(length), '\0');
      MPI_Recv(text.data(), length, MPI_CHAR, status.MPI_SOURCE, kSignOfLife, comm_.get(), MPI_STATUS_IGNORE);
      const std::lock_guard lock(lock_);
      heard_[static_cast<std::size_t>(status.MPI_SOURCE)] = Clock::now();
      if (!text.empty() && failure_.empty()) failure_ = "rank " + std::to_string(status.MPI_SOURCE) + ": " + text;
    }
    const std::lock_guard lock(lock_);
    std::erase_if(pending_, [](const std::unique_ptr<Pending>& message) {
      int sent = 0;
      MPI_Test(&message->request, &sent, MPI_STATUS_IGNORE);
      return sent != 0;
    });
  }

  Communicator comm_;
  int rank_;
  std::chrono::milliseconds silence_;
  std::mutex lock_;
  std::vector<Clock::time_point> heard_;  ///< by rank
  std::string failure_;                   ///< reason of the first process that failed
  std::vector<std::unique_ptr<Pending>> pending_;
  std::jthread thread_;
};

class MpiGroup final : public ProcessGroup {
 public:
  explicit MpiGroup(const MpiOptions& options) : options_(options) {
    OPSCHED_MPI(MPI_Comm_rank(comm_.get(), &rank_));
    OPSCHED_MPI(MPI_Comm_size(comm_.get(), &size_));
    life_ = std::make_unique<SignsOfLife>(rank_, size_, options.silence);
  }

  ~MpiGroup() override {
    try {
      barrier();
    } catch (...) {
      // Another process has failed or is silent; MPI_Finalize would wait for it.
      end_all(EXIT_FAILURE);
    }
    life_->stop();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void send(int to, int tag, std::span<const std::byte> bytes) override {
    for (std::size_t at = 0; at == 0 || at < bytes.size(); at += kPiece) {
      const auto count = static_cast<int>(std::min(kPiece, bytes.size() - at));
      MPI_Request request = MPI_REQUEST_NULL;
      OPSCHED_MPI(MPI_Isend(bytes.data() + at, count, MPI_BYTE, to, tag, comm_.get(), &request));
      wait(request);
    }
  }

  void receive(int from, int tag, std::span<std::byte> bytes) override {
    for (std::size_t at = 0; at == 0 || at < bytes.size(); at += kPiece) {
      const auto count = static_cast<int>(std::min(kPiece, bytes.size() - at));
      MPI_Request request = MPI_REQUEST_NULL;
      OPSCHED_MPI(MPI_Irecv(bytes.data() + at, count, MPI_BYTE, from, tag, comm_.get(), &request));
      const MPI_Status status = wait(request);
      int came = 0;
      MPI_Get_count(&status, MPI_BYTE, &came);
      if (came != count)
        throw Error("rank " + std::to_string(from) + " sent " + std::to_string(came) + " bytes where rank " +
                    std::to_string(rank_) + " expects " + std::to_string(count));
    }
  }

  void check() override {
    life_->check();
    if (options_.poll) options_.poll();
  }

  void fail(const std::string& why) override { life_->say(why); }

  void end_all(int code) override {
    // Process 0 knows the reason: it prints it and ends the others.
    if (!leads()) std::this_thread::sleep_for(part_of_silence(3, std::chrono::seconds(2)));
    // MPI_Abort waits until the other hosts have received it, and forever if they cannot be reached.
    std::thread([code, limit = part_of_silence(6, std::chrono::seconds(1))] {
      std::this_thread::sleep_for(limit);
      std::_Exit(code);
    }).detach();
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  std::chrono::milliseconds part_of_silence(int part, std::chrono::milliseconds least) const {
    return std::max(least, options_.silence / part);
  }

  MPI_Status wait(MPI_Request& request) {
    try {
      return wait_watchfully(request);
    } catch (...) {
      MPI_Cancel(&request);  // the caller will free the buffer
      throw;
    }
  }

  /// Replaces MPI_Wait, which would wait for a dead process, and would keep a processor busy.
  MPI_Status wait_watchfully(MPI_Request& request) {
    constexpr auto kBusy = std::chrono::microseconds(200);
    constexpr auto kShort = std::chrono::microseconds(50), kLong = std::chrono::microseconds(1000);
    const Clock::time_point start = Clock::now();
    Clock::time_point look = start + std::chrono::milliseconds(10);
    MPI_Status status;
    for (int done = 0;;) {
      OPSCHED_MPI(MPI_Test(&request, &done, &status));
      if (done) return status;
      const Clock::time_point now = Clock::now();
      if (now > look) {
        check();
        look = now + std::chrono::milliseconds(10);
      }
      if (now - start < kBusy)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(now - start < std::chrono::seconds(1) ? kShort : kLong);
    }
  }

  MpiOptions options_;
  MpiLibrary library_;
  Communicator comm_;
  int rank_ = 0, size_ = 1;
  std::unique_ptr<SignsOfLife> life_;
};

}  // namespace

std::unique_ptr<ProcessGroup> make_mpi_group(const MpiOptions& options) { return std::make_unique<MpiGroup>(options); }

}  // namespace opsched

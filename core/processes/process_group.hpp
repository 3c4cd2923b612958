// The processes that work on one run, and what they say to each other.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace opsched {

/// Processes numbered from 0 (their ranks), which all run the same program. Everything that waits throws Error where
/// another process has failed, or was silent for longer than a limit.
class ProcessGroup {
 public:
  /// Tags below it belong to the group itself.
  static constexpr int kFirstTag = 16;

  virtual ~ProcessGroup() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool leads() const { return rank() == 0; }

  /// Sends to another process, which receives with the same tag; messages of one tag arrive in order. Returns when
  /// `bytes` may be overwritten, which may be only once the other process receives. Any thread may call it, and several
  /// at once.
  virtual void send(int to, int tag, std::span<const std::byte> bytes) = 0;
  /// Throws Error unless exactly bytes.size() bytes arrive.
  virtual void receive(int from, int tag, std::span<std::byte> bytes) = 0;

  /// For code that waits in other ways: throws Error if another process has failed or is silent.
  virtual void check() = 0;
  /// Tells the other processes that this one cannot go on, and why: what they wait for throws Error with this text.
  virtual void fail(const std::string& why) = 0;
  /// Ends every process, this one with them; exit code `code`. Process 0 at once, another one when process 0 has had
  /// time to end it.
  [[noreturn]] virtual void end_all(int code) = 0;

  /// The same for text of any length; one thread of a process at a time.
  void send_text(int to, const std::string& text);
  std::string receive_text(int from);

  // All processes call the same of these, in the same order; one thread each.

  /// Returns when all have called it.
  void barrier();
  /// The text of process 0, everywhere.
  std::string broadcast(std::string text);
  /// On process 0 the text of every process, by rank; nothing elsewhere.
  std::vector<std::string> gather(std::string text);
};

/// A process on its own: rank 0 of 1.
std::unique_ptr<ProcessGroup> single_process();

}  // namespace opsched

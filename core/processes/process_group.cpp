#include "core/processes/process_group.hpp"

#include <cstdint>
#include <cstdlib>

#include "core/error.hpp"

namespace opsched {
namespace {

enum Tag : int { kLength, kText };
static_assert(kText < ProcessGroup::kFirstTag);

class SingleProcess final : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void send(int to, int, std::span<const std::byte>) override { refuse(to); }
  void receive(int from, int, std::span<std::byte>) override { refuse(from); }
  void check() override {}
  void fail(const std::string&) override {}
  void end_all(int code) override { std::_Exit(code); }

 private:
  static void refuse(int rank) { throw Error("there is no process " + std::to_string(rank) + ": this one is alone"); }
};

}  // namespace

void ProcessGroup::send_text(int to, const std::string& text) {
  const std::uint64_t length = text.size();
  send(to, kLength, std::as_bytes(std::span(&length, 1)));
  send(to, kText, std::as_bytes(std::span(text)));
}

std::string ProcessGroup::receive_text(int from) {
  std::uint64_t length = 0;
  receive(from, kLength, std::as_writable_bytes(std::span(&length, 1)));
  std::string text(length, '\0');
  receive(from, kText, std::as_writable_bytes(std::span(text)));
  return text;
}

void ProcessGroup::barrier() {
  gather({});
  broadcast({});
}

std::string ProcessGroup::broadcast(std::string text) {
  if (!leads()) return receive_text(0);
  for (int to = 1; to < size(); ++to) send_text(to, text);
  return text;
}

std::vector<std::string> ProcessGroup::gather(std::string text) {
  if (!leads()) {
    send_text(0, text);
    return {};
  }
  std::vector<std::string> all{std::move(text)};
  for (int from = 1; from < size(); ++from) all.push_back(receive_text(from));
  return all;
}

std::unique_ptr<ProcessGroup> single_process() { return std::make_unique<SingleProcess>(); }

}  // namespace opsched

#include <map>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/program/partition.hpp"

namespace opsched {
namespace {

std::string end_of(int process, int step) {
  return "step " + std::to_string(step) + " of process " + std::to_string(process);
}

/// Happens-before graph in which both ends of a message are one vertex.
class Rendezvous {
 public:
  explicit Rendezvous(std::span<const ProgramPart> parts) : parts_(parts) {
    std::map<int, std::pair<int, int>> sent;  // message -> process, step
    for (int p = 0; p < static_cast<int>(parts.size()); ++p)
      for (int s = 0; s < size(p); ++s) {
        const Step& step = parts[p].program.steps[s];
        if (step.kind == Step::Kind::send && !sent.try_emplace(step.message.id, p, s).second)
          throw Error(end_of(p, s) + " sends message " + std::to_string(step.message.id) + ", which is sent already");
      }
    for (int p = 0; p < static_cast<int>(parts.size()); ++p) {
      std::vector<int>& vertices = vertex_.emplace_back();
      for (int s = 0; s < size(p); ++s) vertices.push_back(count_++);
    }
    for (int p = 0; p < static_cast<int>(parts.size()); ++p)
      for (int s = 0; s < size(p); ++s) {
        const Step& step = parts[p].program.steps[s];
        if (step.kind != Step::Kind::receive) continue;
        const auto sender = sent.find(step.message.id);
        if (sender == sent.end()) throw Error(end_of(p, s) + " receives what nobody sends, or what came already");
        const auto [from, at] = sender->second;
        require_match(from, at, p, s);
        vertex_[p][s] = vertex_[from][at];
        sent.erase(sender);
      }
    if (!sent.empty())
      throw Error(end_of(sent.begin()->second.first, sent.begin()->second.second) + " sends what nobody receives");
  }

  /// Throws Error unless the messages of a channel are sent on one stream and received on one stream, with ascending
  /// ids.
  void require_channels() const {
    for (int p = 0; p < static_cast<int>(parts_.size()); ++p) {
      std::map<std::pair<Channel, Step::Kind>, int> last;
      for (int s = 0; s < size(p); ++s) {
        const Step& step = parts_[p].program.steps[s];
        if (step.kind != Step::Kind::send && step.kind != Step::Kind::receive) continue;
        const auto [it, first] = last.try_emplace({step.message.channel, step.kind}, s);
        const Step& before = parts_[p].program.steps[it->second];
        if (before.device != step.device || before.stream != step.stream ||
            (!first && before.message.id >= step.message.id))
          throw Error(end_of(p, s) + " overtakes " + end_of(p, it->second) + " on their channel");
        it->second = s;
      }
    }
  }

  /// Throws Error if a step waits for itself, directly or indirectly.
  void require_progress() const {
    std::vector<std::vector<int>> next(count_);
    std::vector<int> awaits(count_, 0);
    const auto add = [&](int before, int after) {
      next[before].push_back(after);
      ++awaits[after];
    };
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      std::map<std::pair<int, int>, int> last;  // by stream
      for (int s = 0; s < size(static_cast<int>(p)); ++s) {
        const Step& step = parts_[p].program.steps[s];
        for (int w : step.waits) add(vertex_[p].at(w), vertex_[p][s]);
        const auto [it, first] = last.try_emplace({step.device, step.stream}, s);
        if (!first) add(vertex_[p][std::exchange(it->second, s)], vertex_[p][s]);
      }
    }
    std::vector<bool> stuck(count_, false);
    for (const auto& vertices : vertex_)
      for (int v : vertices) stuck[v] = true;
    std::vector<int> ready;
    for (int v = 0; v < count_; ++v)
      if (stuck[v] && awaits[v] == 0) ready.push_back(v);
    while (!ready.empty()) {
      const int v = ready.back();
      ready.pop_back();
      stuck[v] = false;
      for (int n : next[v])
        if (--awaits[n] == 0) ready.push_back(n);
    }
    for (std::size_t p = 0; p < parts_.size(); ++p)
      for (int s = 0; s < size(static_cast<int>(p)); ++s)
        if (stuck[vertex_[p][s]])
          throw Error("processes wait for each other: " + end_of(static_cast<int>(p), s) + " can never begin");
  }

 private:
  int size(int process) const { return static_cast<int>(parts_[process].program.steps.size()); }

  void require_match(int from, int at, int to, int s) const {
    const Step &send = parts_[from].program.steps[at], &receive = parts_[to].program.steps[s];
    if (send.message.channel != receive.message.channel)
      throw Error(end_of(from, at) + " and " + end_of(to, s) + " use different channels");
    if (send.message.process != to || receive.message.process != from)
      throw Error(end_of(from, at) + " and " + end_of(to, s) + " name other processes than each other");
    if (shape_of(parts_[from].program, send.inputs.front()) != shape_of(parts_[to].program, receive.output))
      throw Error(end_of(from, at) + " sends another shape than " + end_of(to, s) + " receives");
  }

  std::span<const ProgramPart> parts_;
  std::vector<std::vector<int>> vertex_;  ///< by process and step
  int count_ = 0;
};

}  // namespace

void verify_messages(std::span<const ProgramPart> parts) {
  const Rendezvous rendezvous(parts);
  rendezvous.require_channels();
  rendezvous.require_progress();
}

}  // namespace opsched

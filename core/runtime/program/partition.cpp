#include "core/runtime/program/partition.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/program/order.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

/// The device that a transfer reads from.
int source_of(const Program& whole, const Step& transfer) {
  return whole.buffers[transfer.inputs.front().buffer].device;
}

/// The channel of every transfer.
std::vector<Channel> channels_of(const Program& whole, int most_channels) {
  std::vector<Channel> channels;
  std::map<std::pair<int, int>, std::map<int, int>> index;  // devices -> stream -> index
  for (const Step& step : whole.steps) {
    Channel& channel = channels.emplace_back();
    if (step.kind != Step::Kind::transfer) continue;
    const int from = source_of(whole, step);
    std::map<int, int>& streams = index[{from, step.device}];
    const int next = static_cast<int>(streams.size());
    const int own = streams.try_emplace(step.stream, next).first->second;
    channel = {from, step.device, most_channels > 0 ? own % most_channels : own};
  }
  return channels;
}

class PartBuilder {
 public:
  PartBuilder(const Program& whole, const Order& order, const std::vector<Channel>& channels,
              std::span<const int> process_of, int process)
      : whole_(whole), order_(order), channels_(channels), process_of_(process_of), local_(process_of.size(), -1) {
    for (std::size_t d = 0; d < process_of.size(); ++d) {
      if (process_of[d] != process) continue;
      local_[d] = static_cast<int>(part_.devices.size());
      part_.devices.push_back(static_cast<int>(d));
      part_.program.arena_bytes.push_back(whole.arena_bytes[d]);
      part_.program.streams.push_back(whole.streams[d]);
    }
    for (const Buffer& buffer : whole.buffers) {
      const bool here = local_[buffer.device] >= 0;
      buffers_.push_back(here ? static_cast<int>(part_.program.buffers.size()) : -1);
      if (!here) continue;
      part_.program.buffers.push_back(buffer);
      part_.program.buffers.back().device = local_[buffer.device];
    }
    choose(whole.inputs, part_.program.inputs, part_.inputs);
    choose(whole.outputs, part_.program.outputs, part_.outputs);
  }

  ProgramPart build() {
    for (int s = 0; s < static_cast<int>(whole_.steps.size()); ++s) {
      const Step& step = whole_.steps[s];
      const int source = step.kind == Step::Kind::transfer ? source_of(whole_, step) : step.device;
      const bool from_here = local_[source] >= 0, to_here = local_[step.device] >= 0;
      if (from_here && to_here) {
        Step copy = step;
        copy.device = local_[step.device];
        add(std::move(copy), s);
      } else if (from_here) {
        Step send = step;
        send.kind = Step::Kind::send;
        send.output = {};
        send.device = local_[source];
        send.stream = stream_of(channels_[s], send.device);
        send.message = {process_of_[step.device], s, channels_[s]};
        add(std::move(send), s);
      } else if (to_here) {
        Step receive = step;
        receive.kind = Step::Kind::receive;
        receive.inputs.clear();
        receive.device = local_[step.device];
        receive.stream = stream_of(channels_[s], receive.device);
        receive.message = {process_of_[source], s, channels_[s]};
        add(std::move(receive), s);
      }
    }
    return std::move(part_);
  }

 private:
  /// Selects the views of `all` that are in this part, and their indices.
  void choose(const std::vector<View>& all, std::vector<View>& views, std::vector<int>& which) const {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (buffers_[all[i].buffer] < 0) continue;
      views.push_back(here(all[i]));
      which.push_back(static_cast<int>(i));
    }
  }

  View here(View view) const {
    if (view.buffer >= 0) view.buffer = buffers_[view.buffer];
    return view;
  }

  /// The channel's separate stream, on a device of this part.
  int stream_of(const Channel& channel, int device) {
    const auto [it, fresh] = streams_.try_emplace(channel, part_.program.streams[device]);
    if (fresh) ++part_.program.streams[device];
    return it->second;
  }

  /// Adds `step`. On entry its views and waits are those of step `s` of the whole program.
  void add(Step step, int s) {
    for (View& input : step.inputs) input = here(input);
    step.output = here(step.output);
    if (step.residual) step.residual = here(*step.residual);
    // The latest local steps that precede `s` in the whole program; all other such steps are their ancestors.
    std::vector<int> after;
    boost::dynamic_bitset<> implied(part_.steps.size());
    for (int a = static_cast<int>(part_.steps.size()) - 1; a >= 0; --a) {
      if (implied.test(a) || !order_.before(part_.steps[a], s)) continue;
      after.push_back(a);
      boost::dynamic_bitset<> earlier = local_order_.ancestors(a);
      earlier.resize(implied.size());
      implied |= earlier;
    }
    // A step that precedes this one on a channel need not precede it in the whole program.
    const auto [last, first] = last_.try_emplace({step.device, step.stream}, -1);
    std::vector<int> all = after;
    if (last->second >= 0) all.push_back(last->second);
    local_order_.add(all);
    std::erase(after, last->second);
    std::ranges::sort(after);
    last->second = static_cast<int>(part_.steps.size());
    step.waits = std::move(after);
    part_.program.steps.push_back(std::move(step));
    part_.steps.push_back(s);
  }

  const Program& whole_;
  const Order& order_;
  const std::vector<Channel>& channels_;  ///< by step of the whole program
  std::span<const int> process_of_;
  ProgramPart part_;
  std::vector<int> local_;    ///< by device of the whole program: local index, or -1
  std::vector<int> buffers_;  ///< by buffer of the whole program: local index, or -1
  Order local_order_;
  std::map<Channel, int> streams_;
  std::map<std::pair<int, int>, int> last_;  ///< by local (device, stream): last step
};

}  // namespace

std::vector<int> spread_devices(int devices, int processes) {
  if (processes > devices)
    throw Error(std::to_string(processes) + " processes for a schedule of " + counted(devices, "device") +
                ": start at most as many processes as devices");
  std::vector<int> process_of;
  for (int d = 0; d < devices; ++d) process_of.push_back(static_cast<int>(std::int64_t{d} * processes / devices));
  return process_of;
}

ProgramPart part_of(const Program& whole, std::span<const int> process_of, int process, int most_channels) {
  const Order order = order_of(whole);
  const std::vector<Channel> channels = channels_of(whole, most_channels);
  return PartBuilder(whole, order, channels, process_of, process).build();
}

std::vector<ProgramPart> partition(const Program& whole, std::span<const int> process_of, int processes,
                                   int most_channels) {
  const Order order = order_of(whole);
  const std::vector<Channel> channels = channels_of(whole, most_channels);
  std::vector<ProgramPart> parts;
  for (int p = 0; p < processes; ++p) parts.push_back(PartBuilder(whole, order, channels, process_of, p).build());
  return parts;
}

}  // namespace opsched

#include "core/runtime/program/verify.hpp"

#include <map>
#include <string>

#include "core/error.hpp"

namespace opsched {
namespace {

struct Access {
  int step = 0;
  View view;
  bool write = false;
};

std::string text(int step) { return "step " + std::to_string(step); }
std::string text(const char* what, const Range& r) {
  return std::string(what) + " [" + std::to_string(r.begin) + ", " + std::to_string(r.end) + ")";
}
std::string text(const View& v) {
  return "channels [" + std::to_string(v.channel) + ", " + std::to_string(v.channel + v.channels) + "), " +
         text("rows", v.region.rows) + ", " + text("images", v.region.images) + " of buffer " +
         std::to_string(v.buffer);
}

/// The channels, rows and images of a buffer that are set.
class Area {
 public:
  explicit Area(const Buffer& buffer)
      : channels_(buffer.shape.c), rows_(buffer.shape.h), set_(channels_ * rows_ * buffer.images, false) {}
  void set(const View& view) {
    for_each(view, [&](std::size_t at) { set_[at] = true; });
  }
  bool has(const View& view) const {
    bool all = true;
    for_each(view, [&](std::size_t at) { all = all && set_[at]; });
    return all;
  }

 private:
  template <class F>
  void for_each(const View& view, const F& f) const {
    for (int n = view.region.images.begin; n < view.region.images.end; ++n)
      for (int c = view.channel; c < view.channel + view.channels; ++c)
        for (int row = view.region.rows.begin; row < view.region.rows.end; ++row) f((n * channels_ + c) * rows_ + row);
  }

  std::size_t channels_, rows_;
  std::vector<bool> set_;
};

/// The happens-before relation as a table, from one backward traversal per step.
class Before {
 public:
  explicit Before(const Program& program) {
    std::map<std::pair<int, int>, int> last;
    for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
      const Step& step = program.steps[s];
      std::vector<int> direct = step.waits;
      const auto key = std::pair(step.device, step.stream);
      if (last.contains(key)) direct.push_back(last[key]);
      last[key] = s;
      table_.emplace_back(s, false);
      while (!direct.empty()) {
        const int a = direct.back();
        direct.pop_back();
        if (a < 0 || a >= s) throw Error(text(s) + " waits for step " + std::to_string(a) + ", which comes later");
        if (table_[s][a]) continue;
        table_[s][a] = true;
        for (int b = 0; b < a; ++b)
          if (table_[a][b]) table_[s][b] = true;
      }
    }
  }
  bool operator()(int a, int b) const { return a < b && table_[b][a]; }

 private:
  std::vector<std::vector<bool>> table_;
};

std::vector<std::vector<Access>> accesses_of(const Program& program) {
  std::vector<std::vector<Access>> accesses(program.buffers.size());
  for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
    for (const View& input : program.steps[s].inputs) accesses[input.buffer].push_back({s, input, false});
    if (const auto& residual = program.steps[s].residual) accesses[residual->buffer].push_back({s, *residual, false});
    if (const View& output = program.steps[s].output; output.buffer >= 0)
      accesses[output.buffer].push_back({s, output, true});
  }
  return accesses;
}

}  // namespace

void verify_order(const Program& program) {
  const Before before(program);
  const auto accesses = accesses_of(program);
  for (std::size_t b = 0; b < accesses.size(); ++b) {
    for (const Access& x : accesses[b])
      for (const Access& y : accesses[b])
        if (x.step < y.step && (x.write || y.write) && overlap(x.view, y.view) && !before(x.step, y.step))
          throw Error(text(x.step) + " and " + text(y.step) + " race for " + text(y.view));
    const Buffer& buffer = program.buffers[b];
    Area given(buffer);
    for (const View& input : program.inputs) {
      if (input.buffer != static_cast<int>(b)) continue;
      given.set(input);
      given.set({input.buffer, buffer.shape.c - buffer.padding, buffer.padding, all_of(buffer)});
    }
    const auto check = [&](const View& view, int reader) {
      Area ready = given;
      for (const Access& w : accesses[b])
        if (w.write && (reader < 0 || before(w.step, reader))) ready.set(w.view);
      if (!ready.has(view))
        throw Error((reader < 0 ? "the end" : text(reader)) + " reads " + text(view) + " before all of it is written");
    };
    for (const Access& x : accesses[b])
      if (!x.write) check(x.view, x.step);
    for (const View& output : program.outputs)
      if (output.buffer == static_cast<int>(b)) check(output, -1);
  }
}

void verify_arena(const Program& program) {
  const Before before(program);
  const auto accesses = accesses_of(program);
  const int buffers = static_cast<int>(program.buffers.size());
  std::vector<bool> input(buffers, false), output(buffers, false);
  for (const View& view : program.inputs) input[view.buffer] = true;
  for (const View& view : program.outputs) output[view.buffer] = true;
  const auto fail = [](int a, int b, const std::string& why) {
    throw Error("buffers " + std::to_string(a) + " and " + std::to_string(b) + " share memory: " + why);
  };
  for (int b = 0; b < buffers; ++b) {
    const Buffer& x = program.buffers[b];
    if (x.offset < 0 || x.offset + x.bytes > program.arena_bytes[x.device])
      throw Error("buffer " + std::to_string(b) + " leaves its arena");
    for (int a = 0; a < buffers; ++a) {
      const Buffer& y = program.buffers[a];
      if (a == b || x.device != y.device || x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset) continue;
      // No write to `a` may come between the first write to `b` and its last read.
      for (const Access& w : accesses[a]) {
        if (!w.write) continue;
        if (input[b]) fail(a, b, text(w.step) + " overwrites an input");
        bool first = true, last = true;  // is the write before every use of b; is it after every use?
        for (const Access& use : accesses[b]) {
          first = first && before(w.step, use.step);
          last = last && before(use.step, w.step);
        }
        if (!first && (!last || output[b])) fail(a, b, text(w.step) + " overwrites what is still in use");
      }
    }
  }
}

}  // namespace opsched

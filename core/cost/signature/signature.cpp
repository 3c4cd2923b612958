#include "core/cost/signature/signature.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

/// A value that several operators of the stage read from outside it.
using Shared = int;

/// A group before its shared values are named: `text` has '.', digits, and '*' for each value read elsewhere.
struct GroupEncoding {
  struct Use {
    int position, term;  ///< reader: position of the operator in the group, and of the term in the operator
    Shared shared;
    auto operator<=>(const Use&) const = default;  // NOLINT(modernize-use-nullptr)
  };
  struct Op {
    std::string signature;
    std::vector<std::vector<std::string>> local;  ///< by term: '.' and digits, sorted
  };
  std::vector<Op> ops;
  std::vector<Use> uses;  ///< sorted
  std::string text;
};

std::string batch_prefix(int images) { return "b" + std::to_string(images); }

std::string letters(int index) {
  std::string name(1, static_cast<char>('a' + index % 26));
  if (index >= 26) name += std::to_string(index / 26);
  return name;
}

bool is_plain(const std::vector<std::string>& refs) {
  return std::ranges::all_of(refs, [](const std::string& ref) { return ref == "."; });
}

void add_wiring(std::string& text, const std::vector<std::string>& refs) {
  if (is_plain(refs)) return;
  char separator = '@';
  for (const std::string& ref : refs) {
    text += separator + ref;
    separator = ',';
  }
}

/// Puts groups in an order that depends only on structure, and names their shared values.
///
/// Groups are coloured by their own text; then colours are refined through the values that groups share (as Weisfeiler
/// and Lehman do for graphs). Groups that keep the same colour although they share different values are tried one after
/// another; the smallest text wins.
class Canonical {
 public:
  Canonical(std::vector<GroupEncoding> groups, int shared) : groups_(std::move(groups)), shared_(shared) {}

  std::string text() {
    std::vector<int> colors(groups_.size());
    std::vector<std::string> texts;
    for (const GroupEncoding& group : groups_) texts.push_back(group.text);
    std::ranges::sort(texts);
    for (std::size_t g = 0; g < groups_.size(); ++g)
      colors[g] = static_cast<int>(std::ranges::lower_bound(texts, groups_[g].text) - texts.begin());
    search(std::move(colors));
    return best_;
  }

 private:
  using Colors = std::vector<int>;
  static constexpr int kMaxLeaves = 256;  // more symmetry than this may cost a second measurement

  /// Ranks `keys` as colours: the colour of a key is the number of smaller keys.
  template <class Key>
  static Colors rank(const std::vector<Key>& keys) {
    std::vector<Key> sorted = keys;
    std::ranges::sort(sorted);
    Colors colors;
    for (const Key& key : keys)
      colors.push_back(static_cast<int>(std::ranges::lower_bound(sorted, key) - sorted.begin()));
    return colors;
  }

  Colors shared_colors(const Colors& colors) const {
    std::vector<std::vector<std::tuple<int, int, int>>> keys(shared_);
    for (std::size_t g = 0; g < groups_.size(); ++g)
      for (const auto& use : groups_[g].uses) keys[use.shared].emplace_back(colors[g], use.position, use.term);
    for (auto& key : keys) std::ranges::sort(key);
    return rank(keys);
  }

  void refine(Colors& colors) const {
    while (true) {
      const Colors shared = shared_colors(colors);
      std::vector<std::vector<std::tuple<int, int, int>>> keys(groups_.size());
      for (std::size_t g = 0; g < groups_.size(); ++g) {
        for (const auto& use : groups_[g].uses) keys[g].emplace_back(use.position, use.term, shared[use.shared]);
        std::ranges::sort(keys[g]);
        keys[g].insert(keys[g].begin(), {colors[g], 0, 0});
      }
      Colors next = rank(keys);
      if (next == colors) return;
      colors = std::move(next);
    }
  }

  void search(Colors colors) {
    refine(colors);
    // The first colour whose groups are not twins (twins read the very same values).
    std::map<int, std::vector<int>> classes;
    for (std::size_t g = 0; g < groups_.size(); ++g) classes[colors[g]].push_back(static_cast<int>(g));
    for (const auto& [color, members] : classes) {
      std::vector<int> distinct;
      for (int g : members)
        if (std::ranges::none_of(distinct, [&](int d) { return groups_[d].uses == groups_[g].uses; }))
          distinct.push_back(g);
      if (distinct.size() == 1) continue;
      for (int g : distinct) {
        Colors chosen = colors;
        for (int other : members)
          if (other != g) ++chosen[other];
        search(std::move(chosen));
        if (leaves_ >= kMaxLeaves) return;
      }
      return;
    }
    ++leaves_;
    std::string candidate = write(colors);
    if (best_.empty() || candidate < best_) best_ = std::move(candidate);
  }

  std::string write(const Colors& colors) const {
    std::vector<int> order(groups_.size());
    for (std::size_t g = 0; g < order.size(); ++g) order[g] = static_cast<int>(g);
    std::ranges::stable_sort(order, {}, [&](int g) { return colors[g]; });
    const Colors shared = shared_colors(colors);
    std::vector<int> name(shared_, -1);
    int names = 0;
    std::string text;
    for (int g : order) {
      if (!text.empty()) text += " |";
      const GroupEncoding& group = groups_[g];
      // The values of one term are unordered.
      std::vector<GroupEncoding::Use> uses = group.uses;
      std::ranges::stable_sort(uses, {}, [&](const GroupEncoding::Use& use) {
        return std::tuple(use.position, use.term, shared[use.shared], name[use.shared]);
      });
      auto use = uses.begin();
      for (std::size_t p = 0; p < group.ops.size(); ++p) {
        const GroupEncoding::Op& op = group.ops[p];
        std::vector<std::string> refs;
        for (std::size_t t = 0; t < op.local.size(); ++t) {
          refs.insert(refs.end(), op.local[t].begin(), op.local[t].end());
          for (; use != uses.end() && use->position == static_cast<int>(p) && use->term == static_cast<int>(t); ++use) {
            if (name[use->shared] < 0) name[use->shared] = names++;
            refs.push_back(letters(name[use->shared]));
          }
        }
        text += ' ' + op.signature;
        add_wiring(text, refs);
      }
    }
    return text;
  }

  std::vector<GroupEncoding> groups_;
  int shared_;
  std::string best_;
  int leaves_ = 0;
};

/// Hashes texts and numbers, each ended by a separator.
class Hash {
 public:
  void add(const std::string& text) { state_ = fnv1a("\x1f", fnv1a(text, state_)); }
  void add(std::int64_t number) { add(std::to_string(number)); }
  std::string hex() const { return hex_digits(state_); }

 private:
  std::uint64_t state_ = kHashStart;
};

}  // namespace

StageSigner::StageSigner(const Graph& graph, bool marks_kept) : slots_(join_slots(graph)), marks_kept_(marks_kept) {
  for (OpId id = 0; id < graph.size(); ++id) {
    const Operator& op = graph.op(id);
    succs_.emplace_back(graph.succs(id).begin(), graph.succs(id).end());
    const auto* pool = op.layers.empty() ? nullptr : std::get_if<Pool2d>(&op.layers.back());
    is_average_.push_back(pool && pool->type == PoolType::avg);
    is_pointwise_.push_back(!op.layers.empty() && is_pointwise(op.layers.front()));
  }
  for (OpId id = 0; id < graph.size(); ++id) {
    std::vector<std::vector<Read>>& reads = reads_.emplace_back();
    for (const Term& term : graph.op(id).terms) {
      reads.emplace_back();
      for (const Value& v : term) {
        const Region region = graph.read(graph.op(id), v);
        reads.back().push_back(
            {graph.producers(graph.op(id), v), {v.op, v.begin, v.end, region.images.begin, region.rows.begin}});
      }
    }
    signatures_.push_back(operator_signature(graph, id));
    images_.push_back(graph.images(id));
    std::string key;
    if (graph.op(id).is_unit()) key = this->stage({Strategy::concurrent, {{id}}});
    solo_.push_back(std::move(key));
  }
  for (OpId id = 0; id < graph.size(); ++id) {
    std::vector<std::string> readers;
    for (OpId reader : readers_of_part(graph, slots_, id)) readers.push_back(signatures_[reader]);
    std::ranges::sort(readers);
    Hash hash;
    for (const std::string& reader : readers) hash.add(reader);
    readers_.push_back(readers.empty() ? "" : hash.hex().substr(0, 8));
  }
}

std::string StageSigner::stage(const Stage& stage) const {
  if (stage.groups.empty() || std::ranges::any_of(stage.groups, &Group::empty))
    throw Error("a stage with an empty group has no latency");
  if (stage.is_merge()) {
    std::vector<std::string> ops;
    const MergedPlace place = merged_place(slots_, stage.groups.front());
    const std::string mark = place.is_beside() ? "c" : place.kind == MergedPlace::Kind::copied ? "copy" : "";
    for (OpId id : stage.groups.front()) {
      std::string readers = readers_[id];
      if (!mark.empty() && std::ranges::find(place.with_slot, id) != place.with_slot.end())
        readers = readers.empty() ? mark : mark + "," + readers;
      ops.push_back(signatures_[id] + (readers.empty() ? "" : "@" + readers));
    }
    std::ranges::sort(ops);
    std::string key = batch_prefix(images_[stage.groups.front().front()]) + " merge";
    for (const std::string& op : ops) key += " " + op;
    return key;
  }
  int images = 0;
  for (const Group& group : stage.groups)
    for (OpId id : group) images = std::max(images, images_[id]);
  const auto signature = [&](OpId id) {
    return images_[id] == images ? signatures_[id] : signatures_[id] + "#" + std::to_string(images_[id]);
  };
  struct Place {
    int group, position;
  };
  std::vector<std::pair<OpId, Place>> places;
  for (std::size_t g = 0; g < stage.groups.size(); ++g)
    for (std::size_t p = 0; p < stage.groups[g].size(); ++p)
      places.emplace_back(stage.groups[g][p], Place{static_cast<int>(g), static_cast<int>(p)});
  std::ranges::sort(places, {}, &std::pair<OpId, Place>::first);
  const auto place_of = [&](OpId id) -> const Place* {
    const auto it = std::ranges::lower_bound(places, id, {}, &std::pair<OpId, Place>::first);
    return it != places.end() && it->first == id ? &it->second : nullptr;
  };

  // The first operator of the stage that computes the value.
  const auto inside = [&](const Read& read) -> const Place* {
    for (OpId from : read.from)
      if (const Place* place = place_of(from)) return place;
    return nullptr;
  };

  // Does anything outside the stage read an operator of it that computes the value?
  const auto kept = [&](const Read& read) {
    return std::ranges::any_of(read.from, [&](OpId from) {
      return place_of(from) && std::ranges::any_of(succs_[from], [&](OpId reader) { return !place_of(reader); });
    });
  };

  // Values read from outside the stage, once per read.
  std::vector<ReadWhat> outside;
  for (const auto& [id, place] : places)
    for (const std::vector<Read>& term : reads_[id])
      for (const Read& read : term)
        if (!inside(read)) outside.push_back(read.what);
  std::ranges::sort(outside);
  std::vector<ReadWhat> shared;
  for (std::size_t i = 1; i < outside.size(); ++i)
    if (outside[i] == outside[i - 1] && (shared.empty() || shared.back() != outside[i])) shared.push_back(outside[i]);

  std::vector<GroupEncoding> groups;
  for (std::size_t g = 0; g < stage.groups.size(); ++g) {
    GroupEncoding encoding;
    for (OpId id : stage.groups[g]) {
      const int position = static_cast<int>(encoding.ops.size());
      GroupEncoding::Op op{.signature = signature(id), .local = {}};
      encoding.text += ' ' + op.signature + '@';
      for (std::size_t t = 0; t < reads_[id].size(); ++t) {
        std::vector<std::string> local;
        int stars = 0;
        for (const Read& read : reads_[id][t]) {
          if (const Place* place = inside(read)) {
            if (place->group != static_cast<int>(g))
              throw Error("the groups of a stage depend on each other, so they cannot run in parallel");
            const bool matters = reads_[id][t].size() > 1 || (is_average_[read.from.back()] && is_pointwise_[id]);
            const bool marked = marks_kept_ && matters && kept(read);
            local.push_back(std::to_string(place->position) + (marked ? "k" : ""));
          } else if (const auto it = std::ranges::lower_bound(shared, read.what);
                     it != shared.end() && *it == read.what) {
            encoding.uses.push_back({position, static_cast<int>(t), static_cast<int>(it - shared.begin())});
            ++stars;
          } else {
            local.push_back(".");
          }
        }
        std::ranges::sort(local);
        for (const std::string& ref : local) encoding.text += ref + ',';
        encoding.text += std::string(stars, '*');
        op.local.push_back(std::move(local));
      }
      encoding.ops.push_back(std::move(op));
    }
    std::ranges::sort(encoding.uses);
    groups.push_back(std::move(encoding));
  }
  const int n_shared = static_cast<int>(shared.size());
  return batch_prefix(images) + Canonical(std::move(groups), n_shared).text();
}

std::string fingerprint(const Graph& of) {
  const Graph& graph = of.unsplit();
  Hash hash;
  hash.add(graph.batch());
  for (OpId id = 0; id < graph.size(); ++id) {
    hash.add(operator_signature(graph, id, network_layers(graph.op(id))));
    for (const Term& term : graph.op(id).terms)
      for (const Value& v : term) {
        hash.add(v.op);
        hash.add(v.begin);
        hash.add(v.end);
      }
  }
  return hash.hex();
}

std::string fingerprint(const Schedule& schedule) {
  Hash hash;
  hash.add(to_text(schedule));
  return hash.hex();
}

}  // namespace opsched

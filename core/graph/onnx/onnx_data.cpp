#include "core/graph/onnx/onnx_data.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace opsched {

std::string to_string(const std::vector<std::int64_t>& dims) {
  std::string text = "[";
  for (std::int64_t dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

std::optional<OnnxAxis> channel_axis(const OnnxData& data, std::size_t axis, int batch) {
  if (axis == 0 || axis >= data.dims.size() || data.dims[0] != batch || data.channels_last) return std::nullopt;
  OnnxAxis what{1, data.dims[axis], 1};
  for (std::size_t d = 1; d < axis; ++d) what.outer *= data.dims[d];
  for (std::size_t d = axis + 1; d < data.dims.size(); ++d) what.inner *= data.dims[d];
  if (what.inner % data.pixels() != 0) return std::nullopt;
  what.inner /= data.pixels();
  if (what.outer * what.size * what.inner != data.shape.c) return std::nullopt;
  return what;
}

void append_channels(std::vector<Value>& pieces, const OnnxData& from, std::int64_t begin, std::int64_t end) {
  std::int64_t at = 0;
  for (const Value& piece : from.pieces) {
    const std::int64_t a = std::max(begin - at, std::int64_t{0}),
                       b = std::min(end - at, std::int64_t{piece.channels()});
    at += piece.channels();
    if (a >= b) continue;
    const Value part{piece.op, piece.begin + static_cast<int>(a), piece.begin + static_cast<int>(b)};
    if (!pieces.empty() && pieces.back().op == part.op && pieces.back().end == part.begin)
      pieces.back().end = part.end;
    else
      pieces.push_back(part);
  }
}

OnnxData cut_axis(const OnnxData& from, std::size_t axis, const OnnxAxis& what, std::int64_t begin, std::int64_t end) {
  OnnxData part{{}, from.shape, from.dims};
  part.dims[axis] = end - begin;
  part.shape.c = static_cast<int>(what.outer * (end - begin) * what.inner);
  for (std::int64_t o = 0; o < what.outer; ++o)
    append_channels(part.pieces, from, (o * what.size + begin) * what.inner, (o * what.size + end) * what.inner);
  return part;
}

bool same_value(const OnnxData& a, const OnnxData& b) {
  return !a.pieces.empty() && a.pieces == b.pieces && a.dims == b.dims && a.channels_last == b.channels_last;
}

OnnxData channels_first(const OnnxData& data) {
  OnnxData first = data;
  if ((!data.channels_last && data.pixels() > 1 && data.shape.c > 1) || data.dims.size() < 2 ||
      data.dims.back() != data.shape.c)
    throw Error("the last axis of a value of the shape " + to_string(data.dims) + " is not its channels");
  std::rotate(first.dims.begin() + 1, first.dims.end() - 1, first.dims.end());
  first.channels_last = false;
  return first;
}

OnnxData channels_last(const OnnxData& data) {
  OnnxData last = data;
  if (data.channels_last || data.dims.size() < 2 || data.dims[1] != data.shape.c)
    throw Error("the second axis of a value of the shape " + to_string(data.dims) + " is not its channels");
  std::rotate(last.dims.begin() + 1, last.dims.begin() + 2, last.dims.end());
  last.channels_last = data.pixels() > 1 && data.shape.c > 1;  // otherwise the order of the numbers is the same
  return last;
}

std::vector<Term> sum_terms(const std::vector<OnnxData>& summands) {
  std::vector<std::size_t> at(summands.size(), 0);  // current piece of each summand
  std::vector<int> taken(summands.size(), 0);       // channels of that piece already used
  std::vector<Term> terms;
  for (int channel = 0; channel < summands[0].shape.c;) {
    int width = summands[0].shape.c;
    for (std::size_t s = 0; s < summands.size(); ++s)
      width = std::min(width, summands[s].pieces[at[s]].channels() - taken[s]);
    Term& term = terms.emplace_back();
    for (std::size_t s = 0; s < summands.size(); ++s) {
      const Value& piece = summands[s].pieces[at[s]];
      term.push_back({piece.op, piece.begin + taken[s], piece.begin + taken[s] + width});
      if ((taken[s] += width) == piece.channels()) ++at[s], taken[s] = 0;
    }
    channel += width;
  }
  return terms;
}

}  // namespace opsched

#include "core/runtime/cuda/graph/transfer_copies.hpp"

#include "core/tensor_format.hpp"

namespace opsched {

std::vector<PeerCopy> transfer_copies(const Program& program, const Step& step, Precision precision,
                                      char* target_address, const char* source_address) {
  const View &from = step.inputs.front(), &to = step.output;
  const Shape source = program.buffers[from.buffer].shape, target = program.buffers[to.buffer].shape;
  const std::size_t element = element_bytes(precision);
  const bool nhwc = preferred_format(precision) == TensorFormat::nhwc;
  const bool all_rows = from.region.rows.size() == source.h;
  const std::size_t batch = from.region.images.size(), images = all_rows ? batch : 1;  // per copy
  const std::size_t pixels = std::size_t(from.region.rows.size()) * source.w;
  const std::size_t channels = from.channels;
  const auto pitch = [&](const Shape& s) {
    return element * (nhwc ? s.c : all_rows ? s.size() : std::int64_t{s.h} * s.w);
  };
  const PeerCopy copy{.target = target_address,
                      .source = source_address,
                      .rows = nhwc       ? images * pixels
                              : all_rows ? images
                                         : channels,
                      .width = element * (nhwc       ? channels
                                          : all_rows ? channels * pixels
                                                     : pixels),
                      .target_pitch = pitch(target),
                      .source_pitch = pitch(source)};
  std::vector<PeerCopy> copies;
  for (std::size_t i = 0; i < batch / images; ++i) {
    copies.push_back(copy);
    copies.back().target = static_cast<char*>(copy.target) + i * element * target.size();
    copies.back().source = static_cast<const char*>(copy.source) + i * element * source.size();
  }
  return copies;
}

std::size_t message_bytes(const Program& program, const View& view, Precision precision) {
  return static_cast<std::size_t>(view.region.images.size() * shape_of(program, view).size() *
                                  element_bytes(precision));
}

std::vector<PeerCopy> packing_copies(const Program& program, const View& view, Precision precision, const char* address,
                                     char* dense) {
  const Shape whole = program.buffers[view.buffer].shape, part = shape_of(program, view);
  const std::size_t element = element_bytes(precision), pixels = std::size_t(part.h) * part.w;
  const bool nhwc = preferred_format(precision) == TensorFormat::nhwc;
  std::vector<PeerCopy> copies;
  for (int i = 0; i < view.region.images.size(); ++i) {
    PeerCopy& copy = copies.emplace_back();
    copy.target = dense + i * element * part.size();
    copy.source = address + i * element * whole.size();
    copy.rows = nhwc ? pixels : part.c;
    copy.width = copy.target_pitch = element * (nhwc ? part.c : pixels);
    copy.source_pitch = element * (nhwc ? whole.c : std::size_t(whole.h) * whole.w);
  }
  return copies;
}

bool is_dense(const Program& program, const View& view, Precision precision) {
  const std::vector<PeerCopy> copies = packing_copies(program, view, precision, nullptr, nullptr);
  const PeerCopy& image = copies.front();
  const bool one_piece = image.rows == 1 || image.source_pitch == image.width;
  const Shape whole = program.buffers[view.buffer].shape;
  return one_piece && (view.region.images.size() == 1 || whole == shape_of(program, view));
}

PeerCopy reversed(const PeerCopy& copy) {
  return {.target = const_cast<void*>(copy.source),
          .source = copy.target,
          .rows = copy.rows,
          .width = copy.width,
          .target_pitch = copy.source_pitch,
          .source_pitch = copy.target_pitch};
}

}  // namespace opsched

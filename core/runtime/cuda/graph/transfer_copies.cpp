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
  const std::size_t batch = from.region.images.size(), images = all_rows ? batch : 1;  // a copy
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

}  // namespace opsched

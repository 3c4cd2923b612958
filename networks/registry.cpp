#include <algorithm>

#include "core/names.hpp"
#include "networks/network.hpp"

namespace opsched {

// The list of networks, in display order. Each is a separate file that defines `NetworkInfo NAME_network()`; adding a
// network takes that file and one line here.
#define OPSCHED_NETWORKS(ADD) \
  ADD(inception_v3_network)   \
  ADD(squeezenet_network)     \
  ADD(randwire_network)       \
  ADD(randwire_paper_network) \
  ADD(nasnet_network)

#define OPSCHED_DECLARE(function) NetworkInfo function();
OPSCHED_NETWORKS(OPSCHED_DECLARE)

const std::vector<NetworkInfo>& networks() {
#define OPSCHED_CALL(function) function(),
  static const std::vector<NetworkInfo> list = {OPSCHED_NETWORKS(OPSCHED_CALL)};
  return list;
}

const NetworkInfo& find_network(const std::string& name) {
  return find_named(networks(), name, "unknown network '" + name + "'; known: ");
}

namespace {

/// Does the network exist at this image size?
bool fits(const NetworkInfo& info, NetworkOptions options, ImageSize image) {
  options.image = image;
  try {
    info.make(options);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// For an image that is too small: "; the least image size is 75".
std::string least_size(const NetworkInfo& info, const NetworkOptions& options) {
  const int smaller = std::min(options.image.height, options.image.width);
  if (smaller >= info.image || !fits(info, options, info.image)) return "";
  int least = smaller + 1;
  while (!fits(info, options, least)) ++least;
  return "; the least image size is " + std::to_string(least);
}

}  // namespace

Graph make_network(const std::string& name, const NetworkOptions& options) {
  const NetworkInfo& info = find_network(name);
  NetworkOptions filled = options;
  if (filled.image == 0) filled.image = info.image;
  constexpr int largest = 1 << 14;
  const auto [smaller, larger] = std::minmax({filled.image.height, filled.image.width});
  if (smaller < 1 || larger > largest)
    throw Error("network '" + name + "': the image size must be between 1 and " + std::to_string(largest) + ", not " +
                to_string(filled.image));
  try {
    return info.make(filled);
  } catch (const Error& e) {
    throw Error("network '" + name + "' at image size " + to_string(filled.image) + ": " + e.what() +
                least_size(info, filled));
  }
}

}  // namespace opsched

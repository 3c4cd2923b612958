// The list of networks: a new one is its own file and one line here.
#include "core/error.hpp"
#include "networks/network.hpp"

namespace opsched {

NetworkInfo inception_v3_network();
NetworkInfo nasnet_network();
NetworkInfo randwire_network();
NetworkInfo squeezenet_network();

const std::vector<NetworkInfo>& networks() {
  static const std::vector<NetworkInfo> list = {
      inception_v3_network(),
      squeezenet_network(),
      randwire_network(),
      nasnet_network(),
  };
  return list;
}

const NetworkInfo& find_network(const std::string& name) {
  std::string known;
  for (const NetworkInfo& info : networks()) {
    if (info.name == name) return info;
    known += (known.empty() ? "" : ", ") + info.name;
  }
  throw Error("unknown network '" + name + "'; known: " + known);
}

Graph make_network(const std::string& name, const NetworkOptions& options) {
  const NetworkInfo& info = find_network(name);
  NetworkOptions filled = options;
  if (filled.image == 0) filled.image = info.image;
  constexpr int largest = 1 << 14;
  if (filled.image < 1 || filled.image > largest)
    throw Error("network '" + name + "': the image size must be between 1 and " + std::to_string(largest) + ", not " +
                std::to_string(filled.image));
  return info.make(filled);
}

}  // namespace opsched

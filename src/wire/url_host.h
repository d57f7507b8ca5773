// Hosts as URLs write them. For wire and serve only.
#pragma once

#include <string>

namespace aim {

// An IPv6 address stands in brackets, so that its colons are not that of the port.
inline std::string UrlHost(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace aim

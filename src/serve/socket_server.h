// The sockets of a policy server: WebSockets for clients, /healthz and /metrics for those who
// watch. Boost stays inside.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "aim/wire/wire.h"
#include "serve/service.h"

namespace aim {

struct SocketServerOptions {
  std::string host = "127.0.0.1";
  int port = 8000;                  // 0 = one that is free
  std::string api_key;              // empty: none is asked for
  const Wire* root_wire = nullptr;  // what the path / speaks
  int max_clients = 64;
  double idle_timeout_s = 40;   // silence, and no answer to a ping
  double read_timeout_s = 20;   // from the first byte of a message to its last
  double write_timeout_s = 20;  // for a client to take a reply
  double drain_timeout_s = 60;  // for plans under way when the server is to end
};

class SocketServer {
 public:
  // Listens. Throws ConfigError if the address is none of this machine or the port is taken.
  // `service` is borrowed.
  SocketServer(const SocketServerOptions& options, Service& service);
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  int port() const;

  // Serves until `stop` says so (asked twenty times a second), then takes no more clients, answers
  // what was accepted, tells the clients that it goes, and stops the service.
  void Run(const std::function<bool()>& stop);

 private:
  class Sockets;
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace aim

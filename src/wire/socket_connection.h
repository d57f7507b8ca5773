// One WebSocket to a server. Boost stays inside.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace aim {

// Where a server is: ws://host:port/path.
struct WebSocketUrl {
  std::string host;
  std::string port;
  std::string path;
};

// IPv6 addresses stand in brackets there, and not in `host`. Throws ConfigError naming `where`.
WebSocketUrl ParseWebSocketUrl(const std::string& url, const std::string& where);

struct SocketMessage {
  std::string bytes;
  bool is_text = false;
};

// A thread of its own answers the server's pings and sends some, however long nobody asks for
// anything: a server that is gone without a word is noticed. One that sends what nobody receives is
// cut off. For one user at a time.
class SocketConnection {
 public:
  // Throws IoError if nothing answers within the time, or what answers wants no WebSocket.
  SocketConnection(const WebSocketUrl& url, const std::string& api_key, double timeout_s);
  ~SocketConnection();
  SocketConnection(const SocketConnection&) = delete;
  SocketConnection& operator=(const SocketConnection&) = delete;

  // A binary message. Returns at once; Receive tells of failures.
  void Send(std::string bytes);
  // The next message; none if it does not come within the time. Throws IoError once the connection
  // has ended and all its messages were received.
  std::optional<SocketMessage> Receive(double timeout_s);

 private:
  class Socket;
  std::unique_ptr<Socket> socket_;
};

}  // namespace aim

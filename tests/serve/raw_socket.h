// A socket of a test to a server on this machine: HTTP and WebSocket by the byte, right or wrong.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>

namespace aim::testing {

class RawSocket {
 public:
  // `receive_bytes`: a small buffer for what is not read; 0 = the system's.
  explicit RawSocket(int port, int receive_bytes = 0) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    // A server that says nothing fails the test and does not hang it.
    const timeval limit = {.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (receive_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~RawSocket() { close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void SendBytes(const std::string& bytes) const {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;  // the server has gone; what it said is read yet
      sent += static_cast<size_t>(count);
    }
  }

  // What is left as if the process were killed: the system resets the connection.
  void Kill() {
    const linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd_);
    fd_ = -1;
  }

  // Everything until the server ends the connection.
  std::string ReadAll() {
    while (ReadSome()) {
    }
    return std::exchange(received_, "");
  }

  std::string Get(const std::string& path, const std::string& headers = "") {
    SendBytes("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return ReadAll();
  }

  // Begins a WebSocket; returns the first line of the answer.
  std::string Upgrade(const std::string& path = "/", const std::string& headers = "") {
    SendBytes("GET " + path +
              " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
              headers + "\r\n");
    while (received_.find("\r\n\r\n") == std::string::npos && ReadSome()) {
    }
    const size_t end = received_.find("\r\n\r\n");
    const std::string line = received_.substr(0, received_.find("\r\n"));
    received_.erase(0, end == std::string::npos ? received_.size() : end + 4);
    return line;
  }

  // The head of a frame with this length, whatever follows; masked with zeros.
  static std::string FrameHead(int opcode, uint64_t length, bool masked = true) {
    std::string head(1, static_cast<char>(0x80 | opcode));
    const int mask_bit = masked ? 0x80 : 0;
    if (length < 126) {
      head += static_cast<char>(mask_bit | static_cast<int>(length));
    } else {
      const int num_bytes = length < 65536 ? 2 : 8;  // the shortest form is asked for
      head += static_cast<char>(mask_bit | (num_bytes == 2 ? 126 : 127));
      for (int i = num_bytes - 1; i >= 0; --i) head += static_cast<char>(length >> (8 * i) & 0xff);
    }
    return masked ? head + std::string(4, '\0') : head;
  }

  void SendBinary(const std::string& message) const {
    SendBytes(FrameHead(2, message.size()) + message);
  }

  struct Frame {
    int opcode = 0;  // 1 text, 2 binary, 8 close, 9 ping
    std::string payload;

    // Of a close.
    int code() const {
      if (opcode != 8 || payload.size() < 2) return 0;
      return static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]);
    }
  };

  // The next frame that is no ping; none once the connection has ended.
  std::optional<Frame> ReadFrame() {
    while (true) {
      if (!Fill(2)) return std::nullopt;
      size_t head_bytes = 2;
      uint64_t length = static_cast<uint8_t>(received_[1]) & 0x7f;
      if (length >= 126) {
        const size_t num_bytes = length == 126 ? 2 : 8;
        if (!Fill(2 + num_bytes)) return std::nullopt;
        length = 0;
        for (size_t i = 0; i < num_bytes; ++i) {
          length = length << 8 | static_cast<uint8_t>(received_[2 + i]);
        }
        head_bytes += num_bytes;
      }
      if (!Fill(head_bytes + length)) return std::nullopt;
      Frame frame{received_[0] & 0x0f, received_.substr(head_bytes, length)};
      received_.erase(0, head_bytes + length);
      if (frame.opcode != 9) return frame;
    }
  }

 private:
  bool Fill(size_t size) {
    while (received_.size() < size) {
      if (!ReadSome()) return false;
    }
    return true;
  }

  bool ReadSome() {
    char chunk[65536];
    const ssize_t count = recv(fd_, chunk, sizeof chunk, 0);
    EXPECT_FALSE(count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) << "no answer";
    if (count <= 0) return false;
    received_.append(chunk, static_cast<size_t>(count));
    return true;
  }

  int fd_;
  std::string received_;
};

}  // namespace aim::testing

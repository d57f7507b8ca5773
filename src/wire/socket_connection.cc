#include "wire/socket_connection.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "aim/base/error.h"
#include "wire/milliseconds.h"
#include "wire/url_host.h"

namespace aim {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr auto kGoodbyeTime = std::chrono::seconds(2);
constexpr auto kHandshakeTime = std::chrono::seconds(30);
constexpr auto kSilentTime = std::chrono::seconds(20);  // without a word, pings unanswered
constexpr uint64_t kMaxMessageBytes = uint64_t{64} << 20;
// Of messages that nobody received yet: a server sends one a request.
constexpr size_t kMaxIncoming = 64;
constexpr uint64_t kMaxIncomingBytes = 2 * kMaxMessageBytes;

std::string AuthorityOf(const WebSocketUrl& url) { return UrlHost(url.host) + ":" + url.port; }

std::string TextOf(const WebSocketUrl& url) { return "ws://" + AuthorityOf(url) + url.path; }

}  // namespace

WebSocketUrl ParseWebSocketUrl(const std::string& url, const std::string& where) {
  const std::string scheme = "ws://";
  WebSocketUrl parsed;
  if (url.starts_with(scheme)) {
    const std::string rest = url.substr(scheme.size());
    const std::string authority = rest.substr(0, rest.find('/'));
    const size_t colon = authority.rfind(':');
    if (colon != std::string::npos) {
      parsed.host = authority.substr(0, colon);
      parsed.port = authority.substr(colon + 1);
    }
    parsed.path = rest.substr(authority.size());
  }
  if (parsed.path.empty()) parsed.path = "/";
  if (parsed.host.size() >= 2 && parsed.host.front() == '[' && parsed.host.back() == ']') {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);  // IPv6
  } else if (parsed.host.find(':') != std::string::npos) {
    parsed.host.clear();  // where it ends and the port begins is a guess
  }
  const bool has_port = !parsed.port.empty() && parsed.port.size() <= 5 &&
                        parsed.port.find_first_not_of("0123456789") == std::string::npos;
  if (!parsed.host.empty() && has_port) return parsed;
  throw ConfigError(
      {.where = where,
       .got = '"' + url + '"',
       .expected = "ws://HOST:PORT or ws://HOST:PORT/PATH, IPv6 addresses in brackets",
       .fix = "a tunnel (ssh -L) encrypts on the way to another machine"});
}

// All of Boost's runs on thread_; what both threads use is under mutex_.
class SocketConnection::Socket {
 public:
  Socket(const WebSocketUrl& url, const std::string& api_key, double timeout_s)
      : url_(url), resolver_(context_), socket_(context_) {
    beast::get_lowest_layer(socket_).expires_after(InMilliseconds(timeout_s));
    socket_.set_option(websocket::stream_base::decorator([api_key](websocket::request_type& r) {
      if (!api_key.empty()) r.set(http::field::authorization, "Api-Key " + api_key);
    }));
    socket_.read_message_max(kMaxMessageBytes);
    Resolve();
    thread_ = std::thread([this] { Run(); });
    std::unique_lock lock(mutex_);
    const bool settled = changed_.wait_for(lock, InMilliseconds(timeout_s),
                                           [this] { return is_open_ || !failure_.empty(); });
    if (is_open_) return;
    const std::string failure = settled ? failure_ : "no answer in time";
    lock.unlock();
    StopThread();
    throw IoError({.where = TextOf(url_),
                   .got = "not reached: " + failure,
                   .expected = "a policy server that listens there",
                   .fix = "start one with: aim-serve --model DIR --port " + url_.port});
  }

  ~Socket() {
    asio::post(context_, [this] {
      if (!is_open_) return;
      socket_.async_close(websocket::close_code::normal, [](error_code) {});
    });
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kGoodbyeTime, [this] { return !failure_.empty(); });
    }
    StopThread();
  }

  void Send(std::string bytes) {
    asio::post(context_, [this, bytes = std::move(bytes)]() mutable {
      outgoing_.push_back(std::move(bytes));
      if (outgoing_.size() == 1) WriteFront();
    });
  }

  std::optional<SocketMessage> Receive(double timeout_s) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, InMilliseconds(timeout_s),
                      [this] { return !incoming_.empty() || !failure_.empty(); });
    if (!incoming_.empty()) {
      SocketMessage message = std::move(incoming_.front());
      incoming_.pop_front();
      incoming_bytes_ -= message.bytes.size();
      return message;
    }
    if (failure_.empty()) return std::nullopt;
    throw IoError({.where = TextOf(url_),
                   .got = "gone: " + failure_,
                   .expected = "a connection that lasts",
                   .fix = "the server's log says why it ended"});
  }

 private:
  // What goes wrong on this thread, out of memory too, is the connection's end, not the program's.
  void Run() {
    try {
      context_.run();
    } catch (const std::exception& error) {
      Fail(error.what());
    }
  }

  void Resolve() {
    resolver_.async_resolve(url_.host, url_.port,
                            [this](error_code error, tcp::resolver::results_type found) {
                              if (error) return Fail(error.message());
                              Connect(found);
                            });
  }

  void Connect(const tcp::resolver::results_type& found) {
    beast::get_lowest_layer(socket_).async_connect(found,
                                                   [this](error_code error, const tcp::endpoint&) {
                                                     if (error) return Fail(error.message());
                                                     Shake();
                                                   });
  }

  void Shake() {
    beast::get_lowest_layer(socket_).socket().set_option(tcp::no_delay(true));
    beast::get_lowest_layer(socket_).expires_never();
    socket_.set_option(websocket::stream_base::timeout{kHandshakeTime, kSilentTime, true});
    socket_.async_handshake(response_, AuthorityOf(url_), url_.path, [this](error_code error) {
      if (error == websocket::error::upgrade_declined) {
        return Fail(std::to_string(response_.result_int()) + " " + std::string(response_.reason()));
      }
      if (error) return Fail(error.message());
      const std::lock_guard lock(mutex_);
      is_open_ = true;
      changed_.notify_all();
      Read();
    });
  }

  void Read() {
    socket_.async_read(buffer_, [this](error_code error, size_t) {
      if (error) return Fail(error.message());
      bool is_flooded = false;
      {
        const std::lock_guard lock(mutex_);
        incoming_.push_back({beast::buffers_to_string(buffer_.data()), socket_.got_text()});
        incoming_bytes_ += incoming_.back().bytes.size();
        changed_.notify_all();
        is_flooded = incoming_.size() > kMaxIncoming || incoming_bytes_ > kMaxIncomingBytes;
      }
      if (is_flooded) {
        Fail("it sends more than it was asked for");
        return beast::get_lowest_layer(socket_).close();
      }
      buffer_.consume(buffer_.size());
      Read();
    });
  }

  void WriteFront() {
    socket_.binary(true);
    socket_.async_write(asio::buffer(outgoing_.front()), [this](error_code error, size_t) {
      if (error) return Fail(error.message());
      outgoing_.pop_front();
      if (!outgoing_.empty()) WriteFront();
    });
  }

  void Fail(const std::string& failure) {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    if (failure_.empty()) failure_ = failure;
    changed_.notify_all();
  }

  void StopThread() {
    context_.stop();
    thread_.join();
  }

  WebSocketUrl url_;
  asio::io_context context_{1};
  tcp::resolver resolver_;
  websocket::stream<beast::tcp_stream> socket_;
  websocket::response_type response_;
  beast::flat_buffer buffer_;
  std::deque<std::string> outgoing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  std::string failure_;  // why it is not, or no more
  std::deque<SocketMessage> incoming_;
  uint64_t incoming_bytes_ = 0;
  std::thread thread_;
};

SocketConnection::SocketConnection(const WebSocketUrl& url, const std::string& api_key,
                                   double timeout_s)
    : socket_(std::make_unique<Socket>(url, api_key, timeout_s)) {}

SocketConnection::~SocketConnection() = default;

void SocketConnection::Send(std::string bytes) { socket_->Send(std::move(bytes)); }

std::optional<SocketMessage> SocketConnection::Receive(double timeout_s) {
  return socket_->Receive(timeout_s);
}

}  // namespace aim

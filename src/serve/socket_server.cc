#include "serve/socket_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <deque>
#include <set>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/wire/api_key.h"
#include "wire/milliseconds.h"

namespace aim {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadAtOnceBytes = size_t{1} << 18;
constexpr size_t kKeptBufferBytes = size_t{1} << 22;
constexpr size_t kSpareFramesOut = 64;  // beside those of the requests that may wait
constexpr size_t kMaxBytesOut = size_t{256} << 20;
constexpr auto kTick = std::chrono::milliseconds(50);
constexpr auto kGoodbyeTime = std::chrono::seconds(2);

class Session;

// What the connections of a server share.
struct ServerState {
  SocketServerOptions options;
  Service& service;
  std::set<std::shared_ptr<Session>> sessions = {};
  int num_clients = 0;
  size_t bytes_held = 0;  // of messages half received and replies not yet taken
};

// One connection: an HTTP request, which may begin a WebSocket. All on the one thread of Run().
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, ServerState& server)
      : socket_(std::move(socket)),
        server_(server),
        read_timer_(socket_.get_executor()),
        write_timer_(socket_.get_executor()) {}

  void Start() {
    beast::get_lowest_layer(socket_).expires_after(InMilliseconds(server_.options.read_timeout_s));
    http::async_read(socket_.next_layer(), buffer_, request_,
                     [self = shared_from_this()](error_code error, size_t) {
                       if (error) return self->End();
                       self->OnRequest();
                     });
  }

  // Tells the client that the server goes, once it has what waits to be sent.
  void SayGoodbye() {
    is_leaving_ = true;
    if (!is_open_) return End();
    if (frames_.empty()) CloseWith(websocket::close_code::going_away);
  }

  // Ends it at once.
  void End() {
    if (std::exchange(ended_, true)) return;
    read_timer_.cancel();
    write_timer_.cancel();
    beast::get_lowest_layer(socket_).close();
    if (is_client_) {
      server_.service.Close(client_);
      --server_.num_clients;
    }
    server_.bytes_held -= bytes_held_;
    server_.sessions.erase(shared_from_this());
  }

 private:
  void OnRequest() {
    // Nothing may follow the request before it is answered.
    if (buffer_.size() > 0) return Respond(http::status::bad_request, "expected a request alone\n");
    const std::string target(request_.target());
    const std::string path = target.substr(0, target.find('?'));
    const auto& options = server_.options;
    const bool is_allowed = options.api_key.empty() ||
                            IsAuthorized(Header(http::field::authorization), options.api_key);
    if (path == "/healthz" || path == "/health") return Respond(http::status::ok, "OK\n");
    if (!is_allowed) {
      return Respond(http::status::unauthorized, "expected Authorization: Api-Key <key>\n");
    }
    if (path == "/metrics") {
      return Respond(http::status::ok, MetricsText(server_.service.Report()));
    }
    const Wire* wire = WireOf(path);
    if (wire == nullptr) return Respond(http::status::not_found, UnknownPathText());
    if (!websocket::is_upgrade(request_)) {
      return Respond(http::status::upgrade_required, "expected a WebSocket here\n");
    }
    // A page in a browser of this machine could reach a server that asks for no key.
    if (options.api_key.empty() && !Header(http::field::origin).empty()) {
      return Respond(http::status::forbidden, "pages of browsers need a server with a key\n");
    }
    if (server_.num_clients >= options.max_clients) {
      return Respond(http::status::service_unavailable, "too many clients\n");
    }
    Accept(*wire);
  }

  std::string Header(http::field field) const { return std::string(request_[field]); }

  const Wire* WireOf(const std::string& path) const {
    if (path == "/") return server_.options.root_wire;
    for (const Wire& wire : AllWires()) {
      if (wire.path == path) return &wire;
    }
    return nullptr;
  }

  static std::string UnknownPathText() {
    std::string text = "nothing here; there are / /healthz /metrics";
    for (const Wire& wire : AllWires()) text += " " + wire.path;
    return text + "\n";
  }

  void Respond(http::status status, const std::string& body) {
    auto response = std::make_shared<http::response<http::string_body>>(status, request_.version());
    response->set(http::field::server, "aim");
    response->set(http::field::content_type, "text/plain; charset=utf-8");
    response->keep_alive(false);
    response->body() = body;
    response->prepare_payload();
    http::async_write(socket_.next_layer(), *response,
                      [self = shared_from_this(), response](error_code, size_t) { self->End(); });
  }

  void Accept(const Wire& wire) {
    is_client_ = true;
    ++server_.num_clients;
    beast::get_lowest_layer(socket_).expires_never();
    socket_.set_option(
        websocket::stream_base::timeout{InMilliseconds(server_.options.read_timeout_s),
                                        InMilliseconds(server_.options.idle_timeout_s), true});
    socket_.set_option(websocket::stream_base::decorator(
        [](websocket::response_type& response) { response.set(http::field::server, "aim"); }));
    socket_.read_message_max(server_.service.options().max_message_bytes);
    socket_.async_accept(request_, [self = shared_from_this(), &wire](error_code error) {
      if (error) return self->End();
      self->OnOpen(wire);
    });
  }

  void OnOpen(const Wire& wire) {
    is_open_ = true;
    client_ = server_.service.Open(
        wire, [weak = weak_from_this(), executor = socket_.get_executor()](WireFrame frame) {
          asio::post(executor, [weak, frame = std::move(frame)]() mutable {
            if (const auto self = weak.lock()) self->Enqueue(std::move(frame));
          });
        });
    Read();
  }

  void Read() {
    socket_.async_read_some(buffer_, kReadAtOnceBytes,
                            [self = shared_from_this()](error_code error, size_t) {
                              if (error) return self->End();
                              self->OnRead();
                            });
  }

  void OnRead() {
    if (ended_) return;
    if (!socket_.is_message_done()) {
      if (!std::exchange(is_reading_, true)) Limit(read_timer_, server_.options.read_timeout_s);
      if (HoldsTooMuch()) return End();
      return Read();
    }
    is_reading_ = false;
    Unlimit(read_timer_);
    const auto bytes = buffer_.cdata();
    if (is_open_) {  // what comes behind its end is not planned
      server_.service.Receive(client_, {static_cast<const char*>(bytes.data()), bytes.size()},
                              socket_.got_text());
    }
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > kKeptBufferBytes) buffer_.shrink_to_fit();
    if (HoldsTooMuch()) return End();
    Read();
  }

  void CountHeld() {
    const size_t before = std::exchange(bytes_held_, buffer_.capacity() + bytes_out_);
    server_.bytes_held += bytes_held_ - before;
  }

  // Together connections may hold as much as the requests that wait; one alone has bounds of its
  // own.
  bool HoldsTooMuch() {
    CountHeld();
    if (server_.bytes_held <= server_.service.options().max_waiting_bytes) return false;
    if (server_.bytes_held == bytes_held_ || bytes_held_ <= kKeptBufferBytes) return false;
    LogWarning("a client is cut off: all together hold " + std::to_string(server_.bytes_held) +
               " bytes of messages half sent and replies not taken");
    return true;
  }

  // Ends the connection unless the timer is cancelled within the time.
  void Limit(asio::steady_timer& timer, double seconds) {
    timer.expires_after(InMilliseconds(seconds));
    timer.async_wait([weak = weak_from_this(), &timer](error_code error) {
      if (error || weak.expired()) return;                                 // cancelled
      if (timer.expiry() > asio::steady_timer::clock_type::now()) return;  // while this waited
      if (const auto self = weak.lock()) self->End();
    });
  }

  // Also where the time is up in this same turn.
  static void Unlimit(asio::steady_timer& timer) {
    timer.expires_at(asio::steady_timer::time_point::max());
  }

  void Enqueue(WireFrame frame) {
    if (ended_ || !is_open_) return;
    bytes_out_ += frame.bytes.size();
    frames_.push_back(std::move(frame));
    const auto most = static_cast<size_t>(server_.service.options().max_waiting) + kSpareFramesOut;
    if (frames_.size() > most || (frames_.size() > 1 && bytes_out_ > kMaxBytesOut)) {
      LogWarning("a client that takes no replies is cut off");
      return End();
    }
    if (HoldsTooMuch()) return End();
    if (frames_.size() == 1) WriteFront();
  }

  void WriteFront() {
    Limit(write_timer_, server_.options.write_timeout_s);
    socket_.text(frames_.front().is_text);
    socket_.async_write(asio::buffer(frames_.front().bytes),
                        [self = shared_from_this()](error_code error, size_t) {
                          if (error) return self->End();
                          self->OnWritten();
                        });
  }

  void OnWritten() {
    Unlimit(write_timer_);
    const bool closes = frames_.front().closes;
    bytes_out_ -= frames_.front().bytes.size();
    frames_.pop_front();
    CountHeld();
    if (closes) return CloseWith(websocket::close_code::internal_error);
    if (!is_open_) return;
    if (!frames_.empty()) return WriteFront();
    if (is_leaving_) CloseWith(websocket::close_code::going_away);
  }

  void CloseWith(websocket::close_code code) {
    if (!std::exchange(is_open_, false)) return;
    socket_.async_close(code, [self = shared_from_this()](error_code) { self->End(); });
  }

  websocket::stream<beast::tcp_stream> socket_;
  ServerState& server_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  asio::steady_timer read_timer_;
  asio::steady_timer write_timer_;
  std::deque<WireFrame> frames_;
  size_t bytes_out_ = 0;   // of frames_
  size_t bytes_held_ = 0;  // as the server counts them
  uint64_t client_ = 0;
  bool is_client_ = false;   // counted as one
  bool is_open_ = false;     // the WebSocket is, and is not being closed
  bool is_leaving_ = false;  // the server ends
  bool is_reading_ = false;  // a message has begun and not ended
  bool ended_ = false;
};

tcp::endpoint EndpointOf(const SocketServerOptions& options, asio::io_context& context) {
  tcp::resolver resolver(context);
  error_code error;
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  // A name such as localhost may be both; clients mostly say 127.0.0.1.
  for (const auto& entry : found) {
    if (!error && entry.endpoint().protocol() == tcp::v4()) return entry.endpoint();
  }
  if (!error && !found.empty()) return found.begin()->endpoint();
  throw ConfigError({.where = "--host",
                     .got = '"' + options.host + '"',
                     .expected = "an address or name of this machine",
                     .fix = "127.0.0.1 serves this machine alone, 0.0.0.0 every network"});
}

}  // namespace

class SocketServer::Sockets {
 public:
  Sockets(const SocketServerOptions& options, Service& service)
      : state_{.options = options, .service = service},
        acceptor_(context_),
        tick_(context_),
        retry_(context_) {
    const tcp::endpoint endpoint = EndpointOf(options, context_);
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return;
    const bool is_taken = error == asio::error::address_in_use;
    throw ConfigError({.where = is_taken ? "--port" : "--host and --port",
                       .got = options.host + ":" + std::to_string(options.port) +
                              (is_taken ? ", where something listens already"
                                        : ", which cannot be used: " + error.message()),
                       .expected = "a free port of this machine",
                       .fix = "choose another --port; 0 takes one that is free"});
  }

  // Nothing is sent into a context that is gone, whatever ended Run().
  ~Sockets() { state_.service.Stop(); }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  int port() const { return acceptor_.local_endpoint().port(); }

  void Run(const std::function<bool()>& stop) {
    AcceptNext();
    Tick(stop);
    context_.run();
    state_.service.Stop();  // nothing is sent from here on
  }

 private:
  void AcceptNext() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {  // out of descriptors: some will be free again
        LogWarning("no connection was accepted: " + error.message());
        retry_.expires_after(std::chrono::milliseconds(200));
        retry_.async_wait([this](error_code cancelled) {
          if (!cancelled) AcceptNext();
        });
        return;
      }
      // Those that never say what they want hold a place for the read timeout at most.
      if (static_cast<int>(state_.sessions.size()) < 4 * state_.options.max_clients) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        const auto session = std::make_shared<Session>(std::move(socket), state_);
        state_.sessions.insert(session);
        session->Start();
      }
      AcceptNext();
    });
  }

  void Tick(const std::function<bool()>& stop) {
    tick_.expires_after(kTick);
    tick_.async_wait([this, &stop](error_code) {
      state_.service.RefuseLate(Service::Clock::now());
      if (!draining_ && stop()) BeginDrain();
      if (draining_ && (state_.service.IsIdle() || Service::Clock::now() >= drain_end_)) {
        state_.service.RefuseWaiting();
        // Behind the last replies, which the service has posted.
        return asio::post(context_, [this] { SayGoodbye(); });
      }
      Tick(stop);
    });
  }

  void BeginDrain() {
    draining_ = true;
    drain_end_ = Service::Clock::now() + InMilliseconds(state_.options.drain_timeout_s);
    LogInfo("ending; plans under way are finished");
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    state_.service.Drain();
  }

  // Run() ends with the last connection.
  void SayGoodbye() {
    const auto sessions = state_.sessions;  // ending takes them out
    for (const auto& session : sessions) session->SayGoodbye();
    WaitForGoodbyes(Service::Clock::now() + kGoodbyeTime);
  }

  // Those that do not answer are cut off.
  void WaitForGoodbyes(Service::Clock::time_point end) {
    if (state_.sessions.empty()) return;
    if (Service::Clock::now() >= end) {
      const auto left = state_.sessions;
      for (const auto& session : left) session->End();
      return;
    }
    tick_.expires_after(kTick);
    tick_.async_wait([this, end](error_code) { WaitForGoodbyes(end); });
  }

  asio::io_context context_{1};
  ServerState state_;
  tcp::acceptor acceptor_;
  asio::steady_timer tick_;
  asio::steady_timer retry_;
  bool draining_ = false;
  Service::Clock::time_point drain_end_;
};

SocketServer::SocketServer(const SocketServerOptions& options, Service& service)
    : sockets_(std::make_unique<Sockets>(options, service)) {}

SocketServer::~SocketServer() = default;

int SocketServer::port() const { return sockets_->port(); }

void SocketServer::Run(const std::function<bool()>& stop) { sockets_->Run(stop); }

}  // namespace aim

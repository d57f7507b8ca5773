// A policy server of a test.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "aim/base/run_context.h"
#include "aim/serve/run_serve.h"
#include "serve/gated_policy.h"
#include "serve/raw_socket.h"

namespace aim::testing {

inline constexpr PolicyNeeds kNeeds = {
    .image_size = 16, .frame_period_s = 0.25, .num_views = 2, .num_frames = 3};

// RunServe in a thread of its own, on a port that is free.
class RunningServer {
 public:
  explicit RunningServer(Gate& gate, ServeOptions options = {}, PolicyNeeds needs = kNeeds) {
    options.model.model = "gated";
    if (options.port == 8000) options.port = 0;
    std::promise<int> port;
    ServeParts parts;
    parts.make_model = [&gate, needs] {
      return ServedModel{std::make_unique<GatedPolicy>(gate, needs), nullptr};
    };
    parts.on_listening = [&port](int number) { port.set_value(number); };
    thread_ = std::thread([this, options, parts] { report_ = RunServe(options, run_, parts); });
    port_ = port.get_future().get();
  }
  ~RunningServer() { Stop(); }

  int port() const { return port_; }
  std::string url() const { return "ws://127.0.0.1:" + std::to_string(port_); }
  std::string Metrics() const { return RawSocket(port_).Get("/metrics"); }
  // Until /metrics has that line.
  void WaitForMetric(const std::string& line) const {
    while (Metrics().find(line + "\n") == std::string::npos) {
    }
  }
  void RequestStop() { run_.RequestStop(); }
  ServeReport Stop() {
    run_.RequestStop();
    if (thread_.joinable()) thread_.join();
    return report_;
  }

 private:
  RunContext run_;
  ServeReport report_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace aim::testing

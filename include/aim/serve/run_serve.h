// The policy server: one WebSocket port, a policy behind it. docs/serving.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/control/clip_jobs.h"
#include "aim/recipe/model_options.h"
#include "aim/serve/serve_report.h"
#include "aim/wire/wire.h"

namespace aim {

// What a server waits for, and how much it takes.
struct ServeLimits {
  double plan_s = 120;
  double idle_s = 40;
  double read_s = 20;
  double write_s = 20;
  double drain_s = 60;
  int clients = 64;
  int waiting = 4;
  int waiting_mib = 1024;
  int message_mib = 64;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("plan_s", self.plan_s, Range{0.01, 86400},
          "seconds from a request to its plan; then it is refused");
    visit("idle_s", self.idle_s, Range{0.1, 86400},
          "seconds of silence, pings unanswered, that end a connection");
    visit("read_s", self.read_s, Range{0.1, 86400},
          "seconds from the first byte of a message to its last");
    visit("write_s", self.write_s, Range{0.1, 86400}, "seconds a client has to take a reply");
    visit("drain_s", self.drain_s, Range{0, 86400},
          "seconds that plans under way have when the server is to end; the one being computed is "
          "finished all the same");
    visit("clients", self.clients, Range{1, 1024}, "connections at a time");
    visit("waiting", self.waiting, Range{1, 1024}, "requests of one client that may wait");
    visit("waiting_mib", self.waiting_mib, Range{1, 1 << 20},
          "of all requests that wait, MiB; beyond it one alone is taken. As much again may be "
          "half received or not taken by its client");
    visit("message_mib", self.message_mib, Range{1, 2047}, "largest message, MiB");
  }
};

struct ServeOptions {
  ModelOptions model;
  std::string mode = "i2a";
  double budget_ms = 0;
  std::string host = "127.0.0.1";
  int port = 8000;
  std::string api_key_file;
  std::string wire = "openpi";
  std::vector<std::string> views;
  std::string cameras;
  bool stretched = false;
  double min_confidence = 0;
  double action_hz = 0;
  int chunk = 0;
  int max_batch = 1;
  ServeLimits limits;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("mode", self.mode, Limits{"i2a", "i2va"},
          "what the model generates: act, or imagine and act");
    visit("budget_ms", self.budget_ms, Range{0, 1e6},
          "milliseconds that a plan may take: steps, cache and mode are chosen to meet it by what "
          "they take "
          "here, and named in the log; 0 = as the options say");
    visit("host", self.host, Any{},
          "address to listen at; 0.0.0.0 is every network, and wants a key");
    visit("port", self.port, Range{0, 65535}, "port to listen at; 0 = one that is free");
    visit("api_key_file", self.api_key_file, Any{},
          "file with the key that clients must send: Authorization: Api-Key <key>");
    visit("wire", self.wire, Limits(WireNames()),
          "what ws://HOST:PORT/ speaks; each has a path of its own as well");
    visit("views", self.views, Any{},
          "pictures that are the views of the model, in this order, repeatable or with commas; "
          "none: all "
          "with a camera");
    visit("cameras", self.cameras, Any{},
          "cameras.json for pictures that come without calibration, called as they are");
    visit("stretched", self.stretched, Any{},
          "clients squeeze the whole picture of those cameras into another shape");
    visit("min_confidence", self.min_confidence, Range{0, 1},
          "actions of frames below it repeat the one before");
    visit("action_hz", self.action_hz, Range{0, 1000},
          "of clients that are told no rate (roboarena, vllm-omni, vla-eval): actions a second, to "
          "which plans are interpolated; 0 = the plan's");
    visit("chunk", self.chunk, Range{0, 100000},
          "of those: actions of a plan, after which they ask for the next one; 0 = all");
    visit(
        "max_batch", self.max_batch, Range{1, 256},
        "plans that wait at the same time and are made in one pass of the network; with more than "
        "1, what waits beside a request may change the last bits of its plan");
    ModelOptions::ForEachField(self.model, visit);
    visit("limits", self.limits, Any{}, "");
  }
  void Validate() const;  // throws ConfigError
};

// How a server gets what it does not know.
struct ServeParts {
  std::function<ServedModel()> make_model;
  // Told the port once clients are taken.
  std::function<void(int port)> on_listening;
};

// Serves until run.stop_requested(), then answers what it accepted and returns, the run marked as
// unfinished. Writes no files. Throws ConfigError, InputError before the first client; what a
// client does wrong is its own refusal.
ServeReport RunServe(const ServeOptions& options, RunContext& run, const ServeParts& parts);

}  // namespace aim

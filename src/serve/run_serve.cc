#include "aim/serve/run_serve.h"

#include <filesystem>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/log.h"
#include "aim/base/name_list.h"
#include "aim/base/normal_path.h"
#include "aim/base/parse_json.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/wire/api_key.h"
#include "serve/service.h"
#include "serve/socket_server.h"
#include "wire/url_host.h"

namespace aim {
namespace {

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

SocketServerOptions SocketOptions(const ServeOptions& options) {
  const ServeLimits& limits = options.limits;
  SocketServerOptions sockets{.host = options.host,
                              .port = options.port,
                              .api_key = "",
                              .root_wire = &FindWire(options.wire),
                              .max_clients = limits.clients,
                              .idle_timeout_s = limits.idle_s,
                              .read_timeout_s = limits.read_s,
                              .write_timeout_s = limits.write_s,
                              .drain_timeout_s = limits.drain_s};
  if (!options.api_key_file.empty()) sockets.api_key = ReadApiKey(options.api_key_file);
  if (sockets.api_key.empty() && !IsLoopback(options.host)) {
    LogWarning("--host " + options.host +
               " without --api-key-file: whoever reaches this machine can use the model");
  }
  return sockets;
}

ViewOptions ViewsOf(const ServeOptions& options) {
  ViewOptions views{.views = options.views, .cameras = {}, .stretched = options.stretched};
  if (!options.cameras.empty()) views.cameras = ReadCamerasJson(options.cameras);
  for (const CameraTrack& camera : views.cameras) {
    if (camera.frames.size() == 1) continue;
    throw InputError({.where = options.cameras + ": view " + camera.name,
                      .got = "one camera a frame",
                      .expected = "one that stands still",
                      .fix = "let the clients send the calibration of cameras that move"});
  }
  return views;
}

// Of all that its plans depend on, beside the requests. Where the bundle lies and how much memory
// it may take is not part of that.
std::string FingerprintOf(const ServeOptions& options, const std::string& identity) {
  nlohmann::json facts = OptionsToJson(options.model);
  for (const char* free : {"model", "offload", "text_cache", "vae"}) facts.erase(free);
  facts["content"] = FileStamp(options.model.model);
  facts["mode"] = options.mode;
  if (!identity.empty()) facts["within_budget"] = identity;
  facts["views"] = SplitNames(options.views);
  facts["stretched"] = options.stretched;
  facts["min_confidence"] = options.min_confidence;
  if (!options.cameras.empty()) facts["cameras"] = FileStamp(options.cameras);
  return HexText(StableHash(DumpJson(facts)));
}

}  // namespace

void ServeOptions::Validate() const {
  CheckRanges(*this);
  if (!stretched || !cameras.empty()) return;
  throw ConfigError({.where = "stretched",
                     .got = "given without cameras",
                     .expected = "--cameras, whose pictures are squeezed",
                     .fix = ""});
}

ServeReport RunServe(const ServeOptions& options, RunContext& run, const ServeParts& parts) {
  if (!run.out().empty()) {
    throw ConfigError({.where = "--out",
                       .got = "given",
                       .expected = "none: a server writes no files",
                       .fix = "its report goes to stdout when it ends"});
  }
  ViewOptions views = ViewsOf(options);
  if (options.cameras.empty() && options.wire != "openpi") {
    LogWarning("clients that speak " + options.wire +
               " usually send no calibration: without --cameras they are refused");
  }
  const SocketServerOptions sockets = SocketOptions(options);
  ServedModel model = parts.make_model();
  const std::string fingerprint = FingerprintOf(options, model.policy->Identity());
  Service service(std::make_unique<Planner>(std::move(model), std::move(views),
                                            ActionOptions{.min_confidence = options.min_confidence,
                                                          .action_hz = options.action_hz,
                                                          .chunk = options.chunk}),
                  {.policy_name = NormalPath(options.model.model).filename(),
                   .fingerprint = fingerprint,
                   .seed = run.seed(),
                   .plan_timeout_s = options.limits.plan_s,
                   .max_waiting = options.limits.waiting,
                   .max_batch = options.max_batch,
                   .max_waiting_bytes = static_cast<uint64_t>(options.limits.waiting_mib) << 20,
                   .max_message_bytes = static_cast<uint64_t>(options.limits.message_mib) << 20});
  SocketServer server(sockets, service);
  LogInfo("listening on ws://" + UrlHost(options.host) + ":" + std::to_string(server.port()) +
          " (" + options.wire + ")");
  if (parts.on_listening) parts.on_listening(server.port());
  server.Run([&run] { return run.stop_requested(); });
  run.MarkUnfinished();
  return service.Report();
}

}  // namespace aim

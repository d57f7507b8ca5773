// The wires that a policy server speaks: each turns the bytes of a message into a typed request and
// a typed reply into bytes. One file a wire, one row a wire in the table that AllWires() returns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/wire/policy_message.h"

namespace aim {

// One message of a WebSocket.
struct WireFrame {
  std::string bytes;
  bool is_text = false;
  bool closes = false;  // the connection ends behind it, with code 1011
};

struct Wire {
  std::string name;
  std::string path;  // of the URL that speaks it

  // The frame that a server begins with; none where clients speak first.
  std::optional<WireFrame> (*greet)(const ServedPolicy& policy);
  // Fills in the request as far as it can be read, its id before anything that may be wrong.
  // Everything is checked: types, shapes, byte counts, finite numbers, rotations, and that the
  // sign of the focal lengths and the camera convention agree. Unknown keys are passed over.
  // Throws InputError that names the key.
  void (*read)(std::string_view message, PolicyRequest& request);
  // Of a text message, on a wire whose messages are binary: whether it is passed over.
  bool ignores_text;
  WireFrame (*answer)(const PolicyRequest& request, const PolicyReply& reply);
  // Of what is no plan; none where nothing is expected.
  std::optional<WireFrame> (*acknowledge)(const PolicyRequest& request);
  WireFrame (*refuse)(const PolicyRequest& request, const PolicyFault& fault);
};

// openpi, roboarena, vllm-omni, vla-eval.
const std::vector<Wire>& AllWires();
std::vector<std::string> WireNames();

// Throws ConfigError naming the wires there are.
const Wire& FindWire(const std::string& name);

}  // namespace aim

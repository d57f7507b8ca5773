// A policy that runs elsewhere: behind aim-serve, asked over a WebSocket. No torch.
#pragma once

#include <memory>
#include <string>

#include "aim/control/policy.h"
#include "aim/wire/policy_message.h"

namespace aim {

struct PolicyClientOptions {
  std::string url;                // ws://host:port, or ws://host:port/path
  std::string api_key = {};       // empty: none is sent
  double connect_timeout_s = 10;  // of one attempt
  double reply_timeout_s = 120;  // for a plan, from the request to the reply, all attempts together
  double first_pause_s = 0.1;    // before asking again; then twice as long each time, 5 s at most
};

// Connects when it is made, once, and again when the connection is lost or the server has no time:
// a request is repeated with its id until its time is over, so that nothing is planned twice. The
// same seed and the same inputs give the same plans as the policy behind the server gives at home,
// to the rounding of poses and cameras. For one thread.
class PolicyClient : public Policy {
 public:
  // Throws ConfigError for an URL that is none, IoError if nothing answers there or the key is not
  // taken, FormatError if what answers is no server of this protocol, or one of another major
  // version.
  explicit PolicyClient(PolicyClientOptions options);
  ~PolicyClient() override;

  const ServedPolicy& served() const;
  PolicyNeeds Needs() const override;
  std::string Identity() const override { return IdentityOf(served()); }

  // Begins a trial on the server, too.
  void Reset(uint64_t seed) override;

  // Throws InputError with the server's sentence where it refuses the request, IoError where no
  // plan came in time or the server is gone, ConfigError where another policy is behind the server
  // than when this client was made.
  Plan Act(const Clip& seen, const PlanRequest& request) override;

 private:
  class Exchange;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace aim

#include "aim/wire/policy_client.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "wire/client_messages.h"
#include "wire/milliseconds.h"
#include "wire/socket_connection.h"

namespace aim {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kLongestPauseS = 5;

double SecondsUntil(SteadyClock::time_point end) {
  return std::max(0.0, std::chrono::duration<double>(end - SteadyClock::now()).count());
}

// Ids of two clients of one server must differ; plans do not depend on them.
std::string RandomName() {
  std::random_device device;
  return HexText(uint64_t{device()} << 32 | device());
}

IoError NoPlan(const std::string& url, const std::string& why) {
  return IoError(
      {.where = url, .got = "without a plan: " + why, .expected = "one in time", .fix = ""});
}

}  // namespace

class PolicyClient::Exchange {
 public:
  explicit Exchange(PolicyClientOptions options)
      : options_(std::move(options)),
        url_(ParseWebSocketUrl(options_.url, "policy server")),
        name_(RandomName()) {
    Connect(options_.connect_timeout_s);
  }

  const ServedPolicy& served() const { return served_; }

  void Reset(uint64_t seed) {
    ++num_trials_;
    const RequestIds ids = NextIds();
    Ask(ResetMessage(seed, ids), ids.request_id, {});
  }

  Plan Act(const Clip& seen, const PlanRequest& request) {
    const RequestIds ids = NextIds();
    const std::string message = PlanMessage(seen, request, ids);
    if (served_.max_message_bytes > 0 && message.size() > served_.max_message_bytes) {
      throw InputError({.where = "observation",
                        .got = std::to_string(message.size()) + " bytes as a message",
                        .expected = "at most " + std::to_string(served_.max_message_bytes),
                        .fix = "resize the pictures to what the model needs"});
    }
    Plan plan = Ask(message, ids.request_id, seen.poses[0]);
    if (plan.frames.empty()) throw NoPlan(options_.url, "the server sent something else");
    return plan;
  }

 private:
  RequestIds NextIds() {
    return {name_ + "-" + std::to_string(++num_requests_),
            name_ + "-trial" + std::to_string(num_trials_)};
  }

  void Connect(double timeout_s) {
    auto connection = std::make_unique<SocketConnection>(url_, options_.api_key, timeout_s);
    const auto greeting = connection->Receive(timeout_s);
    if (!greeting || greeting->is_text) {
      throw FormatError({.where = options_.url,
                         .got = greeting ? Excerpt(greeting->bytes) : "no greeting",
                         .expected = "what a policy server says of itself",
                         .fix = "point the URL at aim-serve, with its wire openpi"});
    }
    const ServedPolicy served = ReadGreeting(greeting->bytes);
    if (!identity_.empty() && IdentityOf(served) != identity_) {
      throw ConfigError({.where = options_.url,
                         .got = "serving " + IdentityOf(served) + " now",
                         .expected = identity_ + ", as when this began",
                         .fix = "start that one there again, or begin anew"});
    }
    identity_ = IdentityOf(served);
    served_ = served;
    connection_ = std::move(connection);
  }

  // Sends until there is an answer that is one, or the time is over.
  Plan Ask(const std::string& message, const std::string& request_id, const ToolPose& present) {
    const auto end = SteadyClock::now() + InMilliseconds(options_.reply_timeout_s);
    double pause_s = options_.first_pause_s;
    while (true) {
      ServerAnswer answer;
      std::string trouble;
      try {
        answer = AskOnce(message, request_id, present, end);
      } catch (const IoError& error) {
        connection_.reset();
        if (SecondsUntil(end) <= pause_s) throw;
        trouble = error.what();
      }
      if (answer.fault) {
        if (!answer.fault->is_retryable()) ThrowFault(*answer.fault);
        trouble = answer.fault->message;
        if (SecondsUntil(end) <= pause_s) throw NoPlan(options_.url, trouble);
      }
      if (trouble.empty()) return answer.plan;
      LogWarning("asking again in " + ToText(pause_s) + " s: " + trouble);
      std::this_thread::sleep_for(InMilliseconds(pause_s));
      pause_s = std::min(2 * pause_s, kLongestPauseS);
    }
  }

  ServerAnswer AskOnce(const std::string& message, const std::string& request_id,
                       const ToolPose& present, SteadyClock::time_point end) {
    if (connection_ == nullptr) {
      Connect(std::min(options_.connect_timeout_s, SecondsUntil(end)));
    }
    connection_->Send(message);
    while (const auto received = connection_->Receive(SecondsUntil(end))) {
      if (received->is_text) throw NoPlan(options_.url, Excerpt(received->bytes));
      // Answers to requests before it, which came too late, are passed over.
      if (auto answer = ReadAnswer(received->bytes, request_id, present)) return *answer;
    }
    throw NoPlan(options_.url, "the time is over");
  }

  [[noreturn]] void ThrowFault(const PolicyFault& fault) const {
    const Problem problem = {.where = options_.url,
                             .got = "refusing the request (" + ToWord(fault.code) + ")",
                             .expected = "one that it takes",
                             .fix = fault.message};
    if (fault.code == FaultCode::kBadRequest) throw InputError(problem);
    throw IoError(problem);
  }

  PolicyClientOptions options_;
  WebSocketUrl url_;
  std::string name_;
  ServedPolicy served_;
  std::string identity_;  // of what was served first; empty before
  std::unique_ptr<SocketConnection> connection_;
  int64_t num_requests_ = 0;
  int64_t num_trials_ = 0;
};

PolicyClient::PolicyClient(PolicyClientOptions options)
    : exchange_(std::make_unique<Exchange>(std::move(options))) {}

PolicyClient::~PolicyClient() = default;

const ServedPolicy& PolicyClient::served() const { return exchange_->served(); }

PolicyNeeds PolicyClient::Needs() const {
  const ServedPolicy& served = exchange_->served();
  return {.image_size = served.image_width,
          .frame_period_s = served.period_s,
          .num_views = served.num_views,
          .num_frames = served.num_actions > 0 ? served.num_actions + 1 : 0};
}

void PolicyClient::Reset(uint64_t seed) { exchange_->Reset(seed); }

Plan PolicyClient::Act(const Clip& seen, const PlanRequest& request) {
  return exchange_->Act(seen, request);
}

}  // namespace aim

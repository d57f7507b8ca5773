// The policy server without its sockets: messages of clients in, messages to them out.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "aim/serve/serve_report.h"
#include "aim/wire/wire.h"
#include "serve/fair_queue.h"
#include "serve/planner.h"

namespace aim {

struct ServiceOptions {
  std::string policy_name;
  std::string fingerprint = {};
  uint64_t seed = 0;            // of clients that send none
  double plan_timeout_s = 120;  // from a request to its plan
  int max_waiting = 4;          // requests of one client
  int max_batch = 1;            // plans that are made together
  // Of all requests on their way together; a request is taken where none is, whatever its size.
  uint64_t max_waiting_bytes = uint64_t{1} << 30;
  uint64_t max_message_bytes = 64 << 20;
};

// One thread plans, a client after another, or for several that wait at once. Thread-safe.
class Service {
 public:
  using Clock = std::chrono::steady_clock;
  // Called from any thread, and never after Stop().
  using Send = std::function<void(WireFrame)>;

  Service(std::unique_ptr<Planner> planner, const ServiceOptions& options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const ServiceOptions& options() const { return options_; }

  // A client is there: it is greeted, and known by the number returned.
  uint64_t Open(const Wire& wire, Send send);
  // Whatever it sends is answered, sooner or later, and never thrown at.
  void Receive(uint64_t client, std::string_view message, bool is_text);
  // It is gone: what it waited for is not planned any more, unless that has begun.
  void Close(uint64_t client);

  // Refuses what has waited too long; to be called a few times a second.
  void RefuseLate(Clock::time_point now);

  // From now on requests for plans are refused; those accepted are still answered.
  void Drain();
  bool IsIdle() const;
  // Nobody is answered any more but to be told so.
  void RefuseWaiting();
  // Ends the thread once its plan is made; refuses what waits.
  void Stop();

  ServeReport Report() const;

 private:
  struct Client {
    const Wire* wire = nullptr;
    Send send;
    uint64_t seed = 0;
    std::string episode_id;
    int num_plans = 0;  // since the trial began
    std::optional<double> prev_total_ms;
    std::deque<ToolPose> actions_left = {};  // of a client that takes one at a time
  };

  // A request for a plan on its way.
  struct Pending {
    uint64_t client = 0;
    PolicyRequest request;
    PlanRequest plan_request;
    std::string key;          // of the answer in the store; empty without an id
    uint64_t size_bytes = 0;  // of its message
    Clock::time_point received;
    bool answered = false;
    bool planning = false;
    bool is_alone = false;  // another job than to plan
  };
  using PendingPtr = std::shared_ptr<Pending>;

  struct Stored {
    std::string key;
    PolicyReply reply;
    size_t size_bytes = 0;
  };

  void Work();
  void PlanTogether(const std::vector<PendingPtr>& popped);
  void Settle(const PendingPtr& pending, PlanOutcome outcome);
  void Settle(const PendingPtr& pending, const PolicyReply& reply);
  void Settle(const PendingPtr& pending, const PolicyFault& fault);
  // The rest holds mutex_.
  // `request` is taken once nothing can fail any more.
  void AcceptPlan(uint64_t id, Client& client, PolicyRequest& request, std::string_view message);
  // The answer to the request of that key; null without a key or an answer.
  const Stored* FindStored(const std::string& key) const;
  // Whether there is something left to plan; if so, it has begun.
  bool BeginPlan(Pending& pending);
  // A request that has been answered since it came, by the plan of the same one.
  bool AnswerFromStore(Pending& pending);
  bool AnswerAgain(uint64_t id, Client& client, const PolicyRequest& request,
                   const std::string& key);
  // Why there is no room for a request of that size; nothing if there is.
  std::optional<PolicyFault> Crowded(uint64_t id, uint64_t size_bytes) const;
  static void Forget(Pending& pending);
  void ForgetAll(uint64_t id);
  void Store(const std::string& key, const PolicyReply& reply);
  void Refuse(const Client& client, const PolicyRequest& request, const PolicyFault& fault);
  // Marks it as answered once its frame is made: what fails before can still be refused.
  void SendReply(Client& client, Pending& pending, PolicyReply reply);
  static void SendNextAction(Client& client, const PolicyRequest& request);
  void BeginTrial(Client& client, const PolicyRequest& request) const;

  std::unique_ptr<Planner> planner_;  // of the thread alone
  ServiceOptions options_;
  ServedPolicy served_;
  FairQueue<PendingPtr> queue_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Client> clients_;
  uint64_t last_client_ = 0;
  std::list<PendingPtr> pending_;
  std::deque<Stored> store_;  // the newest last
  size_t stored_bytes_ = 0;
  bool draining_ = false;
  ServeReport report_;
  std::thread thread_;
};

}  // namespace aim

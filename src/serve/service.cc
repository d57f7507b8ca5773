#include "serve/service.h"

#include <algorithm>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr size_t kMaxStored = 256;                    // answers, some kilobytes each,
constexpr size_t kMaxStoredBytes = size_t{64} << 20;  // unless they have videos

double SecondsBetween(Service::Clock::time_point from, Service::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// What tells a request that is sent again: its id, every byte of it and the seed that it leaves to
// the trial, on the same wire.
std::string StoreKey(const Wire& wire, const PolicyRequest& request, std::string_view message,
                     uint64_t trial_seed) {
  if (request.request_id.empty()) return "";
  return wire.name + "/" + HexText(StableHash(message, message.size())) + "/" +
         std::to_string(request.seed.value_or(trial_seed)) + "/" + request.request_id;
}

size_t BytesOf(const PolicyReply& reply) {
  size_t bytes = 256 * reply.plan.frames.size();  // about
  for (const SentPicture& video : reply.videos) bytes += video.rgb.size();
  return bytes;
}

ServedPolicy Describe(const Planner& planner, const ServiceOptions& options) {
  const PolicyNeeds& needs = planner.needs();
  return {.name = options.policy_name,
          .fingerprint = options.fingerprint,
          .num_views = needs.num_views,
          .image_width = needs.image_size,
          .image_height = needs.image_size,
          .num_actions = std::max(0, needs.num_frames - 1),
          .period_s = needs.frame_period_s,
          .num_untimed_actions = planner.NumUntimedActions(),
          .jobs = planner.jobs(),
          .max_message_bytes = options.max_message_bytes};
}

}  // namespace

Service::Service(std::unique_ptr<Planner> planner, const ServiceOptions& options)
    : planner_(std::move(planner)),
      options_(options),
      served_(Describe(*planner_, options)),
      thread_([this] { Work(); }) {}

Service::~Service() { Stop(); }

uint64_t Service::Open(const Wire& wire, Send send) {
  const std::lock_guard lock(mutex_);
  if (auto greeting = wire.greet(served_)) send(std::move(*greeting));
  const uint64_t id = ++last_client_;
  clients_[id] = {.wire = &wire,
                  .send = std::move(send),
                  .seed = options_.seed,
                  .episode_id = "",
                  .num_plans = 0,
                  .prev_total_ms = {},
                  .actions_left = {}};
  ++report_.clients;
  return id;
}

void Service::Receive(uint64_t id, std::string_view message, bool is_text) {
  PolicyRequest request;
  std::optional<PolicyFault> fault;
  const Wire* wire = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    wire = found->second.wire;
  }
  if (is_text) {
    if (wire->ignores_text) return;
    fault = {FaultCode::kBadRequest, "the message is text; expected binary msgpack"};
  } else {
    try {
      wire->read(message, request);
    } catch (const InputError& error) {
      fault = {FaultCode::kBadRequest, error.what()};
    } catch (const std::exception& error) {  // out of memory, a fault of ours
      LogError(std::string("a message could not be read: ") + error.what());
      fault = {FaultCode::kInternal, "the message could not be read; the server's log says how"};
    }
  }
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  try {
    if (fault) {
      Refuse(client, request, *fault);
    } else if (request.kind == RequestKind::kPlan) {
      AcceptPlan(id, client, request, message);
    } else {
      if (request.kind == RequestKind::kReset) {
        // A client that counts on the next answer to be to its next question must get no late one.
        if (request.one_action) ForgetAll(id);
        BeginTrial(client, request);
      }
      if (auto frame = wire->acknowledge(request)) client.send(std::move(*frame));
    }
  } catch (const std::exception& error) {  // out of memory, a fault of ours
    LogError(std::string("a request was not taken: ") + error.what());
    Refuse(client, request, {FaultCode::kInternal, "the server's log says what failed"});
  }
}

// Its job has nothing left to do, and waits in the queue without what was sent.
void Service::Forget(Pending& pending) {
  pending.answered = true;
  if (!pending.planning) pending.request = {};
}

void Service::ForgetAll(uint64_t id) {
  for (const PendingPtr& pending : pending_) {
    if (pending->client == id) Forget(*pending);
  }
}

void Service::Close(uint64_t id) {
  const std::lock_guard lock(mutex_);
  clients_.erase(id);
  std::erase_if(pending_, [&](const PendingPtr& pending) {
    if (pending->client != id || pending->planning) return false;
    Forget(*pending);
    return true;
  });
  queue_.Drop(id);
}

void Service::RefuseLate(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  for (const PendingPtr& pending : pending_) {
    if (pending->answered || SecondsBetween(pending->received, now) < options_.plan_timeout_s) {
      continue;
    }
    const auto found = clients_.find(pending->client);
    if (found != clients_.end()) {
      Refuse(found->second, pending->request,
             {FaultCode::kDeadline,
              "no plan within " + ToText(options_.plan_timeout_s) + " s; send the request again"});
    }
    Forget(*pending);
  }
  std::erase_if(pending_,
                [](const PendingPtr& pending) { return pending->answered && !pending->planning; });
}

void Service::Drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool Service::IsIdle() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(pending_, [](const PendingPtr& pending) { return pending->answered; });
}

void Service::RefuseWaiting() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  for (const PendingPtr& pending : pending_) {
    if (std::exchange(pending->answered, true)) continue;
    const auto found = clients_.find(pending->client);
    if (found == clients_.end()) continue;
    Refuse(found->second, pending->request, {FaultCode::kClosing, "the server ends"});
  }
}

void Service::Stop() {
  RefuseWaiting();
  queue_.Close();
  if (thread_.joinable()) thread_.join();
}

ServeReport Service::Report() const {
  const std::lock_guard lock(mutex_);
  ServeReport report = report_;
  report.open_clients = static_cast<int64_t>(clients_.size());
  report.waiting =
      std::ranges::count_if(pending_, [](const PendingPtr& pending) { return !pending->answered; });
  return report;
}

void Service::BeginTrial(Client& client, const PolicyRequest& request) const {
  client.seed = request.seed.value_or(options_.seed);
  client.episode_id = request.episode_id;
  client.num_plans = 0;
  client.actions_left.clear();
}

void Service::Refuse(const Client& client, const PolicyRequest& request, const PolicyFault& fault) {
  ++report_.faults_of(fault.code);
  LogWarning("refused (" + ToWord(fault.code) + "): " + fault.message);
  client.send(client.wire->refuse(request, fault));
}

void Service::SendNextAction(Client& client, const PolicyRequest& request) {
  PolicyReply reply;
  reply.actions = {client.actions_left.front()};
  client.actions_left.pop_front();
  client.send(client.wire->answer(request, reply));
}

void Service::SendReply(Client& client, Pending& pending, PolicyReply reply) {
  reply.prev_total_ms = client.prev_total_ms;
  WireFrame frame = client.wire->answer(pending.request, reply);
  if (pending.request.one_action) {
    client.actions_left.assign(reply.actions.begin() + 1, reply.actions.end());
  }
  pending.answered = true;
  client.send(std::move(frame));
  client.prev_total_ms = 1000 * SecondsBetween(pending.received, Clock::now());
  ++report_.plans;
}

// A request that is known: answered from the store, or tied to the plan that is being made for it.
bool Service::AnswerAgain(uint64_t id, Client& client, const PolicyRequest& request,
                          const std::string& key) {
  if (key.empty()) return false;
  if (const Stored* stored = FindStored(key)) {
    Pending again;
    again.request = request;
    again.received = Clock::now();
    SendReply(client, again, stored->reply);
    ++report_.repeated;
    return true;
  }
  for (const PendingPtr& pending : pending_) {
    // That of another client which still waits stays that one's.
    const bool is_anothers = pending->client != id && clients_.contains(pending->client);
    if (pending->key != key || is_anothers) continue;
    pending->client = id;
    pending->received = Clock::now();
    pending->answered = false;
    ++report_.repeated;
    return true;
  }
  return false;
}

std::optional<PolicyFault> Service::Crowded(uint64_t id, uint64_t size_bytes) const {
  int waiting = 0;
  uint64_t bytes = 0;
  for (const PendingPtr& each : pending_) {
    if (each->client == id) ++waiting;
    bytes += each->size_bytes;
  }
  if (waiting >= options_.max_waiting) {
    return PolicyFault{FaultCode::kBusy,
                       std::to_string(waiting) +
                           " requests of this client wait already; expected at most " +
                           std::to_string(options_.max_waiting)};
  }
  if (bytes == 0 || bytes + size_bytes <= options_.max_waiting_bytes) return std::nullopt;
  return PolicyFault{FaultCode::kBusy, "requests of " + std::to_string(bytes) +
                                           " bytes wait already; expected at most " +
                                           std::to_string(options_.max_waiting_bytes) +
                                           " with this one; send it again"};
}

void Service::AcceptPlan(uint64_t id, Client& client, PolicyRequest& request,
                         std::string_view message) {
  if (request.one_action && !client.actions_left.empty()) return SendNextAction(client, request);
  ++report_.requests;
  const std::string key = StoreKey(*client.wire, request, message, client.seed);
  if (AnswerAgain(id, client, request, key)) return;
  if (draining_) {
    return Refuse(client, request, {FaultCode::kClosing, "the server ends; ask another one"});
  }
  if (const auto fault = Crowded(id, message.size())) return Refuse(client, request, *fault);
  // Another episode begins without a word where a client sends no resets.
  if (!request.episode_id.empty() && request.episode_id != client.episode_id) {
    const uint64_t seed = client.seed;
    BeginTrial(client, request);
    if (!request.seed) client.seed = seed;
  }
  auto pending = std::make_shared<Pending>();
  pending->client = id;
  // Other jobs are no steps of a trial.
  const bool is_step = request.job.empty();
  pending->is_alone = !is_step;
  pending->plan_request = {.seed = request.seed.value_or(client.seed),
                           .replan = request.replan.value_or(is_step ? client.num_plans : 0)};
  if (is_step) ++client.num_plans;
  pending->key = key;
  pending->size_bytes = message.size();
  pending->received = Clock::now();
  queue_.Push(id, pending);
  pending_.push_back(pending);
  pending->request = std::move(request);
}

void Service::Work() {
  for (;;) {
    std::vector<PendingPtr> popped =
        queue_.Pop(options_.max_batch, [](const PendingPtr& pending) { return pending->is_alone; });
    if (popped.empty()) return;
    const PendingPtr last = popped.back();
    if (last->is_alone) popped.pop_back();
    PlanTogether(popped);
    if (last->is_alone) PlanTogether({last});
  }
}

bool Service::BeginPlan(Pending& pending) {
  if (pending.answered || AnswerFromStore(pending)) return false;
  pending.planning = true;
  return true;
}

void Service::PlanTogether(const std::vector<PendingPtr>& popped) {
  const Clock::time_point begin = Clock::now();
  std::vector<PendingPtr> planned;
  std::vector<PlanAsk> asks;
  {
    const std::lock_guard lock(mutex_);
    for (const PendingPtr& pending : popped) {
      if (!BeginPlan(*pending)) {
        pending_.remove(pending);
        continue;
      }
      planned.push_back(pending);
      asks.push_back({&pending->request, pending->plan_request});
    }
  }
  if (planned.empty()) return;
  std::vector<PlanOutcome> outcomes = planner_->MakePlans(asks);
  const double seconds = SecondsBetween(begin, Clock::now());
  {
    const std::lock_guard lock(mutex_);
    ++report_.batches;
    report_.plan_s += seconds;
    report_.longest_plan_s = std::max(report_.longest_plan_s, seconds);
  }
  for (size_t i = 0; i < planned.size(); ++i) {
    outcomes[i].reply.queue_ms = 1000 * SecondsBetween(planned[i]->received, begin);
    outcomes[i].reply.infer_ms = 1000 * seconds;
    Settle(planned[i], std::move(outcomes[i]));
  }
}

// One request that fails must not end the server for the others.
void Service::Settle(const PendingPtr& pending, PlanOutcome outcome) {
  try {
    if (outcome.error) std::rethrow_exception(outcome.error);
    Settle(pending, outcome.reply);
  } catch (const InputError& error) {
    Settle(pending, PolicyFault{FaultCode::kBadRequest, error.what()});
  } catch (const ConfigError& error) {
    Settle(pending, PolicyFault{FaultCode::kBadRequest, error.what()});
  } catch (const std::exception& error) {
    LogError(std::string("a plan failed: ") + error.what());
    Settle(pending,
           PolicyFault{FaultCode::kInternal, "the plan failed; the server's log says how"});
  }
}

const Service::Stored* Service::FindStored(const std::string& key) const {
  const auto stored = std::ranges::find(store_, key, &Stored::key);
  return key.empty() || stored == store_.end() ? nullptr : &*stored;
}

// Sent again over another connection while the first one counted as alive, it waited beside itself.
bool Service::AnswerFromStore(Pending& pending) {
  const Stored* stored = FindStored(pending.key);
  const auto found = clients_.find(pending.client);
  if (stored == nullptr || found == clients_.end()) return false;
  SendReply(found->second, pending, stored->reply);
  ++report_.repeated;
  return true;
}

void Service::Store(const std::string& key, const PolicyReply& reply) {
  if (key.empty()) return;
  store_.push_back({.key = key, .reply = reply, .size_bytes = BytesOf(reply)});
  stored_bytes_ += store_.back().size_bytes;
  while (store_.size() > kMaxStored || stored_bytes_ > kMaxStoredBytes) {
    stored_bytes_ -= store_.front().size_bytes;
    store_.pop_front();
  }
}

void Service::Settle(const PendingPtr& pending, const PolicyReply& reply) {
  const std::lock_guard lock(mutex_);
  pending_.remove(pending);
  Store(pending->key, reply);
  const auto found = clients_.find(pending->client);
  if (pending->answered || found == clients_.end()) return;
  SendReply(found->second, *pending, reply);
}

void Service::Settle(const PendingPtr& pending, const PolicyFault& fault) {
  const std::lock_guard lock(mutex_);
  pending_.remove(pending);
  const auto found = clients_.find(pending->client);
  if (pending->answered || found == clients_.end()) return;
  pending->answered = true;
  Refuse(found->second, pending->request, fault);
}

}  // namespace aim

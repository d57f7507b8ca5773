// Ranks that tell each other that they live: one that hangs, or whose host has gone without closing
// its connections, would be waited for without end.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

namespace aim {

struct HeartbeatOptions {
  int rank = 0;
  std::vector<std::string> hosts;  // by rank
  std::chrono::milliseconds lost_after{60'000};
};

// A thread of its own says at each beat, in the store that all ranks share, that this process
// lives. Rank 0 looks for signs of all, the others for its and for what it says of others:
// everybody knows of a loss within `lost_after`, and a rank that computes, reads or validates for
// an hour is none.
class Heartbeat {
 public:
  // `store` is this thread's alone. All ranks must have called Announce before.
  Heartbeat(c10::intrusive_ptr<c10d::Store> store, const HeartbeatOptions& options);
  // Waits for its thread, unless a rank is lost and the store with it perhaps.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  static void Announce(c10d::Store& store, int rank);

  // "rank 2 on node7"; empty while all live.
  std::string Lost() const;
  // In which all others know it too. Who ends sooner closes connections, and is taken for lost.
  std::chrono::milliseconds TimeToHear() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // with the thread, which may outlast this
};

}  // namespace aim

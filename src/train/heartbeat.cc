#include "train/heartbeat.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace aim {
namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kLostKey = "lost";
constexpr int kBeatsUntilLost = 12;

std::string KeyOf(int rank) { return "alive/" + std::to_string(rank); }

std::vector<uint8_t> Bytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

struct Heartbeat::Shared {
  c10::intrusive_ptr<c10d::Store> store;
  HeartbeatOptions options;
  std::mutex mutex;
  std::condition_variable woken;
  bool ends = false;
  std::string lost;
  Clock::time_point last_answer = Clock::now();  // of the store
  std::thread thread;

  std::string NameOf(int rank) const {
    return "rank " + std::to_string(rank) + " on " + options.hosts[static_cast<size_t>(rank)];
  }

  std::chrono::milliseconds Beat() const { return options.lost_after / kBeatsUntilLost; }
  // The rest is for the others to hear of it.
  std::chrono::milliseconds Patience() const { return options.lost_after - 4 * Beat(); }

  // The ranks that this one looks for, and when their sign last changed.
  struct Sign {
    std::vector<uint8_t> text;
    Clock::time_point seen = Clock::now();
  };

  void Run() {
    std::map<int, Sign> signs;
    const int num_watched = options.rank == 0 ? static_cast<int>(options.hosts.size()) : 1;
    for (int rank = 0; rank < num_watched; ++rank) {
      if (rank != options.rank) signs[rank] = {};
    }
    for (int64_t beat = 1;; ++beat) {
      std::unique_lock lock(mutex);
      if (woken.wait_for(lock, Beat(), [&] { return ends; }) || !lost.empty()) return;
      lock.unlock();
      std::string found;
      try {
        found = Look(beat, signs);
      } catch (const std::exception&) {
        return;  // without a store for so long, all are lost: see Lost()
      }
      lock.lock();
      last_answer = Clock::now();
      lost = found;
    }
  }

  // Whom nobody has heard of for so long that all know of it when the time has passed.
  std::string Look(int64_t beat, std::map<int, Sign>& signs) {
    store->set(KeyOf(options.rank), Bytes(std::to_string(beat)));
    std::vector<std::string> keys = {kLostKey};
    for (const auto& [rank, sign] : signs) keys.push_back(KeyOf(rank));
    const std::vector<std::vector<uint8_t>> values = store->multiGet(keys);
    if (!values[0].empty()) return {values[0].begin(), values[0].end()};
    size_t i = 1;
    for (auto& [rank, sign] : signs) {
      const std::vector<uint8_t>& text = values[i++];
      if (text != sign.text) sign = {text, Clock::now()};
      if (Clock::now() - sign.seen < Patience()) continue;
      if (options.rank == 0) store->set(kLostKey, Bytes(NameOf(rank)));
      return NameOf(rank);
    }
    return "";
  }
};

Heartbeat::Heartbeat(c10::intrusive_ptr<c10d::Store> store, const HeartbeatOptions& options)
    : shared_(std::make_shared<Shared>()) {
  shared_->store = std::move(store);
  shared_->options = options;
  shared_->thread = std::thread([shared = shared_] { shared->Run(); });
}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ends = true;
    shared_->woken.notify_all();
  }
  if (Lost().empty()) {
    shared_->thread.join();
  } else {
    shared_->thread.detach();
  }
}

void Heartbeat::Announce(c10d::Store& store, int rank) {
  store.set(KeyOf(rank), Bytes("0"));
  if (rank == 0) store.set(kLostKey, Bytes(""));
}

std::chrono::milliseconds Heartbeat::TimeToHear() const { return 2 * shared_->Beat(); }

std::string Heartbeat::Lost() const {
  const std::lock_guard lock(shared_->mutex);
  if (!shared_->lost.empty()) return shared_->lost;
  const bool is_silent = Clock::now() - shared_->last_answer > shared_->Patience();
  return is_silent ? shared_->NameOf(0) : "";
}

}  // namespace aim

// Ranks that meet by c10d: tensors of processors go over Gloo, those of GPUs over NCCL.
#include <ATen/ATen.h>
#include <c10/util/Logging.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/train/launch.h"
#include "train/device_group.h"
#include "train/heartbeat.h"
#include "train/stopwatch.h"

namespace aim {
namespace {

constexpr std::chrono::minutes kMeeting{5};
// Ranks wait for rank 0 while it reads data, validates and saves. One that dies closes its
// connections, which the others see at once; for others that are lost there is the heartbeat.
constexpr std::chrono::hours kCollective{24};
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::microseconds kLookAtDevice{100};
constexpr int kC10dErrors = 2;  // level of its log
// One message of tensors that go together: enough to hide what each costs.
constexpr int64_t kBucketBytes = int64_t{64} << 20;

// The address of this host by which it reaches another, which others reach it by: its name may
// stand for the loopback. Empty if that is not known.
std::string AddressTowards(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;  // nothing is sent
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return "";
  std::string address;
  for (const addrinfo* at = found; at != nullptr && address.empty(); at = at->ai_next) {
    const int end = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (end < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof(own);
    char text[NI_MAXHOST] = "";
    auto* any = reinterpret_cast<sockaddr*>(&own);
    if (connect(end, at->ai_addr, at->ai_addrlen) == 0 && getsockname(end, any, &length) == 0 &&
        getnameinfo(any, length, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0)
      address = text;
    close(end);
  }
  freeaddrinfo(found);
  return address;
}

std::shared_ptr<gloo::transport::Device> DeviceFor(const Launch& launch) {
  using Gloo = c10d::ProcessGroupGloo;
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"); interface != nullptr)
    return Gloo::createDeviceForInterface(interface);
  if (launch.local_size == launch.size) return Gloo::createDeviceForHostname("127.0.0.1");
  const std::string address = AddressTowards(launch.master_addr, launch.master_port);
  return address.empty() ? Gloo::createDefaultDevice() : Gloo::createDeviceForHostname(address);
}

// The first line of what Gloo or c10d throws, without its place in their sources, "[file:line] ".
std::string Reason(const std::exception& error) {
  std::string what = error.what();
  what.resize(std::min(what.size(), what.find('\n')));
  const size_t end = what.starts_with('[') ? what.find("] ") : std::string::npos;
  return end == std::string::npos ? what : what.substr(end + 2);
}

[[noreturn]] void ThrowLost(const Launch& launch, const std::exception& error) {
  throw IoError(
      {.where = "rank " + std::to_string(launch.rank) + " of " + std::to_string(launch.size),
       .got = "left by another rank (" + Reason(error) + ")",
       .expected = "all of them until the run ends",
       .fix = "what that rank printed says why; the same command with --resume goes on "
              "from the last checkpoint"});
}

[[noreturn]] void ThrowSilent(const Launch& launch, const std::string& lost) {
  throw IoError(
      {.where = "rank " + std::to_string(launch.rank) + " of " + std::to_string(launch.size),
       .got = "without a sign of life of " + lost,
       .expected =
           "one within " + std::to_string(launch.lost_after.count()) + " s (train.rank_timeout_s)",
       .fix = "look at that host and what that rank printed; the same command with "
              "--resume goes on from the last checkpoint"});
}

std::string HostName() {
  char name[NI_MAXHOST] = "";
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown host";
}

class C10dComm : public Comm {
 public:
  explicit C10dComm(Launch launch) : launch_(std::move(launch)) {
    try {
      const auto options = c10d::ProcessGroupGloo::Options::create(kMeeting);
      options->devices.push_back(DeviceFor(launch_));
      store_ = MakeStore(launch_.rank == 0, kMeeting);
      const std::string host = HostName();
      store_->set("host/" + std::to_string(rank()), std::vector<uint8_t>(host.begin(), host.end()));
      Heartbeat::Announce(*store_, rank());
      group_ =
          c10::make_intrusive<c10d::ProcessGroupGloo>(store_, launch_.rank, launch_.size, options);
      for (int other = 0; other < size(); ++other) {
        const std::vector<uint8_t> name = store_->get("host/" + std::to_string(other));
        hosts_.emplace_back(name.begin(), name.end());
      }
      heartbeat_ = std::make_unique<Heartbeat>(
          MakeStore(false, launch_.lost_after),
          HeartbeatOptions{.rank = rank(), .hosts = hosts_, .lost_after = launch_.lost_after});
    } catch (const std::exception& error) {
      throw IoError({.where = launch_.master_addr + ":" + std::to_string(launch_.master_port),
                     .got = "without all others, says rank " + std::to_string(launch_.rank) + " (" +
                            Reason(error) + ")",
                     .expected = std::to_string(launch_.size) + " ranks that meet there",
                     .fix = "check MASTER_ADDR and MASTER_PORT, and that every rank was started"});
    }
  }
  // What waits for a rank that is lost would be waited for.
  ~C10dComm() override {
    if (heartbeat_->Lost().empty()) return;
    (void)group_.release();
    (void)device_group_.release();
  }

  int rank() const override { return launch_.rank; }
  int size() const override { return launch_.size; }
  int local_size() const override { return launch_.local_size; }
  std::string HostOf(int other) const override { return hosts_[static_cast<size_t>(other)]; }
  double wait_s() const override { return wait_s_; }

  void SumInPlace(std::span<at::Tensor> tensors) override {
    InBuckets(tensors, true, [&](std::vector<at::Tensor>& flat) {
      c10d::AllreduceOptions options;
      options.timeout = kCollective;
      Wait(GroupOf(flat).allreduce(flat, options), flat);
    });
  }

  std::function<void()> StartSum(std::vector<at::Tensor> tensors) override {
    std::vector<at::Tensor> flat = {Flat(tensors)};
    c10d::AllreduceOptions options;
    options.timeout = kCollective;
    c10::intrusive_ptr<c10d::Work> work;
    Timed([&] { work = GroupOf(flat).allreduce(flat, options); });
    return [this, work, flat, tensors = std::move(tensors)] {
      Timed([&] {
        Wait(work, flat);
        Unpack(flat[0], tensors);
      });
    };
  }

  void SumTo(int owner, std::span<at::Tensor> tensors) override {
    InBuckets(tensors, rank() == owner, [&](std::vector<at::Tensor>& flat) {
      c10d::ReduceOptions options;
      options.rootRank = owner;
      options.timeout = kCollective;
      Wait(GroupOf(flat).reduce(flat, options), flat);
    });
  }

  void Broadcast(int from, std::span<at::Tensor> tensors) override {
    InBuckets(tensors, rank() != from, [&](std::vector<at::Tensor>& flat) {
      c10d::BroadcastOptions options;
      options.rootRank = from;
      options.timeout = kCollective;
      Wait(GroupOf(flat).broadcast(flat, options), flat);
    });
  }

  void Move(int from, int to, std::span<at::Tensor> tensors) override {
    if (from == to || (rank() != from && rank() != to)) return;
    InBuckets(tensors, rank() == to, [&](std::vector<at::Tensor>& flat) {
      c10d::Backend& group = GroupOf(flat);
      Wait(rank() == from ? group.send(flat, to, 0) : group.recv(flat, from, 0), flat);
    });
  }

 private:
  // As torch.distributed's env:// does: under torchrun the store is that of its agent.
  c10::intrusive_ptr<c10d::Store> MakeStore(bool serves, std::chrono::milliseconds timeout) const {
    const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
    const bool has_agent = agent != nullptr && std::string_view(agent) == "True";
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(launch_.master_port);
    options.isServer = serves && !has_agent;
    options.numWorkers = launch_.size;
    options.waitWorkers = false;
    options.timeout = timeout;
    auto store = c10::make_intrusive<c10d::TCPStore>(launch_.master_addr, options);
    const char* attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
    return c10::make_intrusive<c10d::PrefixStore>(
        std::string("aim/attempt_") + (attempt == nullptr ? "0" : attempt), store);
  }

  // Of tensors on one device. That of GPUs begins when the first of theirs come.
  c10d::Backend& GroupOf(const std::vector<at::Tensor>& flat) {
    if (flat[0].is_cpu()) return *group_;
    if (!device_group_) device_group_ = MakeDeviceGroup(store_, launch_.rank, launch_.size);
    return *device_group_;
  }

  void ThrowIfLost() const {
    const std::string lost = heartbeat_->Lost();
    if (lost.empty()) return;
    std::this_thread::sleep_for(heartbeat_->TimeToHear());
    ThrowSilent(launch_, lost);
  }

  void Wait(const c10::intrusive_ptr<c10d::Work>& work, const std::vector<at::Tensor>& flat) const {
    if (flat[0].is_cpu()) return WaitByThread(work);
    while (!work->isCompleted()) {
      ThrowIfLost();
      std::this_thread::sleep_for(kLookAtDevice);
    }
    work->wait();  // throws what went wrong; what this thread queues next comes after it
  }

  // Another thread waits for the exchange, so that this one can see that a rank is lost. Then the
  // thread waits on, until the process ends.
  void WaitByThread(const c10::intrusive_ptr<c10d::Work>& work) const {
    const auto done = std::make_shared<std::promise<void>>();
    std::thread([work, done] {
      try {
        work->wait(kCollective);
        done->set_value();
      } catch (const std::exception&) {
        done->set_exception(std::current_exception());
      }
    }).detach();
    std::future<void> ended = done->get_future();
    while (ended.wait_for(kLook) != std::future_status::ready) ThrowIfLost();
    ended.get();
  }

  // Counts the time, and says of what Gloo throws what it means.
  template <class Work>
  void Timed(const Work& work) {
    const Clock::time_point begin = Clock::now();
    try {
      work();
    } catch (const Error&) {  // said already
      throw;
    } catch (const std::exception& error) {
      ThrowLost(launch_, error);
    }
    wait_s_ += SecondsSince(begin);
  }

  // Tensors of one device and type in one flat tensor, up to the size of a bucket. Where nothing is
  // received they stay as they are.
  template <class Exchange>
  void InBuckets(std::span<at::Tensor> tensors, bool receives, const Exchange& exchange) {
    std::map<std::pair<at::DeviceType, at::ScalarType>, std::vector<at::Tensor>> by_type;
    for (const at::Tensor& tensor : tensors)
      by_type[{tensor.device().type(), tensor.scalar_type()}].push_back(tensor);
    Timed([&] {
      for (const auto& [type, all] : by_type) {
        std::vector<at::Tensor> bucket;
        int64_t bytes = 0;
        for (size_t i = 0; i < all.size(); ++i) {
          bucket.push_back(all[i]);
          bytes += static_cast<int64_t>(all[i].nbytes());
          if (bytes < kBucketBytes && i + 1 < all.size()) continue;
          std::vector<at::Tensor> flat = {Flat(bucket)};
          exchange(flat);
          if (receives) Unpack(flat[0], bucket);
          bucket.clear();
          bytes = 0;
        }
      }
    });
  }

  static at::Tensor Flat(const std::vector<at::Tensor>& tensors) {
    std::vector<at::Tensor> parts;
    parts.reserve(tensors.size());
    for (const at::Tensor& tensor : tensors) parts.push_back(tensor.reshape({-1}));
    return at::cat(parts);
  }

  static void Unpack(const at::Tensor& flat, const std::vector<at::Tensor>& tensors) {
    int64_t begin = 0;
    for (const at::Tensor& tensor : tensors) {
      tensor.copy_(flat.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
      begin += tensor.numel();
    }
  }

  Launch launch_;
  std::vector<std::string> hosts_;
  std::unique_ptr<Heartbeat> heartbeat_;
  double wait_s_ = 0;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  c10::intrusive_ptr<c10d::Backend> device_group_;  // if tensors on GPUs were exchanged
};

// While it lives, SIGINT and SIGTERM end the process.
class PlainSignals {
 public:
  PlainSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction plain = {};
      plain.sa_handler = SIG_DFL;
      sigaction(kSignals[i], &plain, &before_[i]);
    }
  }
  ~PlainSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  PlainSignals(const PlainSignals&) = delete;
  PlainSignals& operator=(const PlainSignals&) = delete;

 private:
  static constexpr std::array<int, 2> kSignals = {SIGINT, SIGTERM};
  std::array<struct sigaction, 2> before_ = {};
};

}  // namespace

std::unique_ptr<Comm> MeetRanks(const Launch& launch, c10::Device device) {
  if (!device.is_cpu()) RequireDeviceGroups(launch.size);
  LogInfo("rank " + std::to_string(launch.rank) + " of " + std::to_string(launch.size) +
          " meets the others at " + launch.master_addr + ":" + std::to_string(launch.master_port) +
          ", within five minutes");
  // c10d's warnings about a lost connection, each with its stack, say less than the end's sentence.
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = kC10dErrors;
  const PlainSignals plain;  // nothing is begun that would have to be ended
  return std::make_unique<C10dComm>(launch);
}

}  // namespace aim

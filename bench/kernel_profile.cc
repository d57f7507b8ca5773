#include "kernel_profile.h"

#include <kineto/ActivityType.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <map>
#include <set>

namespace aim {
namespace {

namespace profiler = torch::autograd::profiler;

struct Event {
  std::string name;
  uint64_t start_ns;
  uint64_t end_ns;
};

bool RunsOnGpu(const profiler::KinetoEvent& event) {
  const auto type = static_cast<libkineto::ActivityType>(event.activityType());
  return event.deviceType() == c10::kCUDA && (type == libkineto::ActivityType::CONCURRENT_KERNEL ||
                                              type == libkineto::ActivityType::GPU_MEMCPY ||
                                              type == libkineto::ActivityType::GPU_MEMSET);
}

// In order of time.
std::vector<Event> EventsOf(const profiler::ProfilerResult& result, bool of_gpu) {
  std::vector<Event> events;
  for (const profiler::KinetoEvent& event : result.events()) {
    const bool is_wanted = of_gpu ? RunsOnGpu(event) : event.deviceType() == c10::kCPU;
    if (is_wanted) events.push_back({event.name(), event.startNs(), event.endNs()});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.start_ns != b.start_ns ? a.start_ns < b.start_ns : a.end_ns > b.end_ns;
  });
  return events;
}

// Those that lie in no other.
std::vector<Event> Outermost(const std::vector<Event>& events) {
  std::vector<Event> found;
  for (const Event& event : events) {
    if (found.empty() || event.start_ns >= found.back().end_ns) found.push_back(event);
  }
  return found;
}

KernelProfile Summarise(const std::vector<Event>& events) {
  KernelProfile profile;
  std::map<std::string, KernelProfile::Kernel> by_name;
  uint64_t last_ns = 0;
  for (const Event& event : events) {
    const double ms = 1e-6 * static_cast<double>(event.end_ns - event.start_ns);
    KernelProfile::Kernel& kernel = by_name[event.name];
    ++kernel.count;
    kernel.ms += ms;
    profile.sum_ms += ms;
    last_ns = std::max(last_ns, event.end_ns);
  }
  for (auto& [name, kernel] : by_name) {
    kernel.name = name;
    profile.kernels.push_back(kernel);
  }
  std::sort(profile.kernels.begin(), profile.kernels.end(),
            [](const auto& a, const auto& b) { return a.ms > b.ms; });
  if (!events.empty()) {
    profile.span_ms = 1e-6 * static_cast<double>(last_ns - events.front().start_ns);
  }
  return profile;
}

}  // namespace

KernelProfile ProfileKernels(c10::Device device, const std::function<void()>& work) {
  const bool of_gpu = device.is_cuda();
  std::set<profiler::ActivityType> activities{profiler::ActivityType::CPU};
  if (of_gpu) activities.insert(profiler::ActivityType::CUDA);
  const profiler::ProfilerConfig config(profiler::ProfilerState::KINETO);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities, {at::RecordScope::FUNCTION});
  work();
  const std::vector<Event> events = EventsOf(*profiler::disableProfiler(), of_gpu);
  return Summarise(of_gpu ? events : Outermost(events));
}

nlohmann::json ToJson(const KernelProfile& profile, size_t most) {
  nlohmann::json kernels = nlohmann::json::array();
  for (const KernelProfile::Kernel& kernel : profile.kernels) {
    if (kernels.size() == most) break;
    kernels.push_back({{"name", kernel.name.substr(0, 160)},
                       {"count", kernel.count},
                       {"ms", kernel.ms},
                       {"share", kernel.ms / profile.sum_ms}});
  }
  return {{"sum_ms", profile.sum_ms},
          {"span_ms", profile.span_ms},
          {"busy", profile.span_ms > 0 ? profile.sum_ms / profile.span_ms : 0.0},
          {"kernels", kernels}};
}

}  // namespace aim

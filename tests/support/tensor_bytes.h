// Bytes of the CPU tensors that one thread makes, to the byte: no clock, no resident set.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace aim::testing {

// Counts from here to the end of its life, in this thread.
class TensorBytes {
 public:
  TensorBytes() : count_(std::make_shared<Count>()), guard_(kSlot, count_) {}

  int64_t now() const { return count_->now; }  // may fall below 0: what was there may be freed
  int64_t peak() const { return count_->peak; }

 private:
  static constexpr auto kSlot = c10::DebugInfoKind::PROFILER_STATE;

  struct Count : c10::MemoryReportingInfoBase {
    void reportMemoryUsage(void*, int64_t change, size_t, size_t, c10::Device) override {
      now += change;
      peak = std::max(peak, now);
    }
    bool memoryProfilingEnabled() const override { return true; }
    int64_t now = 0;
    int64_t peak = 0;
  };

  std::shared_ptr<Count> count_;
  c10::DebugInfoGuard guard_;
};

}  // namespace aim::testing

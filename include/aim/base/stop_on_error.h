// Workers that share a list of items: an error of one ends the others.
#pragma once

#include <atomic>
#include <exception>

namespace aim {

// Raises `flag` if its scope is left by an exception.
class StopOnError {
 public:
  explicit StopOnError(std::atomic<bool>& flag) : flag_(flag) {}
  ~StopOnError() {
    if (std::uncaught_exceptions() > num_before_) flag_ = true;
  }
  StopOnError(const StopOnError&) = delete;
  StopOnError& operator=(const StopOnError&) = delete;

 private:
  std::atomic<bool>& flag_;
  const int num_before_ = std::uncaught_exceptions();
};

}  // namespace aim

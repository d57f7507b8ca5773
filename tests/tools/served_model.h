#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "aim/base/atomic_file.h"
#include "support/child_process.h"
#include "support/source_dir.h"

namespace aim::testing {

// aim-serve with the shipped model, on a port that is free.
class ServedModel {
 public:
  ServedModel()
      : child_({Binary("aim-serve"), "--model", (SourceDir() / "assets/tiny/").string(), "--port",
                "0"}) {
    const std::string before = "listening on ws://127.0.0.1:";
    EXPECT_TRUE(child_.WaitForMessage(" (openpi)")) << child_.messages();
    const std::string& messages = child_.messages();
    port_ = messages.substr(messages.find(before) + before.size());
    port_ = port_.substr(0, port_.find(' '));
  }
  const std::string& port() const { return port_; }
  std::string ProcessName() const {
    return ReadFile("/proc/" + std::to_string(child_.pid()) + "/comm");
  }
  CommandResult Terminate() {
    child_.Send(SIGTERM);
    return child_.Wait();
  }

 private:
  ChildProcess child_;
  std::string port_;
};

}  // namespace aim::testing

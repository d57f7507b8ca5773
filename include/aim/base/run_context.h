// What every tool's run shares: where results go, how the run is recorded, how it reports progress.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/log.h"
#include "aim/base/progress.h"

namespace aim {

// Values of the flags that all tools have.
struct CommonOptions {
  uint64_t seed = 0;
  std::string device = "cpu";
  std::filesystem::path out;
  bool resume = false;
  bool overwrite = false;
  LogLevel log_level = LogLevel::kInfo;
};

// Handed to every RunX(options, run). Also a plain value that tests build by hand.
class RunContext {
 public:
  RunContext() = default;
  explicit RunContext(CommonOptions common) : common_(std::move(common)) {}
  RunContext(CommonOptions common, std::ostream* progress_stream, bool is_terminal);

  const CommonOptions& common() const { return common_; }
  uint64_t seed() const { return common_.seed; }
  const std::string& device() const { return common_.device; }
  const std::filesystem::path& out() const { return common_.out; }
  Progress& progress() { return progress_; }

  // Refuses an existing file or non-empty folder at out() unless --resume or --overwrite was given
  // (ConfigError), removes it for --overwrite, and makes the folder. Call it after all input was
  // checked, so that a wrong call leaves nothing behind.
  void PrepareOutFolder();
  void PrepareOutFile();
  // The same for a tool that takes its output as an argument, `file`, in place of --out, which must
  // then not be given.
  void PrepareOutFile(const std::filesystem::path& file);
  bool prepared() const { return prepared_; }

  // Asks the job to end early but in good order, what is done being saved. Long jobs look between
  // their items. May be called from a signal handler and from other threads.
  void RequestStop() { stop_requested_ = true; }
  bool stop_requested() const { return stop_requested_; }
  // Said by a job that did end early; its output is not what was asked for.
  void MarkUnfinished() { unfinished_ = true; }
  bool unfinished() const { return unfinished_; }

  // Adds a key to run.json (timings, counts, fingerprints).
  void Note(const std::string& key, nlohmann::json value);

  // Writes out()/run.json (or out() + ".run.json" beside a file): resolved options, command line,
  // version, revision, seed, device, seconds, peak memory, notes. Atomic.
  void WriteRunRecord(const nlohmann::json& options, const std::vector<std::string>& command_line,
                      double seconds) const;

 private:
  CommonOptions common_;
  Progress progress_;
  nlohmann::json notes_ = nlohmann::json::object();
  bool prepared_ = false;
  bool out_is_file_ = false;
  std::atomic<bool> stop_requested_{false};
  bool unfinished_ = false;
};

// "0.1.0" and the git revision the build was made from ("unknown" outside a checkout).
std::string Version();
std::string Revision();
// Largest resident set so far, bytes.
int64_t PeakMemoryBytes();

}  // namespace aim

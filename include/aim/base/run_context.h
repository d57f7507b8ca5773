// What every tool's run shares: where results go, how the run is recorded, how it reports progress.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/log.h"
#include "aim/base/path_claim.h"
#include "aim/base/progress.h"

namespace aim {

class OutFolder;

// Values of the flags that all tools have.
struct CommonOptions {
  uint64_t seed = 0;
  std::string device = "cpu";
  std::filesystem::path out;
  bool resume = false;
  bool overwrite = false;
  LogLevel log_level = LogLevel::kInfo;
};

// What a tool does with a folder that it writes.
enum class OutUse {
  kNew,        // fills a new one in one go: --resume is refused
  kResumable,  // can go on with an earlier run, alone
  kShared      // several processes may fill it together
};

// Handed to every RunX(options, run). Also a plain value that tests build by hand.
class RunContext {
 public:
  RunContext();
  explicit RunContext(CommonOptions common);
  RunContext(CommonOptions common, std::ostream* progress_stream, bool is_terminal);
  ~RunContext();

  const CommonOptions& common() const { return common_; }
  uint64_t seed() const { return common_.seed; }
  const std::string& device() const { return common_.device; }
  // Where results go; between PrepareOutFolder and CommitOut of a run with --overwrite a folder
  // beside the one that was asked for.
  const std::filesystem::path& out() const;
  Progress& progress() { return progress_; }

  // Files and folders that the run reads; --overwrite leaves them alone.
  void AddInput(const std::filesystem::path& path) { inputs_.push_back(path); }

  // Refuses an existing file or non-empty folder at out() unless --resume or --overwrite was given,
  // and with --overwrite a folder that no run made or that is, holds or lies in an input
  // (ConfigError). Makes the folder and, unless it is shared, claims it for this process. With
  // --overwrite the earlier result stays until CommitOut, and for good if the run fails. Call it
  // after all input was checked, so that a wrong call leaves nothing behind.
  void PrepareOutFolder(OutUse use);
  // The same for a tool that takes its output as an argument, `folder`, in place of --out, which
  // must then not be given.
  void PrepareOutFolder(OutUse use, const std::filesystem::path& folder);
  // The last thing that a job does: its result is whole, and takes the place of an earlier one.
  void CommitOut();

  // For one file: written at once, at the end. --resume is refused, and whatever is no regular
  // file; a link is followed. No other run may write it while this one lives; what a killed one
  // left beside it is removed.
  void PrepareOutFile();
  // The same for an argument, `file`.
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
  void TakeOutArgument(const std::filesystem::path& path);

  CommonOptions common_;
  std::vector<std::filesystem::path> inputs_;
  std::unique_ptr<OutFolder> folder_;
  std::optional<PathClaim> file_claim_;
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

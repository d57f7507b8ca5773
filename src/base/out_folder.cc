#include "base/out_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/out_place.h"
#include "aim/base/parse_json.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = "run.json";
constexpr const char* kSettings = "settings.json";  // of a run that can be gone on with
constexpr const char* kClaimed = "run";             // stands for the whole folder

// Removing one of these would take more than an earlier run with it.
bool HoldsMoreThanARun(const fs::path& folder) {
  const char* home = std::getenv("HOME");
  std::error_code error;
  if (home != nullptr && fs::equivalent(folder, home, error)) return true;
  return HoldsOrIs(folder, fs::current_path());
}

// The record of a run, finished or not; null if there is none.
nlohmann::json Record(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_regular_file(folder / kRecord, error)) return nullptr;
  const nlohmann::json record = ParseJson(ReadFile(folder / kRecord));
  const bool is_ours = record.is_object() && record.contains("revision") && record.contains("seed");
  return is_ours ? record : nlohmann::json();
}

// Something besides what a run leaves that was refused or killed before it wrote anything. Where
// several processes fill a folder, its settings are something: another has begun.
bool IsUsed(const fs::path& folder, OutUse use) {
  if (!fs::exists(folder)) return false;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == PathClaim::LockPath(folder / kClaimed).filename()) continue;
    const bool is_beginning = name == kRecord || (name == kSettings && use != OutUse::kShared);
    const nlohmann::json record = Record(folder);
    if (!is_beginning || record.is_null() || record.value("finished", true)) return true;
  }
  return false;
}

dev_t DeviceOf(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

void RefuseOverwrite(const fs::path& folder) {
  if (HoldsMoreThanARun(folder)) {
    throw ConfigError({"--out", folder.string() + ", which --overwrite would remove",
                       "a folder that holds one run", "choose another --out"});
  }
  if (Record(folder).is_null()) {
    throw ConfigError({"--out",
                       folder.string() + ", which --overwrite would remove and no run made",
                       "the folder of an earlier run (with its run.json), or a new one",
                       "choose another --out, or remove the folder yourself"});
  }
  if (DeviceOf(folder) != DeviceOf(fs::absolute(folder).parent_path())) {
    throw ConfigError({"--out", "the mount point " + folder.string(),
                       "a folder that can be replaced", "choose a folder in it"});
  }
}

void MakeFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) ThrowNotWritable("--out", folder.string(), error);
}

}  // namespace

void RefuseOutAmongInputs(const fs::path& out, std::span<const fs::path> inputs) {
  const fs::path target = fs::weakly_canonical(out);
  for (const fs::path& input : inputs) {
    const fs::path source = fs::weakly_canonical(input);
    if (!HoldsOrIs(target, source) && !HoldsOrIs(source, target)) continue;
    throw ConfigError({"--out", out.string() + ", where " + input.string() + " is read from",
                       "a place apart from every input, with --overwrite", "choose another --out"});
  }
}

void RefuseResume(const CommonOptions& common) {
  if (!common.resume) return;
  throw ConfigError({"--resume", "given", "nothing: this tool begins anew every time",
                     "leave it out, or give --overwrite"});
}

OutFolder::OutFolder(const CommonOptions& common, OutUse use, std::span<const fs::path> inputs)
    : target_(fs::is_symlink(common.out) ? fs::weakly_canonical(common.out) : common.out) {
  if (fs::exists(target_) && !fs::is_directory(target_)) {
    throw ConfigError(
        {"--out", "the file " + target_.string(), "a folder", "choose another --out"});
  }
  if (use == OutUse::kNew) RefuseResume(common);
  const bool replaces = IsUsed(target_, use) && !common.resume;
  if (replaces && !common.overwrite) {
    throw ConfigError({"--out", "a folder that is not empty (" + target_.string() + ")",
                       "a new or empty folder",
                       std::string(use == OutUse::kNew ? "give " : "give --resume, ") +
                           "--overwrite or another --out"});
  }
  if (replaces) {
    RefuseOverwrite(target_);
    RefuseOutAmongInputs(target_, inputs);
  }
  MakeFolder(target_);
  Claim(use);
  if (!replaces && !common.resume) {
    if (IsUsed(target_, use)) {
      throw ConfigError({"--out", target_.string() + ", which another run has just filled",
                         "a folder of its own", "choose another --out"});
    }
    if (use != OutUse::kShared) fs::remove(target_ / kSettings);  // of the run that wrote nothing
  }
  if (replaces) Stage();
  if (Record(path()).is_null()) {
    WriteFileAtomic(path() / kRecord, nlohmann::json{{"version", Version()},
                                                     {"revision", Revision()},
                                                     {"seed", common.seed},
                                                     {"finished", false}}
                                              .dump(2) +
                                          "\n");
  }
}

OutFolder::~OutFolder() {
  if (staged_.empty()) return;
  std::error_code ignored;
  fs::remove_all(staged_, ignored);
}

// Several processes may fill one folder together where the tool shares it out among them.
void OutFolder::Claim(OutUse use) {
  if (use == OutUse::kShared) return;
  if (std::optional<PathClaim> claim = PathClaim::Take(target_ / kClaimed)) {
    claim_.emplace(std::move(*claim));
    return;
  }
  throw ConfigError({"--out", target_.string() + ", in use by another run",
                     "a folder that no run is writing", "wait for it or choose another --out"});
}

void OutFolder::Stage() {
  RemoveTemporaries(target_);
  const fs::path staged = TemporaryPath(target_);
  MakeFolder(staged);
  staged_ = staged;
}

void OutFolder::Commit() {
  if (!staged_.empty()) ReplaceFolderAtomic(staged_, target_);
  staged_.clear();
  claim_.reset();
}

}  // namespace aim

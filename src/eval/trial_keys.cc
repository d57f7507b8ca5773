#include "eval/trial_keys.h"

#include <cctype>

#include "aim/base/rng.h"
#include "aim/base/text.h"

namespace aim {
namespace {

std::string Letters(std::string text) {
  for (char& letter : text) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return text;
}

// Paths that differ in what is no letter stay apart.
std::string FileNamePart(const std::string& text) {
  const std::string part = "_" + Letters(text);
  return text.starts_with(kCameraFilePrefix) ? part + "_" + HexText(StableHash(text)).substr(0, 8)
                                             : part;
}

}  // namespace

std::vector<TrialKey> ListTrials(const TrialRange& range) {
  std::vector<TrialKey> keys;
  const auto add = [&](const std::string& cameras, const std::string& variant) {
    for (const std::string& task : range.tasks) {
      for (int trial = 0; trial < range.episodes; ++trial) {
        keys.push_back({task, trial, cameras, variant});
      }
    }
  };
  for (const std::string& cameras : range.cameras) add(cameras, "");
  for (const std::string& variant : range.variants) add(range.cameras.front(), variant);
  return keys;
}

std::string TaskFileName(const std::string& task) { return Letters(task); }

std::string FileNameEnd(const std::string& cameras) {
  return cameras == kUsualCameras ? "" : FileNamePart(cameras);
}

std::string FileStem(const TrialKey& key) {
  return TaskFileName(key.task) + "_" + std::to_string(key.trial) + FileNameEnd(key.cameras) +
         (key.variant.empty() ? "" : FileNamePart(key.variant));
}

std::string NameOf(const TrialKey& key) {
  return key.task + " trial " + std::to_string(key.trial) +
         (key.cameras == kUsualCameras ? "" : " with cameras " + key.cameras) +
         (key.variant.empty() ? "" : " with " + key.variant);
}

}  // namespace aim

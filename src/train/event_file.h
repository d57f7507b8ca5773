// TensorBoard event files: numbers over training steps, read by TensorBoard and by all who read its
// files. Records of TFRecord (length, data, checksums of both), each an Event message.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

// CRC-32C of the bytes, turned and shifted as TFRecord keeps it.
uint32_t MaskedCrc32c(std::string_view bytes);

// "<length><checksum><data><checksum>", little-endian.
std::string FrameRecord(std::string_view data);

struct Scalar {
  std::string tag;  // "train/loss"
  double value = 0;
};

// The numbers of a line of metrics.jsonl: "train/loss", "validation/i2a/position_mm/median".
std::vector<Scalar> ScalarsOf(const nlohmann::json& line);

// The bytes of an Event: when (seconds since 1970), at which step, which numbers.
std::string ScalarEvent(double wall_time_s, int64_t train_step, std::span<const Scalar> scalars);

// The events.out.tfevents.* of a run; each step stands in it once. TensorBoard shows the file as it
// grows.
class EventFile {
 public:
  // Begins a new file in `folder` with what earlier files of the run hold up to `train_step`, and
  // removes those: later steps belong to an attempt that was cut off.
  EventFile(const std::filesystem::path& folder, int64_t train_step);

  // Appends the numbers of a step and flushes them. Throws IoError.
  void Append(int64_t train_step, std::span<const Scalar> scalars);

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace aim

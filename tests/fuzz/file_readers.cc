#include "fuzz/file_readers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/diffusers_folder.h"
#include "aim/data/data_set.h"
#include "aim/eval/trial_record.h"
#include "aim/geometry/camera.h"
#include "aim/train/train_options.h"
#include "aim/train/trainer.h"
#include "data/layout_cases.h"
#include "support/source_dir.h"

namespace aim::testing {
namespace {

namespace fs = std::filesystem;

std::function<void(const fs::path&)> CopyOf(const std::string& source, const std::string& file) {
  return [=](const fs::path& folder) { fs::copy_file(SourceDir() / source / file, folder / file); };
}

void ReadFirstEpisode(const fs::path& root) {
  const DataSet data = OpenDataSet(root);
  data.Read(data.episodes().at(0));
}

std::vector<Episode> OneEpisode() {
  Rng rng(5);
  return {MakeEpisode({.num_frames = 2}, rng)};
}

// A file of one episode in a layout, `file` in the episode's folder.
FileReader EpisodeFile(const std::string& name, const std::string& layout,
                       const std::string& episode, const std::string& file) {
  const std::vector<LayoutCase> cases = LayoutCases();
  const auto found = std::ranges::find(cases, layout, &LayoutCase::layout);
  return {.name = name,
          .prepare =
              [make = found->make](const fs::path& folder) { make(folder / "data", OneEpisode()); },
          .file = "data/" + episode + "/" + file,
          .read = [](const fs::path& folder) { ReadFirstEpisode(folder / "data"); }};
}

// A file of the pipeline as Diffusers saves it.
FileReader PipelineFile(const std::string& name, const std::string& file) {
  return {.name = name,
          .prepare =
              [](const fs::path& folder) {
                fs::copy(DiffusersPipeline(), folder, fs::copy_options::recursive);
              },
          .file = file,
          .read = [](const fs::path& folder) { ReadDiffusersFolder(folder); }};
}

Trainer SmallTrainer() {
  DitOptions dit;
  dit.in_channels = dit.out_channels = dit.text_dim = 4;
  dit.dim = dit.ffn_dim = dit.freq_dim = 12;
  dit.num_heads = dit.num_layers = 1;
  WeightMap weights;
  for (const auto& [name, shape] : DitWeightShapes(dit)) weights[name] = at::zeros(shape);
  return {{.dit = dit, .weights = weights, .null_text = at::zeros({1, 4})}, TrainOptions(), 1};
}

std::string TrialText() {
  TrialRecord record;
  record.spec = {.task = "reach_target", .variation = 0, .seed = 7};
  record.references["gate"] = record.result;
  record.distance = PlanDistance();
  return DumpJson(ToJson(record), 1);
}

std::vector<FileReader> MakeFileReaders() {
  return {
      {.name = "toml",
       .prepare = CopyOf("configs/train", "tiny.toml"),
       .file = "tiny.toml",
       .read =
           [](const fs::path& folder) {
             TrainRunOptions options;
             ApplyOptions(options, ReadToml(folder / "tiny.toml"), "tiny.toml");
           }},
      {.name = "model_toml",
       .prepare = CopyOf("assets/tiny", "model.toml"),
       .file = "model.toml",
       .read = [](const fs::path& folder) { LoadBundleConfig(folder); }},
      {.name = "cameras",
       .prepare = CopyOf("assets/example", "cameras.json"),
       .file = "cameras.json",
       .read = [](const fs::path& folder) { ReadCamerasJson(folder / "cameras.json"); }},
      PipelineFile("model_index", "model_index.json"),
      PipelineFile("transformer_config", "transformer/config.json"),
      PipelineFile("vae_config", "vae/config.json"),
      PipelineFile("text_config", "text_encoder/config.json"),
      PipelineFile("scheduler_config", "scheduler/scheduler_config.json"),
      EpisodeFile("meta", "action-images", "reach_target/variation3/episodes/episode0",
                  "meta.json"),
      EpisodeFile("actions", "action-images", "reach_target/variation3/episodes/episode0",
                  "actions.npy"),
      EpisodeFile("poses", "folder", "reach_target_variation3_episode0", "poses.csv"),
      EpisodeFile("label", "labels", "reach_target/variation3/episode0", "label.json"),
      EpisodeFile("demo", "rlbench", "reach_target/all_variations/episodes/episode0",
                  "low_dim_obs.pkl"),
      EpisodeFile("instructions", "rlbench", "reach_target/all_variations/episodes/episode0",
                  "variation_descriptions.pkl"),
      EpisodeFile("droid_trajectory", "droid-raw",
                  "TRI/success/2024-01-16/Tue_Jan_16_16:43:00_2024", "trajectory.h5"),
      EpisodeFile("droid_intrinsics", "droid-raw", ".", "intrinsics.json"),
      EpisodeFile("lerobot_info", "lerobot", ".", "meta/info.json"),
      EpisodeFile("lerobot_tasks", "lerobot", ".", "meta/tasks.parquet"),
      EpisodeFile("lerobot_episodes", "lerobot", ".", "meta/episodes/chunk-000/file-000.parquet"),
      EpisodeFile("lerobot_rows", "lerobot", ".", "data/chunk-000/file-000.parquet"),
      {.name = "trial",
       .prepare =
           [](const fs::path& folder) { WriteFileAtomic(folder / "trial.json", TrialText()); },
       .file = "trial.json",
       .read =
           [](const fs::path& folder) {
             TrialRecordFromJson(ParseJson(ReadFile(folder / "trial.json")), "trial.json");
           }},
      {.name = "checkpoint",
       .prepare = [](const fs::path& folder) { SmallTrainer().Save(folder / "step"); },
       .file = "step/state.json",
       .read =
           [](const fs::path& folder) {
             Trainer trainer = SmallTrainer();
             trainer.Load(folder / "step");
           }},
  };
}

}  // namespace

const std::vector<FileReader>& FileReaders() {
  static const std::vector<FileReader> readers = MakeFileReaders();
  return readers;
}

bool ReadOrRefuse(const FileReader& reader, const fs::path& folder, std::string_view bytes) {
  std::ofstream(folder / reader.file, std::ios::binary | std::ios::trunc) << bytes;
  try {
    reader.read(folder);
    return true;
  } catch (const InputError&) {
  } catch (const ConfigError&) {
  }
  return false;
}

}  // namespace aim::testing

#include "aim/data/copy_set.h"

#include "aim/base/atomic_file.h"
#include "data/set_writer.h"

namespace aim {
namespace {

void CopyEpisode(const DataSet& data, size_t number, SetWriter& writer) {
  const EpisodeRef& ref = data.episodes()[number];
  const Episode episode = data.Open(ref)->Read({});
  const WrittenEpisode written{.stamp = {},
                               .content = {},
                               .num_frames = episode.clip.views.at(0).num_frames,
                               .target = writer.TargetOf(ref, number, episode)};
  writer.RequireFree(ref.name, written.target, data.root().string());
  writer.Write(ref.name, written, episode);
}

}  // namespace

void CopyDataSet(const DataSet& data, const Layout& to, const std::filesystem::path& folder,
                 Progress& progress, std::vector<Skipped>& skipped) {
  const size_t count = data.episodes().size();
  std::vector<Skipped> left_out;
  WriteFolderAtomic(folder, [&](const std::filesystem::path& temporary) {
    SetWriter writer(to, temporary, false, "");
    progress.Start("write " + std::string(to.Name()), static_cast<int64_t>(count));
    for (size_t i = 0; i < count; ++i, progress.Advance(1)) {
      TryOrSkip(data.episodes()[i].name, left_out, [&] { CopyEpisode(data, i, writer); });
    }
    progress.Finish();
    RequireOneRead(data.root().string(), count, left_out);
    WarnOfLost(writer.lost(), to);
    writer.Finish();
  });
  skipped.insert(skipped.end(), left_out.begin(), left_out.end());
}

}  // namespace aim

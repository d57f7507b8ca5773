#include "aim/data/convert.h"

#include "aim/base/atomic_file.h"
#include "aim/base/shard.h"
#include "aim/base/text.h"
#include "aim/data/data_set.h"
#include "data/first_of_name.h"
#include "data/set_writer.h"

namespace aim {
namespace {

class Converter {
 public:
  Converter(const ConvertOptions& options, RunContext& run)
      : options_(options),
        run_(run),
        shard_(ParseShard(options.shard)),
        data_(OpenDataSet(options.source, options.from)),
        layout_(FindLayout(options.to)) {
    report_.from = data_.layout().Name();
    report_.to = layout_.Name();
  }

  ConvertReport Run() {
    RequireFitting(data_, options_.edit);
    Prepare();
    SetWriter writer(layout_, run_.out(), options_.lossless, shard_.FileStem("written") + ".jsonl");
    const std::vector<EpisodeRef>& refs = data_.episodes();
    writer.RequireAllFrom(refs, options_.source);
    const FirstOfName firsts(NamesOf(writer));
    const size_t count = shard_.SizeOf(refs.size());
    run_.progress().Start("convert", static_cast<int64_t>(count));
    for (size_t i = shard_.index; i < refs.size() && !run_.stop_requested(); i += shard_.count) {
      ConvertGuarded(i, firsts, writer);
      run_.progress().Advance(1, refs[i].name);
    }
    run_.progress().Finish();
    RequireOneRead(options_.source, count, report_.skipped);
    CountWritten(writer, layout_, report_);
    if (run_.stop_requested()) {
      run_.MarkUnfinished();
      return report_;
    }
    writer.Finish();
    WriteFileAtomic(run_.out() / (shard_.FileStem("report") + ".json"),
                    DumpJson(ToJson(report_), 2) + "\n");
    run_.CommitOut();
    return report_;
  }

 private:
  void Prepare() {
    nlohmann::json settings = OptionsToJson(options_);
    for (const char* free : {"shard", "destination", "source", "from"}) settings.erase(free);
    PrepareSetFolder(
        run_, layout_,
        {.sources = {options_.source}, .folder = options_.destination, .shard = options_.shard},
        settings);
  }

  // Of every episode, whichever process writes it: what it is called may stand inside it. One that
  // cannot be opened has none; why is said when it is left out.
  std::vector<std::string> NamesOf(const SetWriter& writer) const {
    std::vector<std::string> names;
    for (const EpisodeRef& ref : data_.episodes()) {
      const size_t number = names.size();
      std::string& name = names.emplace_back();
      if (!layout_.Limits().task) {
        name = writer.NameOf(ref);
        continue;
      }
      try {
        name = writer.NameOf(writer.TargetOf(ref, number, data_.OpenAsIs(ref)->facts()));
      } catch (const InputError&) {
      }
    }
    return names;
  }

  void ConvertGuarded(size_t number, const FirstOfName& firsts, SetWriter& writer) {
    const EpisodeRef& ref = data_.episodes()[number];
    const std::string stamp = writer.StampOf(data_, ref);
    TryOrSkip(ref.name, report_.skipped, [&] {
      firsts.Require(number, data_.root().string());
      if (writer.Resume(ref.name, stamp) != nullptr) return;
      const Episode episode = ReadEdited(*data_.Open(ref), options_.edit);
      const WrittenEpisode written{.stamp = stamp,
                                   .content = {},
                                   .num_frames = episode.clip.views.at(0).num_frames,
                                   .target = writer.TargetOf(ref, number, episode)};
      writer.RequireFree(ref.name, written.target, data_.root().string());
      writer.Write(ref.name, written, episode);
    });
  }

  ConvertOptions options_;
  RunContext& run_;
  Shard shard_;
  DataSet data_;
  const Layout& layout_;
  ConvertReport report_;
};

}  // namespace

Limits WritableLayouts() {
  Limits limits = Any{};
  for (const Layout* layout : Layouts()) {
    if (layout->CanBeWritten()) limits.choices.emplace_back(layout->Name());
  }
  return limits;
}

void ConvertOptions::Validate() const {
  CheckRanges(*this);
  ParseShard(shard);
}

nlohmann::json ToJson(const ConvertReport& report) {
  nlohmann::json json = {{"from", report.from},
                         {"to", report.to},
                         {"episodes", report.num_episodes},
                         {"resumed", report.num_resumed},
                         {"frames", report.num_frames},
                         {"lost", report.lost}};
  AddSkipped(report.skipped, json);
  return json;
}

ConvertReport RunConvert(const ConvertOptions& options, RunContext& run) {
  options.Validate();
  return Converter(options, run).Run();
}

}  // namespace aim

#include "aim/format/npz.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/zip_archive.h"

namespace aim {

NpyArray ReadNpzArray(const std::filesystem::path& path, const std::vector<std::string>& names) {
  const std::string file = ReadFile(path);
  const auto bytes = std::as_bytes(std::span(file));
  const std::vector<ZipRecord> records = ParseZip(bytes, path.string());
  for (const std::string& name : names) {
    const auto found = std::find_if(records.begin(), records.end(), [&](const ZipRecord& record) {
      return record.name == name + ".npy";
    });
    if (found == records.end()) continue;
    const std::string where = path.string() + " " + name;
    CheckCrc(bytes.subspan(found->begin, found->size_bytes), found->crc, where);
    return ParseNpy(std::string_view(file).substr(found->begin, found->size_bytes), where);
  }
  throw InputError({.where = path.string(),
                    .got = "without " + Join(names, " or "),
                    .expected = "an array called " + Join(names, " or "),
                    .fix = "write it again with numpy.savez"});
}

}  // namespace aim

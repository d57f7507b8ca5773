// Whether files hold what they held before, without reading all of it.
#pragma once

#include <filesystem>
#include <string>

namespace aim {

// A hash of names, sizes and bytes of the file `path`, or of all files below the folder `path`: all
// bytes of small files, of larger ones eight pieces spread over them. Recording or encoding again
// changes it, copying does not. Links are followed. "" if there is nothing.
std::string FileStamp(const std::filesystem::path& path);

}  // namespace aim

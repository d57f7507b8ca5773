// How --help looks, and the completion of command lines in a shell.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace aim::cli {

// Groups of options as --help shows them, the first of them first.
inline constexpr char kRequiredGroup[] = "Required";
inline constexpr char kSharedGroup[] = "Options of every tool";

// What follows the type of an option that may be repeated.
inline constexpr std::string_view kRepeated = " ...";

// No line longer than a terminal; what a command cannot do without comes first, what every tool has
// comes last.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(36); }
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_footer(const CLI::App* app) const override;  // an example may be pasted

 private:
  std::string MakeSortedGroups(const CLI::App* app) const;
};

// A script for bash that completes the tool's commands, flags, and the words of a choice; elsewhere
// the names of files.
std::string BashCompletion(const CLI::App& app);

}  // namespace aim::cli

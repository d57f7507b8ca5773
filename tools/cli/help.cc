#include "tools/cli/help.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

namespace aim::cli {
namespace {

constexpr size_t kHelpColumns = 100;

// `text` from `column` on, broken before kHelpColumns; later lines begin with `indent`.
std::string Wrapped(const std::string& text, const std::string& indent) {
  std::string lines;
  size_t column = indent.size();
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (column > indent.size() && column + 1 + word.size() > kHelpColumns) {
      lines += "\n" + indent;
      column = indent.size();
    }
    const bool is_first = column == indent.size();
    lines += (is_first ? "" : " ") + word;
    column += word.size() + (is_first ? 0 : 1);
  }
  return lines;
}

// A command line, broken before its flags so that a shell still reads it as one.
std::string WrappedCommand(const std::string& text) {
  constexpr std::string_view kBreak = " \\\n    ";
  std::string lines;
  size_t column = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(" --", begin + 1), text.size());
    if (column > 0 && column + (end - begin) + 2 > kHelpColumns) {
      lines += kBreak;
      column = 4;
      ++begin;  // the blank that the break stands for
    }
    lines += text.substr(begin, end - begin);
    column += end - begin;
    begin = end;
  }
  return lines;
}

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// " --fast --no-fast"
std::string FlagWords(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
  }
  return words;
}

// The words of a choice, which are its type: "euler|unipc".
std::string ChoiceWords(const CLI::Option& option) {
  std::string words = option.get_type_name();
  if (words.find('|') == std::string::npos) return "";
  if (words.ends_with(kRepeated)) words.resize(words.size() - kRepeated.size());
  std::replace(words.begin(), words.end(), '|', ' ');
  return words;
}

// A branch of a case that offers `words` behind "<command> <flag>".
std::string ChoiceCases(const CLI::App& app, const std::string& command) {
  std::string cases;
  for (const CLI::Option* option : app.get_options()) {
    const std::string words = ChoiceWords(*option);
    if (words.empty() || option->get_lnames().empty()) continue;
    cases += "    '" + command + " --" + option->get_lnames()[0] + "') words='" + words + "' ;;\n";
  }
  return cases;
}

}  // namespace

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  const std::string left =
      "  " + make_option_name(option, is_positional) + make_option_opts(option);
  const std::string indent(get_column_width(), ' ');
  const std::string gap = left.size() < indent.size() ? indent.substr(left.size()) : "\n" + indent;
  return left + gap + Wrapped(make_option_desc(option), indent) + "\n";
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  if (mode != CLI::AppFormatMode::Normal) return CLI::Formatter::make_help(app, name, mode);
  return make_description(app) + make_usage(app, name) + make_positionals(app) +
         MakeSortedGroups(app) + make_subcommands(app, mode) + "\n" + make_footer(app);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  const std::string indent(get_column_width(), ' ');
  const std::string left = "  " + command->get_name();
  const std::string gap = left.size() < indent.size() ? indent.substr(left.size()) : "\n" + indent;
  return left + gap + Wrapped(command->get_description(), indent) + "\n";
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  const std::string footer = app->get_footer();
  if (footer.empty()) return "";
  return (footer.starts_with("Example: ") ? WrappedCommand(footer) : Wrapped(footer, "")) + "\n";
}

std::string HelpFormatter::MakeSortedGroups(const CLI::App* app) const {
  const auto place = [](const std::string& group) {
    return group == kRequiredGroup ? 0 : group == kSharedGroup ? 2 : 1;
  };
  std::vector<std::string> groups = app->get_groups();
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
  std::string text;
  for (const std::string& group : groups) {
    const std::vector<const CLI::Option*> options =
        app->get_options([&](const CLI::Option* option) {
          return option->get_group() == group && option->nonpositional();
        });
    if (!group.empty() && !options.empty()) text += make_group(group, false, options);
  }
  return text;
}

std::string BashCompletion(const CLI::App& app) {
  std::string function = "_" + app.get_name();
  std::replace(function.begin(), function.end(), '-', '_');
  std::string commands;
  std::string flags;  // a branch for each command
  std::string choices;
  for (const CLI::App* command : Commands(app)) {
    const std::string& name = command->get_name();
    commands += (commands.empty() ? "" : " ") + name;
    flags += "    '" + name + "') flags='" + FlagWords(*command) + "' ;;\n";
    choices += ChoiceCases(*command, name);
  }
  flags += "    '') flags='" + FlagWords(app) + "' ;;\n";
  choices += ChoiceCases(app, "");
  return "# " + app.get_name() + ": completion for bash, made by --completion bash\n" + function +
         "() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "  local command='' word words='' flags=''\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \" " +
         commands +
         " \" in *\" $word \"*) command=\"$word\"; break ;; esac\n"
         "  done\n"
         "  case \"$command\" in\n" +
         flags +
         "  esac\n"
         "  case \"$command $before\" in\n" +
         choices +
         "  esac\n"
         "  COMPREPLY=()\n"
         "  if [ -n \"$words\" ]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  elif [[ \"$current\" == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n"
         "  elif [ -z \"$command\" ] && [ -n '" +
         commands +
         "' ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         commands +
         "' -- \"$current\"))\n"
         "  fi\n"
         "  return 0\n"
         "}\n"
         "complete -o default -F " +
         function + " " + app.get_name() + "\n";
}

}  // namespace aim::cli

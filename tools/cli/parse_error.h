// What CLI11 finds wrong in a command line, told as every other error.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace aim::cli {

// Without the line breaks that messages of others hold.
std::string OneLine(std::string text);

// Throws ConfigError: what of the command line is wrong, and what was expected.
[[noreturn]] void ThrowParseError(const CLI::App& app, int argc, char** argv,
                                  const CLI::ParseError& error);

}  // namespace aim::cli

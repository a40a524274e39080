// Help pages, and what is said about a call that cannot be understood.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace drydock::apps {

// What the command does, usage, options by group with their defaults, examples.
class HelpPage : public CLI::FormatterBase {
  public:
    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override;
};

// "drydock data info": the names from the program's down to this command's.
std::string path_of(const CLI::App& app);

// The innermost command that was named in the call.
const CLI::App& innermost(const CLI::App& app);

// One sentence about a call that did not parse.
std::string explain(const CLI::App& app, const CLI::ParseError& error);

}  // namespace drydock::apps

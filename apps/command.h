// What main.cpp needs of a subcommand, and what the subcommands share: options with a default that
// the help shows, whole numbers as people write them, files.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drydock::apps {

// A parsed command and the work it does. `run` gives the exit status: 0 done, 1 a check did not
// hold, interrupted_status() for work that was stopped and saved; it throws for everything else.
struct Command {
    CLI::App* app;
    std::function<int()> run;
};
using Commands = std::vector<Command>;

// One per file. Each adds its command below `parent` and says in `commands` how to run it.
void add_train(CLI::App& parent, Commands& commands);
void add_resume(CLI::App& parent, Commands& commands);
void add_evaluate(CLI::App& parent, Commands& commands);
void add_data_info(CLI::App& parent, Commands& commands);
void add_data_collect(CLI::App& parent, Commands& commands);
void add_verify(CLI::App& parent, Commands& commands);
void add_bench_train(CLI::App& parent, Commands& commands);
void add_bench_kernels(CLI::App& parent, Commands& commands);
void add_policy_inspect(CLI::App& parent, Commands& commands);
void add_policy_selftest(CLI::App& parent, Commands& commands);

// An option that takes a value; `kind` stands for the value in the help ("FILE"). A value that
// `field` holds already is shown as the default.
template <class T>
CLI::Option* add_value(CLI::App& app, const std::string& name, T& field, const std::string& kind,
                       const std::string& help) {
    return app.add_option(name, field, help)->type_name(kind)->capture_default_str();
}

// Accepts 1000000, 1e6 and 1_000_000 for a whole number from `low` on.
CLI::Validator whole_number(std::int64_t low);

// A number above 0.
CLI::Validator above_zero();

// Writes the facts that a page shows, for programs. Throws Error when the file cannot be written.
void write_json(const std::string& path, const nlohmann::ordered_json& facts);

// Throws Error where no file can be put in that place: its folder is not there, or something that
// is no plain file has the name (both usage), or it cannot be written to. For work that takes long
// before there is something to write. `option` is for the error's text.
void check_writable(const std::string& option, const std::string& path);

// A number for JSON, where infinity and NaN are null.
nlohmann::ordered_json json_number(double value);

}  // namespace drydock::apps

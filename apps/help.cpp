#include "apps/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "algorithms/settings.h"
#include "apps/format.h"

namespace drydock::apps {
namespace {

using algorithms::edit_distance;

constexpr int kWidth = 100;

// "; did you mean NAME?", or nothing where no name is near.
std::string suggest(const std::string& name, const std::vector<std::string>& known) {
    const auto nearest = std::min_element(known.begin(), known.end(), [&](auto& a, auto& b) {
        return edit_distance(a, name) < edit_distance(b, name);
    });
    if (nearest == known.end() || edit_distance(*nearest, name) > 1 + name.size() / 3) return "";
    return fmt::format("; did you mean {}?", *nearest);
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](auto*) { return true; })) {
        names.push_back(command->get_name());
    }
    return names;
}

std::vector<std::string> names_of_options(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
}

// What the list of a command's subcommands is called in usage lines.
std::string label_of_commands(const CLI::App& app) {
    return app.get_name() == "train" ? "ALGORITHM" : "COMMAND";
}

// "-o, --out FILE", "TRACE...".
std::string call_of(const CLI::Option& option) {
    if (option.get_positional()) {
        const bool many = option.get_items_expected_max() > 1;
        return option.get_name() + (many ? "..." : "");
    }
    const std::string kind = option.get_type_name();
    const std::string names = option.get_name(false, true);
    const std::size_t comma = names.find(',');
    const std::string spaced = comma == std::string::npos
                                   ? names
                                   : names.substr(0, comma) + ", " + names.substr(comma + 1);
    return option.get_type_size() == 0 || kind.empty() ? spaced : spaced + " " + kind;
}

std::string usage_of(const CLI::App& app) {
    std::string usage = path_of(app);
    if (!names_of_commands(app).empty()) return usage + " " + label_of_commands(app) + " ...";
    for (const CLI::Option* option : app.get_options()) {
        if (!option->get_positional() && !option->get_required()) continue;
        const std::string call = call_of(*option);
        const std::size_t comma = call.find(", ");
        usage += " " + (comma == std::string::npos ? call : call.substr(comma + 2));
    }
    return usage + " [options]";
}

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string lay_out(const std::string& heading, const Lines& lines) {
    int widest = 0;
    for (const auto& [left, right] : lines) widest = std::max(widest, width_of(left));
    widest = std::min(widest, 26);
    std::string out = fmt::format("\n{}\n", paint(heading, Tone::strong));
    for (const auto& [left, right] : lines) {
        const std::string text = wrap(right, kWidth - widest - 4, widest + 4);
        if (width_of(left) > widest) {
            out += fmt::format("  {}\n{:{}}{}\n", left, "", widest + 4, text);
        } else {
            out += fmt::format("  {:<{}}  {}\n", left, widest, text);
        }
    }
    return out;
}

std::string describe(const CLI::Option& option) {
    std::string text = option.get_description();
    const std::string value = option.get_default_str();
    if (option.get_required()) return text + " (required)";
    if (value.empty() || value == "\"\"" || value == "[]") return text;
    return fmt::format("{} (default {})", text, value);
}

Lines lines_of_group(const CLI::App& app, const std::string& group) {
    Lines lines;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group() != group || option == app.get_help_ptr()) continue;
        lines.emplace_back(call_of(*option), describe(*option));
    }
    if (const CLI::Option* help = app.get_help_ptr(); help->get_group() == group) {
        lines.emplace_back(call_of(*help), describe(*help));
    }
    return lines;
}

// The group that every command has comes last. One without a name is hidden.
std::string lay_out_options(const CLI::App& app) {
    const std::string common = app.get_help_ptr()->get_group();
    std::string out;
    for (const std::string& group : app.get_groups()) {
        if (group != common && !group.empty()) out += lay_out(group, lines_of_group(app, group));
    }
    return out + lay_out(common, lines_of_group(app, common));
}

// The first word that no command has taken, and the command that was offered it.
const CLI::App* find_leftover(const CLI::App& app, std::string& word) {
    const auto words = app.remaining();
    if (!words.empty()) {
        word = words.front();
        return &app;
    }
    for (const CLI::App* command : app.get_subcommands()) {
        if (const CLI::App* found = find_leftover(*command, word)) return found;
    }
    return nullptr;
}

std::string explain_leftover(const CLI::App& app, const std::string& word) {
    const auto commands = names_of_commands(app);
    const std::string help = fmt::format("; '{} --help' lists what it takes", path_of(app));
    if (word.size() > 1 && word.front() == '-') {
        const std::string name = word.substr(0, word.find('='));
        const std::string near = suggest(name, names_of_options(app));
        return fmt::format("{} has no option {}{}", path_of(app), name, near.empty() ? help : near);
    }
    if (commands.empty()) {
        return fmt::format("{} did not expect '{}'{}", path_of(app), word, help);
    }
    return fmt::format("expected {} to be one of {}, got '{}'{}",
                       app.get_name() == "train" ? "the algorithm" : "the command",
                       fmt::join(commands, ", "), word, suggest(word, commands));
}

}  // namespace

std::string path_of(const CLI::App& app) {
    const CLI::App* parent = app.get_parent();
    return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

const CLI::App& innermost(const CLI::App& app) {
    const auto named = app.get_subcommands();
    return named.empty() ? app : innermost(*named.front());
}

std::string HelpPage::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
    std::string out = app->get_description() + "\n\n";
    out.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(out.front())));
    out += fmt::format("usage: {}\n", wrap(usage_of(*app), kWidth - 7, 11));
    Lines commands;
    for (const CLI::App* command : app->get_subcommands([](auto*) { return true; })) {
        commands.emplace_back(command->get_name(), command->get_description());
    }
    if (!commands.empty()) {
        out += lay_out(label_of_commands(*app) == "COMMAND" ? "Commands" : "Algorithms", commands);
    }
    out += lay_out_options(*app);
    if (!app->get_footer().empty()) out += "\n" + app->get_footer() + "\n";
    return out;
}

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& command = innermost(app);
    std::string word;
    if (const CLI::App* place = find_leftover(app, word)) return explain_leftover(*place, word);
    if (const auto commands = names_of_commands(command); !commands.empty()) {
        return fmt::format("expected a command after '{}': one of {}", path_of(command),
                           fmt::join(commands, ", "));
    }
    return fmt::format("{} ('{} --help' lists what it takes)", error.what(), path_of(command));
}

}  // namespace drydock::apps

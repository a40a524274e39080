// The drydock command: reads the call, runs the command that it names, turns errors into a line on
// standard error and an exit status.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>

#include "apps/command.h"
#include "apps/help.h"
#include "apps/interrupt.h"
#include "base/error.h"
#include "training/evaluation.h"

namespace drydock::apps {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

int complain(std::string text, int status) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::fflush(stdout);
    fmt::print(stderr, "drydock: {}\n", text);
    return status;
}

void add_commands(CLI::App& app, Commands& commands) {
    app.description("Offline reinforcement learning: from a data file to a scored policy file.");
    app.formatter(std::make_shared<HelpPage>());
    app.set_help_flag("-h,--help", "this page, for every command too");
    app.set_version_flag("--version", "drydock " DRYDOCK_VERSION, "print the version");
    add_train(app, commands);
    add_resume(app, commands);
    add_evaluate(app, commands);
    CLI::App* data = app.add_subcommand("data", "look into data files, make them");
    add_data_info(*data, commands);
    add_data_collect(*data, commands);
    CLI::App* policy = app.add_subcommand("policy", "look into policy files, test them");
    add_policy_inspect(*policy, commands);
    add_policy_selftest(*policy, commands);
    add_verify(app, commands);
    CLI::App* bench = app.add_subcommand("bench", "measure updates and kernels on this machine");
    add_bench_train(*bench, commands);
    add_bench_kernels(*bench, commands);
    // Last: a command takes over the footer that its parent has when it is added.
    app.footer(
        "Example\n"
        "  drydock data collect --environment pendulum --behaviour mixed --episodes 200 -o p.hdf5\n"
        "  drydock data info p.hdf5\n"
        "  drydock train iql --dataset p.hdf5 --environment pendulum --steps 10000 --out runs/p\n"
        "  drydock evaluate runs/p --environment pendulum --episodes 100\n"
        "\nExit status: 0 done, 1 the work failed or a check did not hold, 2 the call was wrong,\n"
        "130 stopped by Ctrl-C (143 by SIGTERM): train, resume and data collect have then saved.");
}

int run(int argc, char** argv) {
    CLI::App app("", "drydock");
    Commands commands;
    add_commands(app, commands);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", innermost(app).help());
        return 0;
    } catch (const CLI::CallForVersion& version) {
        fmt::print("{}\n", version.what());
        return 0;
    } catch (const CLI::ParseError& error) {
        return complain(explain(app, error), kUsage);
    }
    for (const Command& command : commands) {
        if (command.app->parsed()) return command.run();
    }
    return complain(explain(app, CLI::RequiredError("a command")), kUsage);
}

int guarded(int argc, char** argv) {
    // A file that may not grow is an error of the write, not the end of the program.
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        const int status = run(argc, argv);
        if (std::fflush(stdout) != 0) {
            return complain("expected to write to standard output, which refused", kFailure);
        }
        return status;
    } catch (const training::Stopped& stopped) {  // before there was anything to save
        return complain(stopped.what(), interrupted_status());
    } catch (const Error& error) {
        return complain(error.what(), error.kind() == ErrorKind::usage ? kUsage : kFailure);
    } catch (const std::bad_alloc&) {
        return complain(
            "expected enough memory for the data and the networks, got too little; "
            "free some, or take a smaller data set",
            kFailure);
    } catch (const std::exception& error) {
        return complain(fmt::format("unexpected: {}", error.what()), kFailure);
    }
}

}  // namespace
}  // namespace drydock::apps

int main(int argc, char** argv) { return drydock::apps::guarded(argc, argv); }

#include "data/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace drydock::data {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

// "max", and a file that is not there, are no number.
double number_in(const std::string& path) {
    std::ifstream file(path);
    double value = 0;
    return file >> value && value > 0 ? value : kNone;
}

// The least limit of `group` ("/a/b") and of the groups around it. Inside a container the path may
// be that of the host; the folders that are there count.
double limit_of(const std::string& folder, std::string group, const char* name) {
    double least = number_in(folder + "/" + name);
    while (group.size() > 1) {
        least = std::min(least, number_in(folder + group + "/" + name));
        group.resize(group.rfind('/'));
    }
    return least;
}

bool names_memory(const std::string& controllers) {
    return ("," + controllers + ",").find(",memory,") != std::string::npos;
}

// Of the control groups that proc/self/cgroup lists, "number:controllers:/path" a line.
double group_limit(const std::string& root) {
    std::ifstream groups(root + "proc/self/cgroup");
    const std::string mount = root + "sys/fs/cgroup";
    double least = kNone;
    for (std::string line; std::getline(groups, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos || line.compare(second + 1, 1, "/") != 0) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (controllers.empty()) {
            least = std::min(least, limit_of(mount, group, "memory.max"));
        } else if (names_memory(controllers)) {
            least = std::min(least, limit_of(mount + "/memory", group, "memory.limit_in_bytes"));
        }
    }
    return least;
}

}  // namespace

double memory_limit(const std::string& root) {
    const double machine =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
    return std::min(machine, group_limit(root));
}

}  // namespace drydock::data

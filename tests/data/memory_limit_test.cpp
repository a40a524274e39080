#include "data/memory_limit.h"

#include <doctest/doctest.h>

#include "tests/data/files.h"

namespace drydock::data {
namespace {

// A system of files of its own, with the process in the groups `listed`.
class Root {
  public:
    explicit Root(const std::string& listed) { put("proc/self/cgroup", listed); }
    void put(const std::string& name, const std::string& text) const {
        const std::filesystem::path path = folder_ / name;
        std::filesystem::create_directories(path.parent_path());
        write_bytes(path, text);
    }
    double limit() const { return memory_limit(folder_ / ""); }

  private:
    TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("the least limit of the control groups around a process counts") {
    const Root root("0::/user/job\n");
    const double machine = root.limit();
    CHECK(machine > 1e8);
    root.put("sys/fs/cgroup/user/job/memory.max", "max\n");
    CHECK(root.limit() == machine);
    root.put("sys/fs/cgroup/user/memory.max", "3000000\n");
    CHECK(root.limit() == 3e6);
    root.put("sys/fs/cgroup/user/job/memory.max", "2000000\n");
    CHECK(root.limit() == 2e6);
    root.put("sys/fs/cgroup/memory.max", "1000000\n");  // as a container sees its own group
    CHECK(root.limit() == 1e6);
}

TEST_CASE("control groups of version 1 limit too, others and nonsense do not") {
    const Root root("12:cpu,cpuacct:/a\n9:memory:/a/b\nnonsense\n3:name=systemd\n0::/\n");
    const double machine = root.limit();
    root.put("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    root.put("sys/fs/cgroup/cpu,cpuacct/a/memory.limit_in_bytes", "5\n");
    root.put("sys/fs/cgroup/memory.max", "-7 apples\n");
    CHECK(root.limit() == machine);
    root.put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4000000\n");
    CHECK(root.limit() == 4e6);
}

}  // namespace drydock::data

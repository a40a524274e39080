// Every allocation and every call of the small paths in turn: what is read and written whole.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/faults/attempt.h"
#include "tests/training/support.h"
#include "training/checkpoint.h"
#include "training/export.h"
#include "training/loaded_policy.h"
#include "training/run_tables.h"

namespace drydock::faults {
namespace {

using drydock::testing::SmallRun;
using drydock::testing::state_bytes;
using drydock::testing::TemporaryFolder;

using Bytes = std::vector<std::byte>;

constexpr Fault kAll[] = {Fault::no_memory, Fault::memory_gone,    Fault::io_error,
                          Fault::disk_full, Fault::short_transfer, Fault::interrupted};

void check(const Operation& operation, std::span<const Fault> faults = kAll) {
    for (const Fault fault : faults) {
        const Count count = try_all(operation, fault);
        INFO(operation.name, ", ", std::string(name_of(fault)), ": ", count.calls,
             " calls failed, ", count.reported, " reported");
        CHECK_MESSAGE(count.problems.empty(), count.problems);
        // Nothing here gets by without memory and calls.
        if (fault == Fault::no_memory || fault == Fault::io_error) CHECK(count.reported > 0);
        if (fault == Fault::disk_full) CHECK((count.reported > 0) == operation.writes);
        if (fault == Fault::short_transfer || fault == Fault::interrupted) {
            CHECK(count.calls > 0);
            CHECK(count.reported == 0);
        }
    }
}

Bytes bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
    const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
    return {first, first + bytes.size()};
}

void put(const std::string& path, const Bytes& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
}

// A writer of a file that was there before.
Operation writer(const std::string& name, const TemporaryFolder& folder, const std::string& file,
                 const std::function<void(const std::string&)>& write) {
    const std::string path = folder.file(file);
    write(path);
    const Bytes fresh = bytes_of(path), old(100, std::byte{7});
    REQUIRE(!fresh.empty());
    Operation o;
    o.name = name;
    o.folder = folder.file("");
    o.reset = [=] { put(path, old); };
    o.run = [=] { write(path); };
    o.before = [=] { return bytes_of(path) == old; };
    o.after = [=] { return bytes_of(path) == fresh; };
    o.writes = true;
    return o;
}

// A reader whose result is compared with what it gives without faults.
template <class Result>
Operation reader(const std::string& name, const TemporaryFolder& folder,
                 const std::function<Result()>& read,
                 const std::function<bool(const Result&, const Result&)>& same) {
    const auto want = std::make_shared<Result>(read());
    const auto got = std::make_shared<std::unique_ptr<Result>>();
    Operation o;
    o.name = name;
    o.folder = folder.file("");
    o.reset = [=] { got->reset(); };
    o.run = [=] { *got = std::make_unique<Result>(read()); };
    o.before = [=] { return !*got; };
    o.after = [=] { return *got && same(**got, *want); };
    return o;
}

TensorFile example() {
    const std::vector<float> f32 = {1.5f, -2.0f, 3.0f};
    const std::vector<double> f64 = {0.1};
    TensorFile file;
    file.metadata = {{"key", "text that is too long for the place inside a std::string"}};
    file.tensors["z"] = TensorData::of({1, 3}, std::span(f32));
    file.tensors["a tensor with a name that is long"] = TensorData::of({}, std::span(f64));
    return file;
}

bool same_tensors(const TensorFile& a, const TensorFile& b) {
    return a.metadata == b.metadata && serialize(a) == serialize(b);
}

TEST_CASE("faults: a safetensors file is written whole or not at all") {
    const TemporaryFolder folder;
    check(writer("write_tensor_file", folder, "a.safetensors",
                 [file = example()](const std::string& path) { write_tensor_file(path, file); }));
}

TEST_CASE("faults: a safetensors file is read whole or not at all") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.safetensors");
    write_tensor_file(path, example());
    check(reader<TensorFile>(
        "read_tensor_file", folder, [=] { return read_tensor_file(path); }, same_tensors));
}

TEST_CASE("faults: any bytes are written whole or not at all") {
    const TemporaryFolder folder;
    const Bytes bytes(5000, std::byte{3});
    check(writer("write_atomically", folder, "result.json",
                 [=](const std::string& path) { write_atomically(path, bytes); }));
}

TEST_CASE("faults: a checkpoint is saved whole or not at all") {
    const TemporaryFolder folder;
    const auto run = std::make_shared<SmallRun>();
    run->session->run(3);
    check(writer("save_checkpoint", folder, "checkpoint.safetensors", [=](const std::string& path) {
        training::save_checkpoint(path, run->session->state(), {{"note", "kept"}});
    }));
}

TEST_CASE("faults: a checkpoint is loaded whole, or the state stays as it was") {
    const TemporaryFolder folder;
    const std::string path = folder.file("checkpoint.safetensors");
    const auto saved = std::make_shared<SmallRun>(), other = std::make_shared<SmallRun>(1, 99);
    saved->session->run(3);
    training::save_checkpoint(path, saved->session->state(), {});
    const std::string start = folder.file("start.safetensors");
    training::save_checkpoint(start, other->session->state(), {});
    training::load_checkpoint(start, other->session->state());
    const auto before = state_bytes(other->session->state());
    training::load_checkpoint(path, other->session->state());
    const auto after = state_bytes(other->session->state());
    Operation o;
    o.name = "load_checkpoint";
    o.folder = folder.file("");
    o.reset = [=] { training::load_checkpoint(start, other->session->state()); };
    o.run = [=] { training::load_checkpoint(path, other->session->state()); };
    o.before = [=] { return state_bytes(other->session->state()) == before; };
    o.after = [=] { return state_bytes(other->session->state()) == after; };
    check(o);
}

TEST_CASE("faults: a policy file is made and written whole or not at all") {
    const TemporaryFolder folder;
    const auto run = std::make_shared<SmallRun>();
    check(writer("make_policy_file", folder, "policy.safetensors", [=](const std::string& path) {
        write_tensor_file(path, training::make_policy_file(*run->session, run->data,
                                                           {"iql", "corl", "pendulum", 7, 0.5}));
    }));
}

TEST_CASE("faults: a policy file is loaded and acts, or is refused") {
    const TemporaryFolder folder;
    SmallRun run;
    const std::string path = folder.file("policy.safetensors");
    write_tensor_file(path, training::make_policy_file(*run.session, run.data, {}));
    const auto act = [=] {
        const auto policy = training::LoadedPolicy::from_file(path);
        training::PolicyContext context(policy);
        std::vector<float> action(policy.action_size());
        context.act(std::vector<float>(policy.observation_size(), 0.3f), action);
        return action;
    };
    check(reader<std::vector<float>>("LoadedPolicy", folder, act, std::equal_to<>()));
}

TEST_CASE("faults: a row of a CSV file is written or reported") {
    const TemporaryFolder folder;
    Operation o = writer("CsvFile", folder, "metrics.csv", [](const std::string& path) {
        training::CsvFile file(path, "step,loss");
        file.add("20,0.5");
    });
    o.before = [] { return true; };  // a new run begins these files anew
    check(o);
}

// A thousand allocations, each in new processes: that all which follow fail too is left out.
constexpr Fault kOnceEach[] = {Fault::no_memory, Fault::io_error, Fault::disk_full,
                               Fault::short_transfer, Fault::interrupted};

data::Dataset small_data() {
    data::Dataset d;
    d.rows = 5;
    d.observation_size = 3;
    d.action_size = 1;
    d.observations.assign(15, 0.5f);
    d.next_observations.assign(15, 0.25f);
    d.actions.assign(5, -0.5f);
    d.rewards.assign(5, 1.0f);
    d.terminals = {0, 0, 1, 0, 0};
    d.timeouts = {0, 0, 0, 0, 1};
    d.attributes = {{"environment", "none"}};
    return d;
}

TEST_CASE("faults: a data set is written whole or not at all") {
    const TemporaryFolder folder;
    Operation o = writer("write_d4rl", folder, "data.hdf5",
                         [d = small_data()](const std::string& p) { data::write_d4rl(p, d); });
    // The library lays a file out otherwise where it has to do without some memory.
    const std::string path = folder.file("data.hdf5");
    o.after = [=, whole = o.after, want = small_data()] {
        if (whole()) return true;
        const data::Dataset d = data::read_d4rl(path);
        return d.observations == want.observations && d.rewards == want.rewards &&
               d.next_observations == want.next_observations && d.actions == want.actions &&
               d.terminals == want.terminals && d.timeouts == want.timeouts &&
               d.attributes == want.attributes;
    };
    check(o, kOnceEach);
}

TEST_CASE("faults: a data set is read whole or not at all") {
    const TemporaryFolder folder;
    const std::string path = folder.file("data.hdf5");
    data::write_d4rl(path, small_data());
    // Attributes and facts are told as far as they can be read: they are for people.
    const auto same = [](const data::Dataset& a, const data::Dataset& b) {
        return a.observations == b.observations && a.rewards == b.rewards &&
               a.next_observations == b.next_observations && a.actions == b.actions &&
               a.terminals == b.terminals && a.timeouts == b.timeouts && a.sha256 == b.sha256;
    };
    const Operation o = reader<data::Dataset>(
        "read_d4rl", folder, [=] { return data::read_d4rl(path); }, same);
    check(o, kOnceEach);
}

// --- What shows that these checks can fail ---

// A writer with every mistake: it leaks a descriptor, overwrites in place and says nothing.
void careless_write(const std::string& path) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (::write(file, "new", 3) < 0) return;
    ::close(file);
}

TEST_CASE("faults: a careless writer is caught") {
    const TemporaryFolder folder;
    const Operation o = writer("careless_write", folder, "a", careless_write);
    const Count full = try_all(o, Fault::disk_full);
    CHECK(full.calls == 2);
    CHECK(full.problems.find("it said nothing") != std::string::npos);
    CHECK(try_all(o, Fault::short_transfer).problems.find("the result is wrong") !=
          std::string::npos);
}

TEST_CASE("faults: leaks, leftovers and crashes are caught") {
    const TemporaryFolder folder;
    Operation o = writer("careless", folder, "a",
                         [](const std::string& path) { write_atomically(path, Bytes(3)); });
    const auto good = o.run;
    o.run = [=] {
        if (::open("/dev/null", O_RDONLY) >= 0) good();  // and never closed
    };
    CHECK(try_all(o, Fault::no_memory).problems.find("left open") != std::string::npos);
    const std::string draft = folder.file("draft");
    o.reset = [=] { std::filesystem::remove(draft); };
    o.before = [] { return true; };
    o.run = [=] {
        put(draft, Bytes(3));
        good();
    };
    CHECK(try_all(o, Fault::no_memory).problems.find("left behind") != std::string::npos);
    o.reset();
    o.run = [=] {
        try {
            good();
        } catch (const Error&) {
            std::abort();
        }
    };
    o.isolated = true;
    CHECK(try_all(o, Fault::disk_full).problems.find("signal 6") != std::string::npos);
}

}  // namespace
}  // namespace drydock::faults

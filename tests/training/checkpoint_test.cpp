#include "training/checkpoint.h"

#include <doctest/doctest.h>

#include "core/safetensors.h"
#include "tests/training/support.h"

namespace drydock {
namespace {

using testing::error_of;
using testing::SmallRun;
using training::load_checkpoint;
using training::save_checkpoint;

TEST_CASE("30 updates, a checkpoint and 30 more equal 60 bit for bit") {
    const testing::TemporaryFolder folder;
    const std::string path = folder.file("checkpoint.safetensors");
    SmallRun whole, first;
    whole.session->run(60);
    first.session->run(30);
    save_checkpoint(path, first.session->state(), {{"note", "half way"}});

    SmallRun second(1, 99);  // another seed: what is loaded must replace everything
    CHECK(load_checkpoint(path, second.session->state()).at("note") == "half way");
    CHECK(second.session->step() == 30);
    second.session->run(30);
    CHECK(testing::state_bytes(second.session->state()) ==
          testing::state_bytes(whole.session->state()));
}

TEST_CASE("a checkpoint is not loaded into other networks") {
    const testing::TemporaryFolder folder;
    const std::string path = folder.file("checkpoint.safetensors");
    SmallRun run;
    run.session->run(3);
    save_checkpoint(path, run.session->state(), {});
    const auto before = testing::state_bytes(run.session->state());
    const auto refuse = [&](auto change) {
        TensorFile file = read_tensor_file(path);
        change(file);
        write_tensor_file(folder.file("changed.safetensors"), file);
        const std::string error = error_of(
            [&] { load_checkpoint(folder.file("changed.safetensors"), run.session->state()); });
        CHECK(testing::state_bytes(run.session->state()) == before);
        return error;
    };
    CHECK(testing::contains(refuse([](TensorFile& f) { f.metadata["format"] = "pt"; }),
                            "drydock.checkpoint"));
    CHECK(testing::contains(
        refuse([](TensorFile& f) { f.tensors.erase("first_moments/v.layers.0.bias"); }),
        "first_moments/v.layers.0.bias"));
    CHECK(testing::contains(
        refuse([](TensorFile& f) { f.tensors["extra"] = f.tensor("counters/step"); }), "tensors"));
    CHECK(testing::contains(refuse([](TensorFile& f) {
                                f.tensors["parameters/v.layers.0.bias"].shape = {4, 4};
                            }),
                            "(4, 4)"));
}

TEST_CASE("parameters that are not finite are not saved, and the old checkpoint stays") {
    const testing::TemporaryFolder folder;
    const std::string path = folder.file("checkpoint.safetensors");
    SmallRun run;
    save_checkpoint(path, run.session->state(), {});
    const auto old = read_bytes(path);
    const auto v = training::find_parameter(run.session->state(), "v.layers.0.bias");
    REQUIRE(v);
    std::vector<double> values = v->group->read(v->index);
    values[1] = 1.0 / 0.0;
    v->group->write(v->index, values);
    CHECK(testing::contains(error_of([&] { save_checkpoint(path, run.session->state(), {}); }),
                            "v.layers.0.bias"));
    CHECK(read_bytes(path) == old);
}

}  // namespace
}  // namespace drydock

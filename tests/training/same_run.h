// Whether two run folders hold the same run, but for the times in them.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "core/safetensors.h"
#include "training/run_tables.h"

namespace drydock::testing {

inline void check_same_run(const std::string& got, const std::string& want) {
    for (const char* name :
         {"checkpoint.safetensors", "policy.safetensors", "config.toml", "evaluations.csv"}) {
        CHECK_MESSAGE(read_bytes(got + "/" + name) == read_bytes(want + "/" + name), name);
    }
    // All but the column of seconds.
    const auto rows = training::read_rows(got + "/metrics.csv");
    const auto wanted = training::read_rows(want + "/metrics.csv");
    REQUIRE(rows.size() == wanted.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto without_seconds = [](const std::string& row) {
            const std::size_t first = row.find(','), second = row.find(',', first + 1);
            return row.substr(0, first) + row.substr(second);
        };
        CHECK(without_seconds(rows[i]) == without_seconds(wanted[i]));
    }
}

}  // namespace drydock::testing

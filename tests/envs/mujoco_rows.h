// What gymnasium's v4 classes do, as make_mujoco_rows.py wrote it down.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "envs/mujoco.h"

namespace drydock::envs {

struct MujocoRow {
    std::string kind;
    MujocoState before;
    std::vector<float> action;
    MujocoState after;
    double reward = 0;
    bool terminated = false;
    std::vector<double> observation;
};

// The lines after the header as numbers, with the first field apart.
inline std::vector<std::pair<std::string, std::vector<double>>> lines_of(const std::string& path) {
    std::vector<std::pair<std::string, std::vector<double>>> lines;
    std::ifstream file(path);
    std::string line, field;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::stringstream fields(line);
        auto& added = lines.emplace_back();
        std::getline(fields, added.first, ',');
        while (std::getline(fields, field, ',')) added.second.push_back(std::stod(field));
    }
    return lines;
}

inline std::vector<MujocoRow> mujoco_rows(const MujocoTask& task) {
    std::vector<MujocoRow> rows;
    for (const auto& [kind, numbers] :
         lines_of(DRYDOCK_TEST_DATA "/mujoco_rows_" + std::string(task.name) + ".csv")) {
        auto next = numbers.begin();
        const auto take = [&next](std::int64_t count) {
            const auto first = next;
            next += count;
            return std::vector<double>(first, next);
        };
        MujocoRow row;
        row.kind = kind;
        row.before = {take(task.positions), take(task.velocities)};
        for (const double a : take(task.actions)) row.action.push_back(static_cast<float>(a));
        row.after = {take(task.positions), take(task.velocities)};
        row.reward = *next++;
        row.terminated = *next++ != 0;
        row.observation = take(task.positions - 1 + task.velocities);
        REQUIRE(next == numbers.end());
        rows.push_back(std::move(row));
    }
    REQUIRE(rows.size() > 80);
    return rows;
}

// Says so and returns true where libmujoco or the model files are missing.
inline bool skipped(const MujocoTask& task) {
    const std::string obstacle = mujoco_obstacle(task);
    if (obstacle.empty()) return false;
    MESSAGE("skipped: " << obstacle);
    return true;
}

}  // namespace drydock::envs

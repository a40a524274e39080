// The rows that make_fixtures.py writes, and small data sets for single cases.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "base/error.h"
#include "data/dataset.h"

namespace drydock::data {

inline Dataset example_dataset() {
    Dataset d;
    d.rows = 12;
    d.observation_size = 3;
    d.action_size = 2;
    for (int i = 0; i < 12; ++i) {
        const bool end = i == 4 || i == 9;
        for (int j = 0; j < 3; ++j) {
            const float observation = static_cast<float>(i) + static_cast<float>(j) / 8;
            d.observations.push_back(observation);
            d.next_observations.push_back(observation + (end ? 101.0f : 1.0f));
        }
        for (int j = 0; j < 2; ++j) {
            d.actions.push_back(static_cast<float>((3 * i + j) % 9 - 4) / 4);
        }
        d.rewards.push_back(static_cast<float>(i) / 2 - 3);
        d.terminals.push_back(i == 4);
        d.timeouts.push_back(i == 9);
    }
    return d;
}

// One-dimensional rows from flags alone: observation i is i, action -i / rows, reward 10 i and the
// stored next observation, where wanted, i + 0.5.
inline Dataset flag_dataset(const std::string& terminals, const std::string& timeouts,
                            bool stored_next) {
    Dataset d;
    d.rows = static_cast<std::int64_t>(terminals.size());
    d.observation_size = 1;
    d.action_size = 1;
    for (std::size_t i = 0; i < terminals.size(); ++i) {
        const auto x = static_cast<float>(i);
        d.observations.push_back(x);
        d.actions.push_back(-x / static_cast<float>(terminals.size()));
        d.rewards.push_back(10 * x);
        d.terminals.push_back(terminals[i] == '1');
        if (!timeouts.empty()) d.timeouts.push_back(timeouts[i] == '1');
        if (stored_next) d.next_observations.push_back(x + 0.5f);
    }
    return d;
}

// The text of the drydock::Error that `call` throws, "nothing thrown" when it returns.
template <class Call>
std::string message_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing thrown";
}

inline bool has_all(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts) {
        if (text.find(part) == std::string::npos) return false;
    }
    return true;
}

}  // namespace drydock::data

// What `drydock bench train --explain` tells of an update's programs.
#pragma once

#include <nlohmann/json.hpp>

#include "measure/updates.h"

namespace drydock::apps {

// Times the nodes and prints passes, schedule, nodes and totals by kind; returns the same facts.
nlohmann::ordered_json explain_updates(measure::UpdateBench& bench);

}  // namespace drydock::apps

#include "core/program.h"

#include <fmt/format.h>

namespace drydock {

std::string Program::describe(const Node& node) const {
    std::string text = info(node.op).name;
    if (node.label >= 0) text += " " + labels[static_cast<std::size_t>(node.label)];
    for (int i = 0; i < node.input_count; ++i) {
        text += (i ? ", " : " ") + to_string(value(node.inputs[static_cast<std::size_t>(i)]).shape);
    }
    for (int i = 0; i < node.output_count; ++i) {
        text +=
            (i ? ", " : " -> ") + to_string(value(node.outputs[static_cast<std::size_t>(i)]).shape);
    }
    return text;
}

std::string Program::dump() const {
    std::string text;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        text += fmt::format("{:4}  {}\n", i, describe(nodes[i]));
    }
    return text;
}

}  // namespace drydock

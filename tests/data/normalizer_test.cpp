#include "data/normalizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/data/example.h"

namespace drydock::data {

TEST_CASE("mean and population deviation, epsilon added") {
    const std::vector<float> rows = {1, 10, 2, 10, 3, 10, 6, 10};
    const Normalizer n = fit_normalizer(rows, 2, 1e-3);
    CHECK(n.mean == std::vector<float>{3, 10});
    CHECK(double{n.std[0]} == doctest::Approx(std::sqrt(3.5) + 1e-3).epsilon(1e-6));
    CHECK(double{n.std[1]} == doctest::Approx(1e-3).epsilon(1e-6));
}

TEST_CASE("a large offset does not spoil the deviation") {
    std::vector<float> rows;
    for (int i = 0; i < 100000; ++i) rows.push_back(4096.0f + static_cast<float>(i % 2));
    const Normalizer n = fit_normalizer(rows, 1, 0.0);
    CHECK(n.mean[0] == 4096.5f);
    CHECK(n.std[0] == 0.5f);
}

TEST_CASE("statistics come from the observations, and are applied to both columns") {
    Transitions t = make_transitions(example_dataset(), {TransitionView::corrected});
    const std::vector<float> observations = t.observations;
    const std::vector<float> next = t.next_observations;
    const Normalizer n = fit_normalizer(t);
    CHECK(n.mean == std::vector<float>{5.5f, 5.625f, 5.75f});
    n.apply(t);
    for (std::size_t i = 0; i < observations.size(); ++i) {
        CHECK(t.observations[i] == (observations[i] - n.mean[i % 3]) / n.std[i % 3]);
        CHECK(t.next_observations[i] == (next[i] - n.mean[i % 3]) / n.std[i % 3]);
    }
}

TEST_CASE("the identity changes no bit and says that it is one") {
    Transitions t = make_transitions(example_dataset());
    const std::vector<float> before = t.observations;
    const Normalizer n = Normalizer::identity(3);
    n.apply(t);
    CHECK(t.observations == before);
    CHECK(n.is_identity());
    CHECK_FALSE(fit_normalizer(t).is_identity());
}

TEST_CASE("sizes that do not fit and constant dimensions without epsilon are refused") {
    Transitions t = make_transitions(example_dataset());
    CHECK(has_all(message_of([&] { Normalizer::identity(2).apply(t); }), {"size 2", "got 3"}));
    CHECK(has_all(message_of([] { fit_normalizer(std::vector<float>{}, 3); }), {"got 0"}));
    CHECK(has_all(message_of([] {
                      fit_normalizer(std::vector<float>{7, 7}, 1, 0.0);
                  }),
                  {"constant 7", "dimension 0"}));
}

}  // namespace drydock::data

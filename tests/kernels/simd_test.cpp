// Every page of base/simd.h: the scalar page against its definitions, the others against it.
#include "tests/kernels/harness.h"
#include "tests/kernels/simd_pages.h"

using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

using Page = void (*)(const PageInput&, float*, float*);

struct PageOutput {
    Guarded<float> results{kPageResults * 8}, first_n{8};
};

struct PageCase {
    Guarded<float> a{64, 1, -2, 2}, b{8, 2, -2, 2}, c{8, 3, -2, 2};

    PageCase() {
        const float inf = std::numeric_limits<float>::infinity();
        a[0] = std::numeric_limits<float>::quiet_NaN();
        b[1] = std::numeric_limits<float>::quiet_NaN();
        a[2] = -inf;
        a[3] = 0;
        b[3] = -0.0f;
        b[4] = 0;
    }
    PageOutput run(Page page, std::int64_t n) const {
        PageOutput out;
        page({a.data(), b.data(), c.data(), n}, out.results.data(), out.first_n.data());
        return out;
    }
};

bool same(float a, float b) {
    return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0;
}

}  // namespace

TEST_CASE("the scalar page does what it says") {
    const PageCase c;
    for (int n = 0; n <= 8; ++n) {
        const PageOutput out = c.run(scalar_page, n);
        const auto result = [&](int k, int lane) { return out.results[k * 8 + lane]; };
        for (int i = 0; i < 8; ++i) {
            INFO("n ", n, " i ", i);
            const float a = c.a[i], b = c.b[i];
            CHECK(same(result(0, i), a + b));
            CHECK(same(result(1, i), a - b));
            CHECK(same(result(2, i), a * b));
            CHECK(same(result(3, i), a / b));
            CHECK(same(result(4, i), std::sqrt(a)));
            CHECK(same(result(5, i), std::fma(a, b, c.c[i])));
            CHECK(same(result(6, i), a > b ? a : b));
            CHECK(same(result(7, i), a > b ? b : c.c[i]));
            CHECK(same(result(8, i), i < n ? a : 0));
            CHECK(same(result(9, i), 0));
            CHECK(same(result(10, i), c.b[1]));
            for (int j = 0; j < 8; ++j) CHECK(same(result(12 + i, j), c.a[j * 8 + i]));
            CHECK(same(out.first_n[i], i < n ? a : Guarded<float>::kSentinel));
        }
        CHECK(out.first_n.intact());
    }
    PageCase finite;
    for (int i = 0; i < 4; ++i) finite.a[i] = 0.1f * static_cast<float>(i);
    float sum = 0;
    for (int i = 0; i < 8; ++i) sum += finite.a[i];
    CHECK(finite.run(scalar_page, 8).results[11 * 8] == doctest::Approx(sum));
}

#if defined(DRYDOCK_HAS_AVX2)
TEST_CASE("the avx2 page gives the bits of the scalar page") {
    if (best_isa() < Isa::avx2) {
        MESSAGE("skipped: this processor has no avx2");
        return;
    }
    PageCase finite;
    for (int i = 0; i < 5; ++i) finite.a[i] = 0.1f * static_cast<float>(i);
    for (const PageCase& c : {PageCase(), finite}) {
        for (int n = 0; n <= 8; ++n) {
            const PageOutput want = c.run(scalar_page, n), got = c.run(avx2_page, n);
            for (int i = 0; i < want.results.size(); ++i) {
                INFO("n ", n, " i ", i);
                CHECK(same(got.results[i], want.results[i]));
            }
            for (int i = 0; i < 8; ++i) CHECK(same(got.first_n[i], want.first_n[i]));
            CHECK(got.first_n.intact());
        }
    }
}
#endif

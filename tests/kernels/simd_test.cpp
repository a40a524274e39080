// Every page of base/simd.h: the scalar page against its definitions, the others against it.
#include <bit>

#include "tests/kernels/harness.h"
#include "tests/kernels/simd_pages.h"

using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

using Page = void (*)(const PageInput&, float*, float*);

// The scalar page, and the page of an instruction set that has as many lanes.
struct Pair {
    Isa isa;
    int lanes;
    Page scalar, page;
};

constexpr Pair kPairs[] = {
    {Isa::portable, 4, scalar4_page, portable_page},
#if defined(DRYDOCK_HAS_AVX2)
    {Isa::avx2, 8, scalar8_page, avx2_page},
    {Isa::avx512, 16, scalar16_page, avx512_page},
#elif defined(DRYDOCK_HAS_NEON)
    {Isa::neon, 4, scalar4_page, neon_page},
#endif
};

struct PageOutput {
    Guarded<float> results, first_n;

    explicit PageOutput(int lanes) : results(page_results(lanes) * lanes), first_n(lanes) {}
};

struct PageCase {
    int lanes;
    Guarded<float> a, b, c;

    explicit PageCase(int n) : lanes(n), a(n * n, 1, -2, 2), b(n, 2, -2, 2), c(n, 3, -2, 2) {
        const float inf = std::numeric_limits<float>::infinity();
        a[0] = std::numeric_limits<float>::quiet_NaN();
        b[1] = std::numeric_limits<float>::quiet_NaN();
        a[2] = -inf;
        a[3] = 0;
        b[3] = -0.0f;
    }
    static PageCase finite(int n) {
        PageCase made(n);
        for (int i = 0; i < n; ++i) made.a[i] = 0.1f * static_cast<float>(i);
        return made;
    }
    PageOutput run(Page page, std::int64_t n) const {
        PageOutput out(lanes);
        page({a.data(), b.data(), c.data(), n}, out.results.data(), out.first_n.data());
        return out;
    }
};

bool same(float a, float b) {
    return (std::isnan(a) && std::isnan(b)) ||
           std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

void check_scalar(const PageCase& c, Page scalar, int n) {
    const PageOutput out = c.run(scalar, n);
    const auto result = [&](int k, int lane) { return out.results[k * c.lanes + lane]; };
    for (int i = 0; i < c.lanes; ++i) {
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
        for (int j = 0; j < c.lanes; ++j) CHECK(same(result(12 + i, j), c.a[j * c.lanes + i]));
        CHECK(same(out.first_n[i], i < n ? a : Guarded<float>::kSentinel));
    }
    CHECK(out.first_n.intact());
}

}  // namespace

TEST_CASE("the scalar page does what it says, whatever its lanes") {
    for (const auto& page :
         {std::pair<int, Page>{4, scalar4_page}, {8, scalar8_page}, {16, scalar16_page}}) {
        const int lanes = page.first;
        const Page scalar = page.second;
        INFO("lanes ", lanes);
        for (int n = 0; n <= lanes; ++n) check_scalar(PageCase(lanes), scalar, n);
        const PageCase finite = PageCase::finite(lanes);
        float sum = 0;
        for (int i = 0; i < lanes; ++i) sum += finite.a[i];
        CHECK(finite.run(scalar, lanes).results[11 * lanes] == doctest::Approx(sum));
    }
}

TEST_CASE("every page gives the bits of the scalar page") {
    for (const Pair& pair : kPairs) {
        INFO("isa ", name_of(pair.isa));
        if (!has_isa(pair.isa)) {
            MESSAGE("skipped: this processor has no ", std::string(name_of(pair.isa)));
            continue;
        }
        for (const PageCase& c : {PageCase(pair.lanes), PageCase::finite(pair.lanes)}) {
            for (int n = 0; n <= pair.lanes; ++n) {
                const PageOutput want = c.run(pair.scalar, n), got = c.run(pair.page, n);
                for (int i = 0; i < want.results.size() - pair.lanes; ++i) {
                    INFO("n ", n, " i ", i);
                    CHECK(same(got.results[i], want.results[i]));
                }
                for (int i = 0; i < pair.lanes; ++i) CHECK(same(got.first_n[i], want.first_n[i]));
                CHECK(got.first_n.intact());
            }
        }
    }
}

TEST_CASE("multiply_add rounds once on vectors with an fma and twice on the portable page") {
    for (const Pair& pair : kPairs) {
        if (!has_isa(pair.isa)) continue;
        INFO("isa ", name_of(pair.isa));
        const PageCase c = PageCase::finite(pair.lanes);
        const PageOutput out = c.run(pair.page, 0);
        for (int i = 0; i < pair.lanes; ++i) {
            const float twice = c.a[i] * c.b[i] + c.c[i];
            const float want = pair.isa == Isa::portable ? twice : std::fma(c.a[i], c.b[i], c.c[i]);
            CHECK(same(out.results[(page_results(pair.lanes) - 1) * pair.lanes + i], want));
        }
    }
}

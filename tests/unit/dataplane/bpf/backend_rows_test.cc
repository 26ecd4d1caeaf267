#include "dataplane/bpf/backend_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "ebpf/abi/socket.h"

namespace heddle::bpf {
namespace {

using dataplane::BackendAddress;
using dataplane::BackendUse;
using ::testing::ElementsAre;

BackendAddress backend(std::uint32_t number, std::uint8_t weight = 1,
                       BackendUse use = BackendUse::ready) {
  return {IpAddr::v4(0x0a280000U + number), 80, use, weight};
}

std::map<BackendAddress, int> counts(const BackendRows& made) {
  std::map<BackendAddress, int> counts;
  for (std::size_t row = 0; row < made.ready; ++row) ++counts[made.rows[row]];
  return counts;
}

TEST(BackendRows, WithoutWeightsEachHasOne) {
  const BackendRows made = rows_of({backend(1), backend(2), backend(3)});
  EXPECT_THAT(made.rows, ElementsAre(backend(1), backend(2), backend(3)));
  EXPECT_EQ(made.ready, 3U);
  EXPECT_EQ(rows_of({}).rows.size(), 0U);
  EXPECT_EQ(rows_of({backend(1, 7), backend(2, 7)}).rows.size(), 2U) << "equal ones are no weights";
}

TEST(BackendRows, WeightsAreSpreadEvenly) {
  const BackendRows made = rows_of({backend(1, 20), backend(2, 4), backend(3, 4)});
  EXPECT_THAT(made.rows, ElementsAre(backend(1, 20), backend(1, 20), backend(2, 4), backend(1, 20),
                                     backend(3, 4), backend(1, 20), backend(1, 20)));
}

TEST(BackendRows, WhoGetsNoNewFlowsComesAfterThem) {
  const auto draining = backend(1, 5, BackendUse::draining);
  const auto failing = backend(3, 9, BackendUse::failing);
  const BackendRows made = rows_of({draining, backend(2, 3), failing});
  EXPECT_THAT(made.rows, ElementsAre(backend(2, 3), draining, failing));
  EXPECT_EQ(made.ready, 1U);
  EXPECT_EQ(rows_of({draining}).ready, 0U);
}

TEST(BackendRows, TheMostBackendsWithTheMostDifferentWeightsFit) {
  std::vector<BackendAddress> backends;
  for (std::uint32_t i = 0; i < HEDDLE_SERVICE_BACKENDS_MAX; ++i)
    backends.push_back(backend(i, i % 2 == 0 ? 1 : HEDDLE_BACKEND_WEIGHT_MAX));
  const BackendRows made = rows_of(backends);
  EXPECT_LE(made.rows.size(), std::size_t{HEDDLE_SERVICE_READY_ROWS_MAX});
  const auto shares = counts(made);
  EXPECT_EQ(shares.size(), backends.size()) << "none is left out";
  for (const auto& [each, rows] : shares) EXPECT_EQ(rows, each.weight == 1 ? 1 : 5);
}

TEST(BackendRows, TwoOfVeryDifferentWeightKeepTheirProportion) {
  const auto shares = counts(rows_of({backend(1, 1), backend(2, 255)}));
  EXPECT_EQ(shares.at(backend(1, 1)), 1);
  EXPECT_EQ(shares.at(backend(2, 255)), 255);
}

}  // namespace
}  // namespace heddle::bpf

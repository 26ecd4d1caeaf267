// link: heddle_dataplane_nft
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "dataplane/nft/ruleset.h"
#include "tests/fuzz/support/seeded.h"

// nft's JSON listing of our table, which others may have written into. Whatever it is: refused, or
// read as masquerades that are never none (a table that is there differs from no table), and each
// of them is one that we could have written, or the mark of an alteration.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heddle;
  auto read = nft::parse_listing({reinterpret_cast<const char*>(data), size});
  HEDDLE_DEFECT("a table that is there is taken for none", if (read) read->clear());
  if (!read) {
    CHECK(read.error().code() == Errc::internal);
    return 0;
  }
  CHECK(!read->empty());
  for (const dataplane::Masquerade& masquerade : *read) {
    if (masquerade == nft::altered()) continue;
    // nft itself would list neither: a subnet of everything, nor a name that no device can have.
    if (!nft::validate("heddle", {masquerade})) continue;
    CHECK(nft::replacement("heddle", {masquerade}).contains(masquerade.subnet.format()));
  }
  return 0;
}

// link: heddle_dataplane_nft
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "dataplane/nft/elements.h"
#include "dataplane/nft/listing.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// nft's JSON listing of our table, which others may have written into. Whatever it is: refused, or
// read; what was understood is understood again when it is written down, and what was not is
// remarked on. The same bytes as an element of the maps of ports: what is read is written as it
// was.
HEDDLE_FUZZ_TARGET(nft_listing, data, size) {
  using namespace heddle;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t half = size / 2;
  for (const auto map : {nft::PortMap::published4, nft::PortMap::anywhere4,
                         nft::PortMap::published6, nft::PortMap::anywhere6}) {
    const nft::RawElement raw{std::string(text.substr(0, half)), std::string(text.substr(half))};
    const auto port = nft::decode(map, raw);
    if (!port) continue;
    CHECK(nft::map_of(port->first) == map);
    CHECK(nft::encode(port->first, port->second) == raw);
  }
  auto listing = nft::parse_listing(text);
  HEDDLE_DEFECT(
      "a table of others is taken for ours", if (listing) {
        listing->whole = false;
        listing->remarks.clear();
      });
  if (!listing) {
    CHECK(listing.error().code() == Errc::internal);
    return 0;
  }
  CHECK(listing->whole || !listing->remarks.empty());
  const nft::Read read = nft::read(listing->elements);
  const nft::Read again = nft::read(nft::elements_of(read.networks));
  if (nft::validate("heddle", read.networks) && read.remarks.empty())
    CHECK(again.networks == read.networks && again.remarks.empty());
  return 0;
}

#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "topologies/engine/format/lab.h"

namespace heddle::format {

// How a link is now. Ends as NODE:INTERFACE; `b` of a link to the underlay is `underlay:NODE`.
struct LiveLink {
  std::string a;
  std::string b;
  LinkImpairment impairment;
};

// The file as it needs no environment to be read again: variables replaced, aliases and merges
// written out, comments gone; with `impair:` of each link that is not what the file says.
// Errors: those of parse_lab; `invalid` when the whole is larger than a lab file may be.
Result<std::string> save_lab(std::string_view text, const std::string& file,
                             const Environment& environment, const std::vector<LiveLink>& links);

}  // namespace heddle::format

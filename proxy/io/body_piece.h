#pragma once
#include <string_view>

namespace heddle::io {

// Some bytes of a body, out of its framing. They stay where they are until they are taken.
struct BodyPiece {
  std::string_view data;
  bool last = false;  // nothing comes after `data`; trailers are complete
};

}  // namespace heddle::io

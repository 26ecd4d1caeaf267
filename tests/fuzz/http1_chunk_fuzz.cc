// link: heddle_proxy_http heddle_common_base
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/check.h"
#include "proxy/http/body_decoder.h"
#include "proxy/http/serialize.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// A chunked body decodes the same in any steps (the first byte chooses one), and what is written
// for it decodes to the same again.
namespace {

using namespace heddle::http;

struct Outcome {
  std::string body;
  std::string trailers;
  std::size_t consumed = 0;
  bool done = false;
  std::optional<Refusal> refusal;
  bool operator==(const Outcome&) const = default;
};

constexpr Limits kNarrow{.chunk_extension_bytes = 256, .trailer_bytes = 256};

Outcome decode(std::string_view bytes, std::size_t step, const Limits& limits = kNarrow) {
  BodyDecoder decoder({BodyKind::chunked, 0}, limits);
  Outcome out;
  while (!decoder.done() && out.consumed < bytes.size()) {
    const auto piece = decoder.next(bytes.substr(out.consumed, step));
    if (!piece) {
      out.refusal = piece.error();
      return out;
    }
    CHECK(piece->consumed > 0);
    CHECK(piece->data.size() <= piece->consumed);
    out.consumed += piece->consumed;
    std::string_view part = piece->data;
    HEDDLE_DEFECT("a chunk in two reads loses the byte between",
                  if (!part.empty() && part.size() == step) part.remove_suffix(1));
    out.body += part;
  }
  out.done = decoder.done();
  out.trailers = decoder.trailers();
  return out;
}

}  // namespace

HEDDLE_FUZZ_TARGET(http1_chunk, data, size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = decode(bytes, bytes.size() + 1);
  const Outcome steps = decode(bytes, 1 + data[0] % 7);
  CHECK(whole.done == steps.done);
  CHECK(whole.refusal == steps.refusal);
  if (whole.refusal) return 0;
  CHECK(whole == steps);
  if (!whole.done) return 0;

  std::string again;
  if (!whole.body.empty()) {
    append_chunk_size(again, whole.body.size());
    again += whole.body + "\r\n";
  }
  again += "0\r\n" + whole.trailers + "\r\n";
  // A space after each colon is added, so the limits are wider.
  Outcome twice = decode(again, again.size(), Limits{});
  CHECK(twice.done && twice.body == whole.body && twice.trailers == whole.trailers);
  return 0;
}
